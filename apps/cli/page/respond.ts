import { open } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { extname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { byteRange } from './byteRange.ts';
import { securityHeaders } from './securityHeaders.ts';
import type { Site } from './site.ts';

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.webmanifest': 'application/manifest+json',
};
/** As vite names what it builds: the name changes with the content. */
const hashed = /^assets\/.*-[\w-]{8}\.\w+$/;

/** Answers one request from what the site has. `host`: the name that the server was told to listen at. */
export async function respond(
  site: Site,
  host: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  for (const [name, value] of Object.entries(securityHeaders)) response.setHeader(name, value);
  if (!isOwnHost(request.headers.host, host)) return refuse(response, 421, 'this server does not go by that name');
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD');
    return refuse(response, 405, 'only GET and HEAD');
  }
  const address = addressOf(request.url ?? '/');
  const resource = address === undefined ? undefined : site.get(address);
  if (address === undefined || resource === undefined) return refuse(response, 404, 'there is nothing here');
  switch (resource.kind) {
    case 'stream':
      return resource.open(request, response);
    case 'bytes': {
      const body = resource.body();
      response.setHeader('Cache-Control', 'no-store');
      response.setHeader('Content-Type', resource.type);
      response.setHeader('Content-Length', Buffer.byteLength(body));
      response.end(request.method === 'HEAD' ? undefined : body);
      return;
    }
    case 'file':
      return sendFile(resource.path, hashed.test(address), request, response);
  }
}

/** Undefined for what is no UTF-8 in percent encoding. */
function addressOf(url: string): string | undefined {
  try {
    const path = decodeURIComponent(url.replace(/[?#].*$/s, '')).replace(/^\//, '');
    return path === '' ? 'index.html' : path;
  } catch {
    return undefined;
  }
}

/**
 * A page elsewhere whose name is made to point here (DNS rebinding) could read all; its requests have its name. An
 * address in numbers is no name, and `localhost` is nobody else's.
 */
function isOwnHost(header: string | undefined, host: string): boolean {
  const name = URL.parse(`http://${header}`)?.hostname.replace(/^\[(.*)\]$/, '$1');
  return name !== undefined && (name === 'localhost' || isIP(name) !== 0 || name === host.toLowerCase());
}

async function sendFile(
  path: string,
  isImmutable: boolean,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const handle = await open(path).catch(() => undefined);
  if (handle === undefined) return refuse(response, 404, 'the file is gone');
  try {
    const { size: bytes, mtimeNs } = await handle.stat({ bigint: true });
    const size = Number(bytes);
    const tag = `"${bytes.toString(36)}-${mtimeNs.toString(36)}"`;
    response.setHeader('ETag', tag);
    response.setHeader('Cache-Control', isImmutable ? 'public, max-age=31536000, immutable' : 'no-cache');
    response.setHeader('Accept-Ranges', 'bytes');
    const known = request.headers['if-none-match']?.split(',').map((one) => one.trim().replace(/^W\//, ''));
    if (known?.includes(tag) || known?.includes('*')) {
      response.writeHead(304).end();
      return;
    }
    const condition = request.headers['if-range'];
    const range = condition === undefined || condition === tag ? byteRange(request.headers.range, size) : undefined;
    if (range === 'unsatisfiable') {
      response.setHeader('Content-Range', `bytes */${size}`);
      return refuse(response, 416, `the file has ${size} bytes`);
    }
    const { first, last } = range ?? { first: 0, last: size - 1 };
    if (range) response.setHeader('Content-Range', `bytes ${first}-${last}/${size}`);
    response.setHeader('Content-Type', types[extname(path)] ?? 'application/octet-stream');
    response.setHeader('Content-Length', last - first + 1);
    response.writeHead(range ? 206 : 200);
    if (request.method === 'HEAD' || size === 0) response.end();
    // a browser that goes away in the middle is no error
    else await pipeline(handle.createReadStream({ start: first, end: last }), response).catch(() => {});
  } finally {
    await handle.close().catch(() => {});
  }
}

function refuse(response: ServerResponse, status: number, words: string): void {
  const body = `${words}\n`;
  response.setHeader('Cache-Control', 'no-store');
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  response.setHeader('Content-Length', Buffer.byteLength(body));
  response.writeHead(status).end(body);
}
