import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { type AsyncBuffer, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { QkvError } from '../base/errors.ts';
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
    const file = bufferOf(fd);
    const metadata = await sound(path, parquetMetadataAsync(file));
    let rowStart = 0;
    for (const { num_rows } of metadata.row_groups) {
      const rowEnd = rowStart + Number(num_rows);
      const rows = await sound(path, parquetReadObjects({ file, metadata, compressors, rowStart, rowEnd }));
      for (const row of rows) {
        yield { where: `${path}: row ${++rowStart}`, fields: plain(row) as Record<string, unknown> };
      }
    }
  } finally {
    closeSync(fd);
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
function bufferOf(fd: number): AsyncBuffer {
  const { size } = fstatSync(fd);
  return {
    byteLength: size,
    slice: (start, end = size) => {
      const from = start < 0 ? Math.max(0, size + start) : start;
      const bytes = new Uint8Array(Math.max(0, Math.min(end, size) - from));
      const count = readSync(fd, bytes, 0, bytes.length, from);
      return bytes.buffer.slice(0, count);
    },
  };
}

async function sound<T>(where: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    throw new QkvError('data', { where, got: (cause as Error).message, expected: 'a sound parquet file', cause });
  }
}

function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, plain(part)]));
}
