import { createHash } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { QkvError } from '../base/errors.ts';
import { onDisk, sizeOf } from './diskError.node.ts';
import { unreachable } from './hubFetch.node.ts';
import { HubUnreachable } from './hubRefusal.ts';

/** A file of the hub, and where it goes. */
export interface HubBlob {
  /** For messages. */
  readonly name: string;
  readonly url: string;
  readonly size: number;
  /** SHA-256 of its bytes (64 digits), or what git calls it (40): SHA-1 of `blob SIZE\0` and its bytes. */
  readonly hash: string;
  readonly path: string;
}

export interface FetchOptions {
  readonly fetch: typeof fetch;
  readonly onBytes: (done: number) => void;
  readonly signal: AbortSignal | undefined;
}

const stalledAfter = 30_000; // ms without a byte
const maxFailures = 5;

/** Where the bytes of a blob lie until they are complete. */
export const partialPath = (blob: HubBlob): string => `${blob.path}.qkv-incomplete`;

/**
 * Fetches a blob, going on from what an earlier attempt of this or of another process has left, and checks it. A
 * connection that breaks is opened again, until five attempts in a row have brought nothing.
 *
 * Processes that fetch the same blob at once share the unfinished file without a lock: each writes the bytes of a
 * position to that position, in order from where the file ended, so they write the same; what counts is the check of
 * the whole file at the end, and the rename after it.
 *
 * @throws QkvError `io`; `checkpoint` where the bytes are not those of the hash
 */
export async function fetchBlob(blob: HubBlob, options: FetchOptions): Promise<void> {
  const partial = partialPath(blob);
  for (let failures = 0; ; ) {
    const before = (await sizeOf(partial)) ?? 0;
    try {
      await fetchRest(blob, options);
      break;
    } catch (error) {
      options.signal?.throwIfAborted();
      failures = ((await sizeOf(partial)) ?? 0) > before ? 0 : failures + 1;
      if (!(error instanceof HubUnreachable) || failures === maxFailures) throw error;
      const wait = sleep(250 * 2 ** failures, undefined, options.signal && { signal: options.signal });
      await wait.catch(() => options.signal?.throwIfAborted());
    }
  }
  try {
    await check(blob);
    await onDisk(blob.path, rename(partial, blob.path));
  } catch (error) {
    if (!(await isFinished(blob))) throw error; // else another process was first
    await rm(partial, { force: true });
  }
}

async function check(blob: HubBlob): Promise<void> {
  const partial = partialPath(blob);
  const found = await onDisk(partial, hashOf(partial, blob));
  if (found === blob.hash) return;
  await rm(partial, { force: true });
  throw new QkvError('checkpoint', {
    where: blob.name,
    got: `bytes with the checksum ${found}`,
    expected: blob.hash,
    hint: 'They were damaged on the way and are deleted: try again. If it stays, the server or a proxy is at fault',
  });
}

async function isFinished(blob: HubBlob): Promise<boolean> {
  return (await sizeOf(blob.path)) === blob.size;
}

async function fetchRest(blob: HubBlob, options: FetchOptions): Promise<void> {
  const partial = partialPath(blob);
  const handle = await onDisk(partial, open(partial, constants.O_WRONLY | constants.O_CREAT));
  const stall = new AbortController();
  const timer = setTimeout(() => stall.abort(new Error(`nothing came for ${stalledAfter / 1000} s`)), stalledAfter);
  try {
    let { size: start } = await handle.stat();
    if (start > blob.size) await handle.truncate((start = 0));
    options.onBytes(start);
    if (start === blob.size) return;
    const headers = { 'accept-encoding': 'identity', ...(start > 0 && { range: `bytes=${start}-` }) };
    const response = await options.fetch(blob.url, { headers, signal: stall.signal });
    let position = response.status === 206 ? startOf(response, blob, start) : 0;
    for await (const chunk of chunksOf(response, blob)) {
      timer.refresh();
      if (position + chunk.length > blob.size) {
        throw new QkvError('io', {
          where: blob.name,
          got: 'more bytes',
          expected: `${blob.size}, as the hub lists it`,
        });
      }
      await onDisk(partial, writeAt(handle, chunk, position));
      position += chunk.length;
      options.onBytes(position);
      if (await isFinished(blob)) return; // by another process
    }
    if (position < blob.size) throw unreachable(blob.name, `it ended at byte ${position} of ${blob.size}`);
    await onDisk(partial, handle.sync());
  } finally {
    clearTimeout(timer);
    await handle.close();
  }
}

function startOf(response: Response, blob: HubBlob, asked: number): number {
  const range = response.headers.get('content-range');
  if (range?.startsWith(`bytes ${asked}-`)) return asked;
  throw new QkvError('io', { where: blob.name, got: `Content-Range: ${range}`, expected: `bytes from ${asked} on` });
}

async function* chunksOf(response: Response, blob: HubBlob): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  try {
    for (;;) {
      const next = await reader?.read().catch((cause: unknown) => {
        throw unreachable(blob.name, cause);
      });
      if (!next || next.done) return;
      yield next.value;
    }
  } finally {
    await reader?.cancel().catch(() => {}); // it may have failed already
  }
}

async function writeAt(handle: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < chunk.length; ) {
    const { bytesWritten } = await handle.write(chunk, done, chunk.length - done, position + done);
    done += bytesWritten;
  }
}

async function hashOf(path: string, { hash, size }: HubBlob): Promise<string> {
  const hasher = createHash(hash.length === 64 ? 'sha256' : 'sha1');
  if (hash.length === 40) hasher.update(`blob ${size}\0`);
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hasher.update(chunk as Uint8Array);
  return hasher.digest('hex');
}
