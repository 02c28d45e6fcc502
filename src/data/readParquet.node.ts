import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { brotliDecompressSync, unzipSync, zstdDecompressSync } from 'node:zlib';
import { type AsyncBuffer, type Compressors, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { compressors as pureCompressors } from 'hyparquet-compressors';
import { QkvError } from '../base/errors.ts';
import { checkFooter, checkMetadata, checkRowGroup, type ParquetBytes } from './checkParquet.ts';
import type { DataRecord } from './records.ts';

/**
 * The rows of a parquet file, of which one row group is in memory at a time. 64-bit integers become numbers where these
 * hold them.
 *
 * @throws QkvError `io` for a file that cannot be read, `data` for one that is damaged
 */
export async function* readParquet(path: string): AsyncGenerator<DataRecord> {
  const fd = open(path);
  try {
    const { size } = fstatSync(fd);
    yield* parquetRecords(path, size, (start, end) => {
      const bytes = new Uint8Array(end - start);
      return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, start));
    });
  } finally {
    closeSync(fd);
  }
}

/** As `readParquet`, of bytes that `slice` gives; what the library would read without bounds is checked before. */
export async function* parquetRecords(
  name: string,
  size: number,
  slice: (start: number, end: number) => Uint8Array,
): AsyncGenerator<DataRecord> {
  const bytes: ParquetBytes = { size, slice, unpack };
  const file = bufferOf(bytes);
  await sound(name, () => checkFooter(name, bytes));
  const metadata = await sound(name, () => parquetMetadataAsync(file, { geoparquet: false }));
  await sound(name, () => checkMetadata(name, metadata, size));
  let done = 0;
  for (const [i, group] of metadata.row_groups.entries()) {
    if (Number(group.num_rows) === 0) continue;
    await sound(name, () => checkRowGroup(`${name}: row group ${i + 1}`, metadata, group, bytes));
    // with the other groups it would go through all of them for each
    const alone = { ...metadata, row_groups: [group] };
    const rows = await sound(name, () => parquetReadObjects({ file, metadata: alone, compressors }));
    for (const row of rows) {
      const where = `${name}: row ${++done}`;
      yield { where, fields: fieldsOf(where, row) };
    }
  }
}

function open(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (cause) {
    throw new QkvError('io', { where: path, got: (cause as Error).message, expected: 'a readable file', cause });
  }
}

/** Reads at once: the library begins to read several columns and waits for none of them when one is damaged. */
function bufferOf({ size, slice }: ParquetBytes): AsyncBuffer {
  return {
    byteLength: size,
    slice: (start, end = size) => {
      const from = start < 0 ? Math.max(0, size + start) : start;
      const bytes = slice(from, Math.max(from, Math.min(end, size)));
      return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
    },
  };
}

/** Node's own where it has one: they stop at a length, and do not make room for what a page says it needs. */
const unpackers: Compressors = {
  ...pureCompressors,
  GZIP: (bytes, maxOutputLength) => unzipSync(bytes, { maxOutputLength }),
  BROTLI: (bytes, maxOutputLength) => brotliDecompressSync(bytes, { maxOutputLength }),
  ZSTD: (bytes, maxOutputLength) => zstdDecompressSync(bytes, { maxOutputLength }),
};
/** A page of nothing but nulls is empty, which not all of them take. */
const compressors: Compressors = Object.fromEntries(
  Object.entries(unpackers).map(([codec, unpackBytes]): [string, typeof unpackBytes] => [
    codec,
    (bytes, length) => (length === 0 ? new Uint8Array(0) : unpackBytes(bytes, length)),
  ]),
);

function unpack(codec: string, bytes: Uint8Array, length: number): Uint8Array {
  if (codec === 'UNCOMPRESSED') return bytes;
  const unpackBytes = compressors[codec as keyof Compressors];
  if (!unpackBytes) throw new Error(`pages packed by ${codec}`);
  return unpackBytes(bytes, length);
}

async function sound<T>(where: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw damaged(where, cause);
  }
}

function damaged(where: string, cause: unknown): QkvError {
  if (cause instanceof QkvError) return cause;
  return new QkvError('data', { where, got: (cause as Error).message, expected: 'a sound parquet file', cause });
}

function fieldsOf(where: string, row: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  try {
    return plain(row) as Readonly<Record<string, unknown>>;
  } catch (cause) {
    throw damaged(where, cause); // JSON too deep for the stack
  }
}

function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, plain(part)]));
}
