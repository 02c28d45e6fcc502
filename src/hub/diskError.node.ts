import { stat } from 'node:fs/promises';
import { QkvError } from '../base/errors.ts';

/** `work`, with an error of the file system turned into one that says what to do. */
export async function onDisk<T>(path: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    if (cause instanceof QkvError) throw cause;
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    if (code === 'ENOSPC' || code === 'EDQUOT') throw diskFull(path, cause);
    throw new QkvError('io', {
      where: path,
      got: `cannot write it: ${cause instanceof Error ? cause.message : String(cause)}`,
      hint: 'Set HF_HUB_CACHE to a folder that can be written',
      cause,
    });
  }
}

export function diskFull(path: string, cause?: unknown): QkvError {
  return new QkvError('io', {
    where: path,
    got: 'not enough space on the disk',
    hint: 'Free some, or set HF_HUB_CACHE to a folder on another disk. What has arrived is kept',
    ...(cause !== undefined && { cause }),
  });
}

/** Bytes in a file, symbolic links followed; undefined where there is none. */
export async function sizeOf(path: string): Promise<number | undefined> {
  return (await stat(path).catch(() => undefined))?.size;
}
