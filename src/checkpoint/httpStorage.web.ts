import { brief } from '../base/brief.ts';
import { QkvError } from '../base/errors.ts';
import { checkName, type Storage } from './storage.ts';

/** How much of a file has come. */
export interface FileProgress {
  readonly file: string;
  readonly bytes: number;
  /** Absent where the server does not say. */
  readonly total?: number;
}

export interface HttpStorageOptions {
  /** Names of the folder's files, which HTTP cannot list. When left out, `files.json` in the folder has them, as an array. */
  readonly files?: readonly string[];
  readonly onProgress?: (progress: FileProgress) => void;
  readonly signal?: AbortSignal;
}

/** Files up to so many bytes are fetched whole; of larger ones blocks of this size, where the server knows ranges. */
const BLOCK = 1 << 24;
/** Blocks of a file that are kept: a reader goes through it in order, or jumps between two places. */
const KEPT = 2;

/**
 * A folder on a web server, to be read. A file is fetched when it is first read, and kept until the storage is forgotten: whole, or
 * in blocks where it is large and the server answers `Range`. Compression of small files on the way is no matter.
 *
 * @throws QkvError `io` for what is not there, and without an answer
 */
export function httpStorage(url: string, options: HttpStorageOptions = {}): Storage {
  const base = new URL(url.endsWith('/') ? url : `${url}/`, globalThis.location?.href);
  let names: Promise<string[]> | undefined;
  const files = new Map<string, Promise<HttpFile>>();
  const fileOf = (name: string): Promise<HttpFile> => {
    checkName(name);
    let file = files.get(name);
    if (!file) {
      file = openFile(new URL(encodeURIComponent(name), base), name, options);
      files.set(name, file);
      file.catch(() => files.delete(name));
    }
    return file;
  };
  const refuse = async (): Promise<never> => {
    throw new QkvError('io', { where: base.href, got: 'a write', expected: 'reads: this is a web server' });
  };
  return {
    location: base.href.replace(/\/$/, ''),
    async list() {
      names ??= options.files ? Promise.resolve([...options.files]) : listed(new URL('files.json', base), options);
      return (await names).toSorted();
    },
    size: async (name) => (await fileOf(name)).size,
    async read(name, offset, length) {
      const file = await fileOf(name);
      if (offset + length <= file.size) return file.read(offset, length);
      throw new QkvError('io', {
        where: `${base.href}${name}`,
        got: `bytes ${offset} to ${offset + length} were asked for and it has ${file.size}`,
      });
    },
    writeAtomic: refuse,
    remove: refuse,
  };
}

interface HttpFile {
  readonly size: number;
  read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
}

async function listed(url: URL, options: HttpStorageOptions): Promise<string[]> {
  const response = await get(url, {}, options);
  const list: unknown = await response.json().catch(() => undefined);
  if (Array.isArray(list) && list.every((name) => typeof name === 'string')) return list;
  throw new QkvError('io', { where: url.href, got: brief(list), expected: 'a JSON array with names of files' });
}

async function openFile(url: URL, name: string, options: HttpStorageOptions): Promise<HttpFile> {
  // The first block tells how large the file is, and whether the server knows ranges.
  const response = await get(url, { range: `bytes=0-${BLOCK - 1}` }, options);
  const size = /^bytes 0-\d+\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1];
  const isCoded = response.headers.get('content-encoding') !== null;
  if (response.status === 206 && (size === undefined || isCoded)) {
    await response.body?.cancel();
    return whole(await get(url, {}, options), name, options);
  }
  if (response.status !== 206 || Number(size) <= BLOCK) return whole(response, name, options);
  return inBlocks(url, name, Number(size), await bytesOf(response, BLOCK), options);
}

/** All that an answer brings. */
async function whole(response: Response, file: string, { onProgress }: HttpStorageOptions): Promise<HttpFile> {
  const isCoded = response.headers.get('content-encoding') !== null;
  const total = isCoded ? 0 : Number(response.headers.get('content-length') ?? 0);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response.body ?? []) {
      chunks.push(chunk);
      bytes += chunk.length;
      onProgress?.({ file, bytes, ...(total > 0 && { total }) });
    }
  } catch (cause) {
    throw unanswered(response.url, cause);
  }
  if (total > 0 && bytes !== total) throw unanswered(response.url, `it ended at byte ${bytes} of ${total}`);
  const data = new Uint8Array(bytes);
  let at = 0;
  for (const chunk of chunks) {
    data.set(chunk, at);
    at += chunk.length;
  }
  return { size: bytes, read: async (offset, length) => data.slice(offset, offset + length) };
}

function inBlocks(url: URL, file: string, size: number, first: Uint8Array, options: HttpStorageOptions): HttpFile {
  const blocks = new Map<number, Promise<Uint8Array>>([[0, Promise.resolve(first)]]);
  let bytes = first.length;
  const fetchBlock = async (index: number): Promise<Uint8Array> => {
    const [start, end] = [index * BLOCK, Math.min(size, (index + 1) * BLOCK)];
    const response = await get(url, { range: `bytes=${start}-${end - 1}` }, options);
    const block = await bytesOf(response, end - start);
    bytes = Math.min(size, bytes + block.length);
    options.onProgress?.({ file, bytes, total: size });
    return block;
  };
  const blockAt = (index: number): Promise<Uint8Array> => {
    const block = blocks.get(index) ?? fetchBlock(index);
    blocks.delete(index);
    blocks.set(index, block); // the last in the order of use
    block.catch(() => blocks.delete(index));
    if (blocks.size > KEPT) blocks.delete(blocks.keys().next().value!);
    return block;
  };
  return {
    size,
    async read(offset, length) {
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length; ) {
        const index = Math.floor((offset + done) / BLOCK);
        const from = offset + done - index * BLOCK;
        const part = (await blockAt(index)).subarray(from, from + length - done);
        bytes.set(part, done);
        done += part.length;
      }
      return bytes;
    },
  };
}

async function bytesOf(response: Response, expected: number): Promise<Uint8Array> {
  const block = await response.bytes().catch((cause: unknown) => {
    throw unanswered(response.url, cause);
  });
  if (response.status === 206 && block.length === expected) return block;
  throw unanswered(response.url, `${block.length} bytes where ${expected} were asked for`);
}

async function get(url: URL, headers: Record<string, string>, { signal }: HttpStorageOptions): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { headers, ...(signal && { signal }) });
  } catch (cause) {
    signal?.throwIfAborted();
    throw unanswered(url.href, cause);
  }
  if (response.status === 416) return get(url, {}, signal ? { signal } : {}); // an empty file has no first byte
  if (response.ok) return response;
  await response.body?.cancel();
  throw new QkvError('io', { where: url.href, got: `status ${response.status}`, expected: 'a file' });
}

function unanswered(where: string, cause: unknown): QkvError {
  const got = `no answer: ${cause instanceof Error ? cause.message : String(cause)}`;
  return new QkvError('io', {
    where,
    got,
    hint: 'Check the connection, and that the server lets this page read',
    cause,
  });
}
