import { QkvError } from '../base/errors.ts';
import { Sha256 } from '../base/sha256.ts';
import { opfsStorage } from '../checkpoint/opfsStorage.web.ts';
import type { Storage } from '../checkpoint/storage.ts';
import type { HubApi, HubFile } from './hubApi.web.ts';
import { HubUnreachable } from './hubRefusal.ts';

/*
 * A file of the hub lies in the browser's file system in parts of 16 MiB, `<folder>/<file>/part-00000` …, each written whole or not
 * at all: a download that stops, with the page if need be, goes on after the last of them.
 */
const PART = 1 << 24;
const MAX_FAILURES = 5;
/** ms without a byte */
const STALLED = 30_000;

const partName = (index: number): string => `part-${String(index).padStart(5, '0')}`;
const partCount = ({ size }: HubFile): number => Math.max(1, Math.ceil(size / PART));
const partSize = ({ size }: HubFile, index: number): number => Math.max(0, Math.min(PART, size - index * PART));

/** Files in parts as one folder, to be read. */
export function partedStorage(folder: string, files: readonly HubFile[], location: string): Storage {
  const byName = new Map(files.map((file) => [file.name, file]));
  const find = (name: string): HubFile => {
    const file = byName.get(name);
    if (file) return file;
    throw new QkvError('io', { where: `${location}: ${name}`, got: 'no such file among those that a model needs' });
  };
  const refuse = async (): Promise<never> => {
    throw new QkvError('io', { where: location, got: 'a write', expected: 'reads: these are files of the hub' });
  };
  return {
    location,
    list: async () => [...byName.keys()].sort(),
    size: async (name) => find(name).size,
    async read(name, offset, length) {
      const { size } = find(name);
      if (offset + length > size) {
        const got = `bytes ${offset} to ${offset + length} were asked for and it has ${size}`;
        throw new QkvError('io', { where: `${location}: ${name}`, got });
      }
      const parts = opfsStorage(`${folder}/${name}`);
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length; ) {
        const index = Math.floor((offset + done) / PART);
        const from = offset + done - index * PART;
        const part = await parts.read(partName(index), from, Math.min(PART - from, length - done));
        bytes.set(part, done);
        done += part.length;
      }
      return bytes;
    },
    writeAtomic: refuse,
    remove: refuse,
  };
}

export interface FetchPartsOptions {
  readonly onBytes: (done: number) => void;
  readonly signal: AbortSignal | undefined;
}

/**
 * Fetches a file, going on after the parts that are there, and checks it. A connection that breaks is opened again, until five
 * attempts in a row have brought nothing.
 *
 * @throws QkvError `io`; `checkpoint` where the bytes are not those of the hash
 */
export async function fetchParts(
  api: HubApi,
  folder: string,
  commit: string,
  file: HubFile,
  { onBytes, signal }: FetchPartsOptions,
): Promise<void> {
  const parts = opfsStorage(`${folder}/${file.name}`);
  const state = { index: await wholeParts(parts, file), chunks: [] as Uint8Array[], filled: 0 };
  const position = (): number => state.index * PART + state.filled;
  const take = async (bytes: Uint8Array): Promise<void> => {
    for (let at = 0; at < bytes.length; ) {
      const chunk = bytes.subarray(at, at + partSize(file, state.index) - state.filled);
      if (chunk.length === 0) {
        throw new QkvError('io', { where: `${api.id}: ${file.name}`, got: 'more bytes', expected: `${file.size}` });
      }
      state.chunks.push(chunk);
      state.filled += chunk.length;
      at += chunk.length;
      if (state.filled === partSize(file, state.index)) await flush();
    }
    onBytes(Math.min(file.size, position()));
  };
  const flush = async (): Promise<void> => {
    await parts.writeAtomic(partName(state.index), state.chunks);
    state.index++;
    state.chunks = [];
    state.filled = 0;
  };
  onBytes(Math.min(file.size, position()));
  for (let failures = 0; state.index < partCount(file); ) {
    const before = position();
    try {
      if (file.size === 0) await flush();
      else await fetchRest(api, commit, file, before, take, signal);
      if (state.index < partCount(file)) {
        throw api.unreachable(`${api.id}: ${file.name}`, `it ended at byte ${position()} of ${file.size}`);
      }
    } catch (error) {
      signal?.throwIfAborted();
      failures = position() > before ? 0 : failures + 1;
      if (!(error instanceof HubUnreachable) || failures === MAX_FAILURES) throw error;
      await new Promise((resolve) => setTimeout(resolve, 250 * 2 ** failures));
      signal?.throwIfAborted();
    }
  }
  const found = await hashOf(parts, file);
  if (found === file.hash) return;
  for (let i = 0; i < partCount(file); i++) await parts.remove(partName(i));
  throw new QkvError('checkpoint', {
    where: `${api.id}: ${file.name}`,
    got: `bytes with the checksum ${found}`,
    expected: file.hash,
    hint: 'They were damaged on the way and are deleted: try again. If it stays, the server or a proxy is at fault',
  });
}

/** Parts from the first on that are there whole. */
async function wholeParts(parts: Storage, file: HubFile): Promise<number> {
  let index = 0;
  while (index < partCount(file)) {
    const size = await parts.size(partName(index)).catch(() => -1);
    if (size !== partSize(file, index)) break;
    index++;
  }
  return index;
}

async function fetchRest(
  api: HubApi,
  commit: string,
  file: HubFile,
  start: number,
  take: (bytes: Uint8Array) => Promise<void>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const stall = new AbortController();
  const wait = (): ReturnType<typeof setTimeout> =>
    setTimeout(() => stall.abort(new Error(`nothing came for ${STALLED / 1000} s`)), STALLED);
  let timer = wait();
  try {
    const response = await api.open(commit, file.name, start, stall.signal);
    const range = response.headers.get('content-range');
    if (response.status === 206 && !range?.startsWith(`bytes ${start}-`)) {
      const got = `Content-Range: ${range}`;
      throw new QkvError('io', { where: `${api.id}: ${file.name}`, got, expected: `bytes from ${start} on` });
    }
    // a server without ranges sends all of it
    let skip = response.status === 206 ? 0 : start;
    const reader = response.body!.getReader();
    try {
      for (;;) {
        const next = await reader.read().catch((cause: unknown) => {
          signal?.throwIfAborted();
          throw api.unreachable(`${api.id}: ${file.name}`, cause);
        });
        if (next.done) return;
        clearTimeout(timer);
        timer = wait();
        await take(next.value.subarray(skip));
        skip = Math.max(0, skip - next.value.length);
      }
    } finally {
      await reader.cancel().catch(() => {}); // it may have failed already
    }
  } finally {
    clearTimeout(timer);
  }
}

async function hashOf(parts: Storage, file: HubFile): Promise<string> {
  const read = (index: number): Promise<Uint8Array<ArrayBuffer>> =>
    parts.read(partName(index), 0, partSize(file, index));
  if (file.hash.length === 64) {
    const hash = new Sha256();
    for (let i = 0; i < partCount(file); i++) hash.update(await read(i));
    return hash.digest();
  }
  // git's hash is of files that are small enough to stand in memory
  const blobs = await Promise.all(Array.from({ length: partCount(file) }, (_, i) => read(i)));
  const all = await new Blob([`blob ${file.size}\0`, ...blobs]).arrayBuffer();
  return Array.from(new Uint8Array(await crypto.subtle.digest('SHA-1', all)), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('');
}
