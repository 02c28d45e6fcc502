import { brief } from '../base/brief.ts';
import { QkvError } from '../base/errors.ts';
import { type HubName, hubPath } from './hubName.ts';
import { HubUnreachable, hubRefusal } from './hubRefusal.ts';

/** A file as the hub lists it. */
export interface HubFile {
  readonly name: string;
  readonly size: number;
  /** SHA-256 of its bytes (64 digits), or what git calls it (40): SHA-1 of `blob SIZE\0` and its bytes. */
  readonly hash: string;
}

export interface HubApiOptions {
  readonly endpoint?: string;
  readonly token?: string;
  readonly signal?: AbortSignal;
}

/** What is asked of the hub for one repository: plain `fetch`, whatever is not a success thrown as a `QkvError`. */
export interface HubApi {
  readonly id: string;
  readonly endpoint: string;
  /** For messages. */
  readonly where: string;
  /** The commit that a branch, a tag or a commit is, and the names of its files. */
  resolve(revision: string): Promise<{ readonly commit: string; readonly names: readonly string[] }>;
  list(commit: string): Promise<ReadonlyMap<string, HubFile>>;
  read(commit: string, file: string): Promise<Uint8Array>;
  /** A file from one of its bytes on. */
  open(commit: string, file: string, start: number, signal: AbortSignal): Promise<Response>;
  unreachable(where: string, cause: unknown): HubUnreachable;
  wrongAnswer(got: string): QkvError;
}

const HUB = 'https://huggingface.co';
const connectionHint = 'Check the connection. What has arrived is kept, and the next attempt goes on from there';
/** For small answers, in ms. */
const PATIENCE = 10_000;

export function hubApi(name: HubName, { endpoint: given = HUB, token, signal }: HubApiOptions): HubApi {
  const endpoint = given.replace(/\/+$/, '');
  const where = `${name.id} on ${endpoint}`;
  const unreachable = (at: string, cause: unknown): HubUnreachable => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const offline = navigator.onLine ? reason : `the browser is offline (${reason})`;
    return new HubUnreachable(at, offline, connectionHint, cause);
  };
  const wrongAnswer = (got: string): QkvError =>
    new QkvError('io', { where, got, expected: 'an answer of the hub', hint: 'Does a proxy answer in its place?' });

  const get = async (url: string, headers: Record<string, string>, patience: AbortSignal): Promise<Response> => {
    const signals = [patience, ...(signal ? [signal] : [])];
    // a token makes the browser ask first whether it may be sent; fetch drops it where the hub redirects to other servers
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const response = await fetch(url, {
      headers: { ...headers, ...authorization },
      signal: AbortSignal.any(signals),
    }).catch((cause: unknown) => {
      signal?.throwIfAborted();
      throw unreachable(where, cause);
    });
    if (response.ok) return response;
    const { status, headers: answered } = response;
    const [code, text] = [answered.get('x-error-code'), answered.get('x-error-message') ?? ''];
    await response.body?.cancel();
    const accessHint =
      token === undefined
        ? `A private model needs a token, from ${endpoint}/settings/tokens`
        : 'The token may be wrong, expired, or without access to it';
    throw hubRefusal(
      { status, code, text, url: response.url },
      { where, name, endpoint, accessHint, connectionHint, norElse: '' },
    );
  };
  const small = async <T>(url: string, read: (response: Response) => Promise<T>): Promise<[T, Response]> => {
    const response = await get(url, {}, AbortSignal.timeout(PATIENCE));
    const value = await read(response).catch((cause: unknown) => {
      signal?.throwIfAborted();
      throw cause instanceof SyntaxError ? wrongAnswer(cause.message) : unreachable(where, cause);
    });
    return [value, response];
  };
  const json = (url: string): Promise<[unknown, Response]> =>
    small(url, async (response) => JSON.parse(await response.text()));
  const fileUrl = (commit: string, file: string): string =>
    `${endpoint}/${hubPath(name)}/resolve/${commit}/${file.split('/').map(encodeURIComponent).join('/')}`;

  return {
    id: name.id,
    endpoint,
    where,
    async resolve(revision) {
      const [info] = await json(`${endpoint}/api/models/${name.id}/revision/${encodeURIComponent(revision)}`);
      const { sha, siblings } = Object(info) as { readonly sha?: unknown; readonly siblings?: unknown };
      if (typeof sha !== 'string' || !/^[0-9a-f]{40}$/.test(sha)) throw wrongAnswer(`the commit ${brief(sha)}`);
      const names = (Array.isArray(siblings) ? siblings : []).map(
        (one: unknown) => Object(one)['rfilename'] as unknown,
      );
      if (!names.every((one) => typeof one === 'string')) throw wrongAnswer('files without names');
      return { commit: sha, names };
    },
    async list(commit) {
      const files = new Map<string, HubFile>();
      let url: string | undefined = `${endpoint}/api/models/${name.id}/tree/${commit}?recursive=true`;
      for (let pages = 0; url !== undefined; pages++) {
        const [entries, response]: [unknown, Response] = await json(url);
        if (!Array.isArray(entries) || pages === 1000) throw wrongAnswer('no list of files');
        for (const entry of entries) {
          const { type, path, size, oid, lfs } = Object(entry);
          if (type === 'file') files.set(path, { name: path, size: lfs?.size ?? size, hash: lfs?.oid ?? oid });
        }
        const next: string | undefined = /<([^>]+)>;\s*rel="next"/.exec(response.headers.get('link') ?? '')?.[1];
        // the token goes where the hub says: to the hub alone
        if (next !== undefined && new URL(next).origin !== new URL(endpoint).origin)
          throw wrongAnswer(`more at ${next}`);
        url = next;
      }
      return files;
    },
    async read(commit, file) {
      const [bytes] = await small(fileUrl(commit, file), (response) => response.bytes());
      return bytes;
    },
    open: (commit, file, start, patience) =>
      get(fileUrl(commit, file), start > 0 ? { range: `bytes=${start}-` } : {}, patience),
    unreachable,
    wrongAnswer,
  };
}
