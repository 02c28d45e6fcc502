import type { HubName } from './hubName.ts';
import { HubUnreachable, hubRefusal } from './hubRefusal.ts';
import type { HubSettings } from './hubSettings.node.ts';

const connectionHint =
  'Check the connection and HF_ENDPOINT, or the path if a folder was meant. What has arrived is kept for the next run';

/** @param cause what `fetch` threw, or the reason in words */
export function unreachable(where: string, cause: unknown): HubUnreachable {
  return new HubUnreachable(where, reasonOf(cause), connectionHint, cause);
}

/** undici says "fetch failed" and keeps the reason in the cause. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const inner = cause.cause;
  if (inner instanceof AggregateError) return reasonOf(inner.errors[0]);
  return inner instanceof Error ? inner.message || inner.name : cause.message || cause.name;
}

/** The function `fetch` for the hub: with the user's token, and whatever is not a success thrown as a `QkvError`. */
export function hubFetch(name: HubName, settings: HubSettings, signal?: AbortSignal): typeof fetch {
  const where = `${name.id} on ${settings.endpoint}`;
  const { origin } = new URL(settings.endpoint);
  return async (input, init) => {
    const url = input instanceof Request ? input.url : String(input);
    const headers = new Headers(init?.headers);
    headers.set('user-agent', 'qkv');
    // The token is for the hub alone. fetch drops it where the hub redirects to the servers that have the files.
    if (settings.token !== undefined && new URL(url).origin === origin) {
      headers.set('authorization', `Bearer ${settings.token}`);
    }
    // The library's requests have no signal, and a small answer: it is read here, so that it comes whole or not at all.
    const isSmall = !init?.signal;
    const signals = [signal, init?.signal ?? AbortSignal.timeout(10_000)].filter((one) => one !== undefined);
    let response: Response;
    try {
      response = await fetch(url, { ...init, headers, signal: AbortSignal.any(signals) });
      if (response.ok) return isSmall ? new Response(await response.arrayBuffer(), response) : response;
    } catch (cause) {
      signal?.throwIfAborted();
      throw unreachable(where, cause);
    }
    const { headers: answered, status } = response;
    await response.body?.cancel();
    const [code, text] = [answered.get('x-error-code'), answered.get('x-error-message') ?? ''];
    throw hubRefusal(
      { status, code, text, url: response.url },
      {
        where,
        name,
        endpoint: settings.endpoint,
        accessHint: accessHint(name, settings),
        connectionHint,
        norElse: name.kind === 'model' ? ', nor a folder of this name here' : '',
      },
    );
  };
}

function accessHint({ kind }: HubName, { endpoint, token }: HubSettings): string {
  return token === undefined
    ? `For a private ${kind} set HF_TOKEN to a token from ${endpoint}/settings/tokens`
    : 'The token in HF_TOKEN or in the file of `hf auth login` may be wrong, expired, or without access to it';
}
