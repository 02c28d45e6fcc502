import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Files = Readonly<Record<string, Uint8Array>>;

export interface Repository {
  /** Commit to its files. */
  readonly commits: Readonly<Record<string, Files>>;
  /** Branch or tag to commit. */
  readonly refs: Record<string, string>;
  /** Private: others are told that it does not exist. */
  readonly token?: string;
  readonly isGated?: boolean;
}

/** What goes wrong; a test changes it while the server runs. */
export interface Faults {
  /** File, or `json`, to after how many bytes its connection is destroyed, once for each number. */
  broken: Record<string, number[]>;
  /** Files that arrive with a byte changed. */
  damaged: Set<string>;
  /** Files that are listed and not there. */
  lost: Set<string>;
  /** File to what the list says of it instead. */
  listed: Record<string, object>;
  /** Every request gets this status. */
  status: number | undefined;
  /** In place of every JSON text. */
  answer: string | undefined;
  ignoresRanges: boolean;
  /** Holds the large files back after their first bytes. */
  isStopped: boolean;
}

export interface SeenRequest {
  /** Large files lie on a second server, to which the first redirects. */
  readonly on: 'hub' | 'files';
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
}

export interface HubServer extends AsyncDisposable {
  readonly url: string;
  readonly requests: SeenRequest[];
  readonly faults: Faults;
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const gitHash = (bytes: Uint8Array) => createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
const isLarge = (path: string) => /\.(safetensors|bin|parquet)$/.test(path);

/**
 * The hub's protocol as far as a download needs it, on this machine: model info, paged file lists, files with ETag and
 * Range, and large files by a redirect to another origin. Statuses and headers as in
 * https://github.com/huggingface/huggingface_hub (`utils/_http.py`, `file_download.py`).
 */
export async function startHub(repositories: Readonly<Record<string, Repository>>): Promise<HubServer> {
  const requests: SeenRequest[] = [];
  const faults: Faults = {
    broken: {},
    damaged: new Set(),
    lost: new Set(),
    listed: {},
    status: undefined,
    answer: undefined,
    ignoresRanges: false,
    isStopped: false,
  };

  const refuse = (response: ServerResponse, status: number, code: string, message: string) => {
    response.writeHead(status, { 'x-error-code': code, 'x-error-message': message }).end(message);
  };
  const json = (response: ServerResponse, value: unknown, headers = {}) => {
    response.writeHead(200, { 'content-type': 'application/json; charset=utf-8', ...headers });
    const text = JSON.stringify(value);
    if (faults.answer !== undefined) return void response.end(faults.answer);
    if (faults.broken['json']?.shift() === undefined) return void response.end(text);
    response.write(text.slice(0, 10), () => setTimeout(() => response.destroy(), 20));
  };

  const send = (request: IncomingMessage, response: ServerResponse, path: string, bytes: Uint8Array, headers = {}) => {
    const start = faults.ignoresRanges ? undefined : /^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1];
    const body = Buffer.from(bytes.subarray(Number(start ?? 0)));
    if (faults.damaged.has(path)) body[body.length - 1]! ^= 1;
    response.writeHead(start === undefined ? 200 : 206, {
      ...headers,
      'content-length': body.length,
      ...(start !== undefined && { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` }),
    });
    const cut = faults.broken[path]?.shift();
    if (cut !== undefined) response.write(body.subarray(0, cut), () => setTimeout(() => response.destroy(), 20));
    else if (faults.isStopped && isLarge(path)) response.write(body.subarray(0, 1000));
    else response.end(body);
  };

  /** As the hub lets pages read. Answers the question whether a page may send a header. */
  const allow = (request: IncomingMessage, response: ServerResponse): boolean => {
    response.setHeader('access-control-allow-origin', '*');
    response.setHeader('access-control-expose-headers', 'X-Error-Code,X-Error-Message,ETag,Link,Content-Range');
    if (request.method !== 'OPTIONS') return false;
    response.writeHead(204, { 'access-control-allow-headers': 'authorization, range' }).end();
    return true;
  };

  const see = (on: SeenRequest['on'], { url, headers }: IncomingMessage) =>
    requests.push({ on, path: url!, range: headers.range, authorization: headers.authorization });

  const fileServer = createServer((request, response) => {
    if (allow(request, response)) return;
    see('files', request);
    const [id, commit, path] = request.url!.slice(1).split('?')[0]!.split('/').map(decodeURIComponent);
    send(request, response, path!, repositories[id!]!.commits[commit!]![path!]!);
  });

  const hub = createServer((request, response) => {
    if (allow(request, response)) return;
    see('hub', request);
    if (faults.status !== undefined) return refuse(response, faults.status, '', 'out of order');
    const url = new URL(request.url!, hubUrl);
    const [, id, action, rawRevision, path] =
      /^\/(?:api\/models\/|api\/(?=datasets\/))?((?:datasets\/)?[^/]+\/[^/]+)\/(revision|tree|resolve)\/([^/]+)(?:\/(.*))?$/.exec(
        url.pathname,
      ) ?? [];
    const repository = repositories[id ?? ''];
    const isKnown = request.headers.authorization === `Bearer ${repository?.token}`;
    if (!repository || (repository.token !== undefined && !isKnown)) {
      return refuse(response, 401, 'RepoNotFound', 'Invalid username or password.');
    }
    const revision = decodeURIComponent(rawRevision!);
    const commit = repository.refs[revision] ?? revision;
    const files = repository.commits[commit];
    if (!files) return refuse(response, 404, 'RevisionNotFound', `Invalid rev id: ${revision}`);
    if (action === 'revision') {
      const siblings = Object.keys(files).map((rfilename) => ({ rfilename }));
      return json(response, { _id: '1', id, sha: commit, siblings, lastModified: '2025-01-01T00:00:00.000Z' });
    }
    if (action === 'tree') return list(response, url, files);
    if (repository.isGated) return refuse(response, 403, 'GatedRepo', 'Access to this model is restricted.');
    const name = decodeURIComponent(path!);
    const bytes = files[name];
    if (!bytes || faults.lost.has(name)) return refuse(response, 404, 'EntryNotFound', 'Entry not found');
    const headers = { 'x-repo-commit': commit };
    if (!isLarge(name)) return send(request, response, name, bytes, { ...headers, etag: `"${gitHash(bytes)}"` });
    response.writeHead(302, {
      ...headers,
      'x-linked-etag': `"${sha256(bytes)}"`,
      'x-linked-size': bytes.length,
      location: `${filesUrl}/${[id!, commit, name].map(encodeURIComponent).join('/')}?signature=1`,
    });
    response.end();
  });

  /** Three entries a page. */
  const list = (response: ServerResponse, url: URL, files: Files) => {
    const entries = Object.entries(files).map(([path, bytes]) => ({
      type: 'file',
      path,
      size: bytes.length,
      oid: gitHash(bytes),
      ...(isLarge(path) && { lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: 130 } }),
      ...faults.listed[path],
    }));
    const from = Number(url.searchParams.get('cursor') ?? 0);
    url.searchParams.set('cursor', String(from + 3));
    const more = from + 3 < entries.length && { link: `<${url.href}>; rel="next"` };
    json(response, entries.slice(from, from + 3), more || {});
  };

  const [hubUrl, filesUrl] = await Promise.all([listen(hub), listen(fileServer)]);
  return {
    url: hubUrl,
    requests,
    faults,
    async [Symbol.asyncDispose]() {
      await Promise.all([hub, fileServer].map(stop));
    },
  };
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function stop(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
}
