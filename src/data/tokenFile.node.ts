import { randomUUID } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { QkvError } from '../base/errors.ts';
import { type Column, TokenStore, TokenWriter } from './tokenStore.ts';

const FILES = ['ids', 'sentenceStarts', 'documentStarts'] as const;
type FileName = (typeof FILES)[number];

/** `store.json`: written last, so a folder with it is whole. */
interface StoreFile {
  readonly idBytes: 2 | 4;
  readonly sourceEnds: readonly number[];
  readonly files: Readonly<Record<FileName, { readonly length: number; readonly crc32: number }>>;
}

/**
 * The store in `folder`, made by `write` where there is none or where it is damaged. Its ids stay in the file, of 2 bytes each
 * for a vocabulary of up to 65,536 tokens, else of 4: memory holds 4 bytes a sentence and a document. A reader never sees
 * half a store: it is written beside and renamed.
 *
 * @throws QkvError `io` where the folder cannot be written
 */
export async function tokenFile(
  folder: string,
  vocabSize: number,
  fingerprint: string,
  write: (writer: TokenWriter) => Promise<void>,
): Promise<TokenStore> {
  const isThere = existsSync(folder);
  const found = await openTokenFile(folder, fingerprint);
  if (found) return found;
  // a name for each writer: several may be at work in one process
  const temporary = `${folder}.${randomUUID()}.tmp`;
  try {
    if (isThere) await rm(folder, { recursive: true, force: true });
    await mkdir(temporary, { recursive: true });
    await writeStore(temporary, vocabSize <= 1 << 16 ? 2 : 4, write);
    await publish(temporary, folder);
  } catch (cause) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {}); // what failed first is told
    if (cause instanceof QkvError || !(cause instanceof Error && 'code' in cause)) throw cause;
    const hint = 'Set XDG_CACHE_HOME to a folder that can be written and has room';
    throw new QkvError('io', {
      where: folder,
      got: cause.message,
      expected: 'a folder for tokenised data',
      hint,
      cause,
    });
  }
  const store = await openTokenFile(folder, fingerprint);
  if (store) return store;
  throw new QkvError('io', { where: folder, got: 'other bytes than were written', expected: 'a sound disk' });
}

/** Gives a store its name, unless another writer was first, whose store is the same. */
async function publish(temporary: string, folder: string): Promise<void> {
  try {
    await rename(temporary, folder);
  } catch (cause) {
    if (!existsSync(join(folder, 'store.json'))) throw cause;
    await rm(temporary, { recursive: true, force: true });
  }
}

async function writeStore(
  folder: string,
  idBytes: 2 | 4,
  write: (writer: TokenWriter) => Promise<void>,
): Promise<void> {
  const open = (name: FileName): FileColumn => new FileColumn(join(folder, name), name === 'ids' ? idBytes : 4);
  const columns = { ids: open('ids'), sentenceStarts: open('sentenceStarts'), documentStarts: open('documentStarts') };
  try {
    const writer = new TokenWriter(columns);
    await write(writer);
    const files = Object.fromEntries(FILES.map((name) => [name, columns[name].finish()])) as StoreFile['files'];
    const store: StoreFile = { idBytes, sourceEnds: writer.sourceEnds, files };
    await writeFile(join(folder, 'store.json'), JSON.stringify(store));
  } finally {
    for (const name of FILES) columns[name].close();
  }
}

/** Undefined where there is no store, or one that does not have the bytes that were written. */
async function openTokenFile(folder: string, fingerprint: string): Promise<TokenStore | undefined> {
  let idFile = -1;
  try {
    const { idBytes, sourceEnds, files } = JSON.parse(await readFile(join(folder, 'store.json'), 'utf8')) as StoreFile;
    const starts = (['sentenceStarts', 'documentStarts'] as const).map((name) => {
      const fd = openSync(join(folder, name), 'r');
      try {
        const values = new Uint32Array(files[name].length);
        readFully(fd, values, 0);
        return crc32(bytesOf(values)) === files[name].crc32 ? values : undefined;
      } finally {
        closeSync(fd);
      }
    });
    idFile = openSync(join(folder, 'ids'), 'r');
    const isSound = starts.every((one) => one) && checksum(idFile, files.ids.length * idBytes) === files.ids.crc32;
    if (!isSound) throw new RangeError('damaged');
    const fd = idFile;
    return new TokenStore({
      sentenceStarts: starts[0]!,
      documentStarts: starts[1]!,
      sourceEnds,
      fingerprint,
      read: (start, end) => {
        const values = idBytes === 2 ? new Uint16Array(end - start) : new Int32Array(end - start);
        readFully(fd, values, start * idBytes);
        return values instanceof Int32Array ? values : Int32Array.from(values);
      },
    });
  } catch {
    if (idFile >= 0) closeSync(idFile);
    return undefined;
  }
}

const bytesOf = (values: Uint16Array | Int32Array | Uint32Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

function readFully(fd: number, values: Uint16Array | Int32Array | Uint32Array, position: number): void {
  const bytes = bytesOf(values);
  for (let done = 0; done < bytes.length; ) {
    const count = readSync(fd, bytes, done, bytes.length - done, position + done);
    if (count === 0)
      throw new QkvError('io', { where: 'tokenised data', got: 'a file that was cut', expected: 'a whole one' });
    done += count;
  }
}

function checksum(fd: number, bytes: number): number {
  const chunk = new Uint16Array(1 << 19);
  let sum = 0;
  for (let at = 0; at < bytes; at += chunk.byteLength) {
    const part = chunk.subarray(0, Math.min(chunk.byteLength, bytes - at) / 2);
    readFully(fd, part, at);
    sum = crc32(bytesOf(part), sum);
  }
  return sum;
}

/** A column in a file, little-endian, as all machines are that run this. */
class FileColumn implements Column {
  readonly #buffer: Uint16Array | Uint32Array;
  #fd: number;
  #filled = 0;
  #crc32 = 0;
  length = 0;

  constructor(path: string, bytes: 2 | 4) {
    this.#fd = openSync(path, 'w');
    this.#buffer = bytes === 2 ? new Uint16Array(1 << 18) : new Uint32Array(1 << 17);
  }

  push(value: number): void {
    this.#buffer[this.#filled++] = value;
    this.length++;
    if (this.#filled === this.#buffer.length) this.#flush();
  }

  #flush(): void {
    const bytes = bytesOf(this.#buffer.subarray(0, this.#filled));
    for (let done = 0; done < bytes.length; ) done += writeSync(this.#fd, bytes, done);
    this.#crc32 = crc32(bytes, this.#crc32);
    this.#filled = 0;
  }

  finish(): { length: number; crc32: number } {
    this.#flush();
    fsyncSync(this.#fd);
    return { length: this.length, crc32: this.#crc32 };
  }

  close(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }
}
