import { QkvError } from '../base/errors.ts';
import { type HubName, hubPath } from './hubName.ts';
import type { HubSettings } from './hubSettings.node.ts';

/** No answer, half an answer, or one that says to come back later: what is in the cache may do instead, and trying again helps. */
export class HubUnreachable extends QkvError {
  constructor(where: string, cause: unknown) {
    super('io', {
      where,
      got: `no answer: ${reasonOf(cause)}`,
      hint: 'Check the connection and HF_ENDPOINT, or the path if a folder was meant. What has arrived is kept for the next run',
      cause,
    });
  }
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
      throw new HubUnreachable(where, cause);
    }
    const text = response.headers.get('x-error-message') ?? '';
    await response.body?.cancel();
    throw refusal(response, text, { where, name, settings });
  };
}

interface Asked {
  readonly where: string;
  readonly name: HubName;
  readonly settings: HubSettings;
}

/** What an answer other than success means. The hub says more than the status in the header `X-Error-Code`. */
function refusal(response: Response, text: string, { where, name, settings }: Asked): QkvError {
  const { status } = response;
  const code = response.headers.get('x-error-code');
  const said = `status ${status}${text && `, ${JSON.stringify(text)}`}`;
  const { endpoint, token } = settings;
  const { kind, revision } = name;
  const address = `${endpoint}/${hubPath(name)}`;
  const tokenHint =
    token === undefined
      ? `For a private ${kind} set HF_TOKEN to a token from ${endpoint}/settings/tokens`
      : 'The token in HF_TOKEN or in the file of `hf auth login` may be wrong, expired, or without access to it';
  if (code === 'GatedRepo') {
    return new QkvError('io', {
      where,
      got: `a ${kind} whose owner gives access on request (${said})`,
      hint: `Accept its terms at ${address}. ${tokenHint}`,
    });
  }
  if (code === 'RevisionNotFound') {
    const hint = `${address}/tree/main lists the branches and tags`;
    return new QkvError('io', { where, got: `no revision ${JSON.stringify(revision ?? 'main')}`, hint });
  }
  if (code === 'EntryNotFound') {
    const hint = 'Try again later: its owner may be changing it';
    return new QkvError('io', { where, got: `no file at ${response.url}, which the repository lists`, hint });
  }
  if (status === 401 || status === 404 || code === 'RepoNotFound') {
    return new QkvError('io', {
      where,
      got: `no such ${kind} (${said})${kind === 'model' ? ', nor a folder of this name here' : ''}`,
      hint: tokenHint,
    });
  }
  if (status === 403) return new QkvError('io', { where, got: `no access (${said})`, hint: tokenHint });
  if (status === 408 || status === 429 || status >= 500) return new HubUnreachable(where, said);
  return new QkvError('io', { where, got: said, expected: 'a success' });
}
