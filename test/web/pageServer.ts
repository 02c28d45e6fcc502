import { createReadStream, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, resolve, sep } from 'node:path';

export interface PageServerOptions {
  /** Whether the headers isolate the page, which gives it SharedArrayBuffer and threads. */
  readonly isIsolated: boolean;
  /** Whether it answers `Range`; true when left out. */
  readonly knowsRanges?: boolean;
  /** Whether a content policy comes with every file; true when left out. */
  readonly sendsPolicy?: boolean;
}

export interface PageServer extends AsyncDisposable {
  /** With a slash at its end. */
  readonly url: string;
  /** `GET /config.json`, with the range where one was asked for. */
  readonly requests: string[];
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.wasm': 'application/wasm',
};

const policy =
  "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; img-src 'self' data:; connect-src 'self' http://127.0.0.1:*";

/** Serves folders, the first that has a file; keys are where they begin: `''`, `models/`. */
export async function servePage(
  folders: Readonly<Record<string, string>>,
  { isIsolated, knowsRanges = true, sendsPolicy = true }: PageServerOptions,
): Promise<PageServer> {
  const requests: string[] = [];
  const find = (path: string): string | undefined => {
    for (const [prefix, folder] of Object.entries(folders)) {
      if (!path.startsWith(prefix)) continue;
      const root = resolve(folder);
      const file = join(root, path.slice(prefix.length) || 'index.html');
      if (file.startsWith(root + sep) && statSync(file, { throwIfNoEntry: false })?.isFile()) return file;
    }
    return undefined;
  };
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const path = decodeURIComponent(new URL(request.url!, 'http://host').pathname).slice(1);
    requests.push([request.method, `/${path}`, request.headers.range].filter(Boolean).join(' '));
    const headers = {
      ...(isIsolated && {
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-embedder-policy': 'require-corp',
      }),
      ...(sendsPolicy && { 'content-security-policy': policy }),
    };
    const file = find(path);
    if (!file) return void response.writeHead(404, headers).end();
    const { size } = statSync(file);
    const range = knowsRanges ? /^bytes=(\d+)-(\d+)?$/.exec(request.headers.range ?? '') : null;
    const [start, end] = [Number(range?.[1] ?? 0), Math.min(size - 1, Number(range?.[2] ?? size - 1))];
    response.writeHead(range ? 206 : 200, {
      ...headers,
      'content-type': types[extname(file)] ?? 'application/octet-stream',
      'content-length': end - start + 1,
      ...(range && { 'content-range': `bytes ${start}-${end}/${size}` }),
      ...(knowsRanges && { 'accept-ranges': 'bytes' }),
    });
    if (request.method === 'HEAD' || size === 0) response.end();
    else createReadStream(file, { start, end }).pipe(response);
  };
  const server = createServer(answer);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    requests,
    [Symbol.asyncDispose]: () => stop(server),
  };
}

async function stop(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
}
