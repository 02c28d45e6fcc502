import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { QkvError } from '../base/errors.ts';
import { checkName, type Storage } from './storage.ts';

const TEMPORARY = /^\.qkv-(tmp|old)-/;
const MAX_READ = 1 << 30; // one read(2) returns less than 2 GiB

function temporaryName(kind: 'tmp' | 'old', name: string): string {
  return `.qkv-${kind}-${name}-${process.pid}-${randomBytes(4).toString('hex')}`;
}

function ioError(action: string, path: string, cause: unknown): QkvError {
  if (cause instanceof QkvError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new QkvError('io', { where: path, got: `cannot ${action} it: ${reason}`, cause });
}

/** Makes a rename or a new entry of the folder survive a power cut. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return; // folders cannot be opened there; NTFS journals its entries
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function writeAll(handle: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let done = 0; done < chunk.length; ) {
    const { bytesWritten } = await handle.write(chunk, done, Math.min(chunk.length - done, MAX_READ));
    done += bytesWritten;
  }
}

async function readExactly(handle: FileHandle, offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await handle.read(bytes, done, Math.min(length - done, MAX_READ), offset + done);
    if (bytesRead === 0) throw new Error(`it ends at byte ${offset + done}, ${length - done} bytes too early`);
    done += bytesRead;
  }
  return bytes;
}

/** A folder of the file system, which `writeAtomic` creates when it does not exist. Symbolic links are followed, as the Hugging Face cache needs. */
export function nodeStorage(folder: string): Storage {
  const root = resolve(folder);
  const pathOf = (name: string): string => {
    checkName(name);
    return join(root, name);
  };
  return {
    location: root,

    async list() {
      try {
        const entries = await readdir(root, { withFileTypes: true });
        return entries
          .filter((entry) => !entry.isDirectory() && !TEMPORARY.test(entry.name))
          .map((entry) => entry.name)
          .sort();
      } catch (cause) {
        throw ioError('list', root, cause);
      }
    },

    async size(name) {
      const path = pathOf(name);
      try {
        return (await stat(path)).size;
      } catch (cause) {
        throw ioError('read', path, cause);
      }
    },

    async read(name, offset, length) {
      const path = pathOf(name);
      try {
        const handle = await open(path, 'r');
        try {
          // Before memory is set aside for it: a length that the file does not have is refused, however large.
          const { size } = await handle.stat();
          if (offset + length > size) {
            throw new Error(`bytes ${offset} to ${offset + length} were asked for and it has ${size}`);
          }
          return await readExactly(handle, offset, length);
        } finally {
          await handle.close();
        }
      } catch (cause) {
        throw ioError('read', path, cause);
      }
    },

    async writeAtomic(name, chunks) {
      const path = pathOf(name);
      const temporary = join(root, temporaryName('tmp', name));
      try {
        await mkdir(root, { recursive: true });
        const handle = await open(temporary, 'wx');
        try {
          for await (const chunk of chunks) await writeAll(handle, chunk);
          await handle.sync();
        } finally {
          await handle.close();
        }
        await rename(temporary, path);
        await syncFolder(root);
      } catch (cause) {
        await rm(temporary, { force: true });
        throw ioError('write', path, cause);
      }
    },

    async remove(name) {
      const path = pathOf(name);
      try {
        await rm(path);
      } catch (cause) {
        throw ioError('remove', path, cause);
      }
    },
  };
}

/**
 * Writes a whole folder under a temporary name beside it and renames it to `folder` when `fill` has succeeded; where
 * `fill` fails nothing remains and the old folder stays as it was. For a new folder the rename is atomic. An existing
 * folder is first moved aside, since POSIX cannot exchange two folders: a kill between the two renames leaves the old
 * one as `.qkv-old-…` and the complete new one as `.qkv-tmp-…`. Where even that moment matters, write under a new name
 * each time (`saveSnapshot` does).
 */
export async function replaceFolder(folder: string, fill: (storage: Storage) => Promise<void>): Promise<void> {
  const path = resolve(folder);
  const parent = dirname(path);
  const temporary = join(parent, temporaryName('tmp', basename(path)));
  const aside = join(parent, temporaryName('old', basename(path)));
  try {
    await mkdir(parent, { recursive: true });
    await mkdir(temporary);
    await fill(nodeStorage(temporary));
    await syncFolder(temporary);
    const isMoved = await moveAside(path, aside);
    try {
      await rename(temporary, path);
    } catch (cause) {
      if (isMoved) await rename(aside, path);
      throw cause;
    }
    await syncFolder(parent);
    if (isMoved) await rm(aside, { recursive: true });
  } catch (cause) {
    await rm(temporary, { recursive: true, force: true });
    throw ioError('write', path, cause);
  }
}

/** Whether an error of the file system says that something does not exist. */
export function isAbsent(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
}

async function moveAside(path: string, aside: string): Promise<boolean> {
  try {
    await rename(path, aside);
    return true;
  } catch (cause) {
    if (isAbsent(cause)) return false;
    throw cause;
  }
}

/** Removes a folder so that a kill in the middle never leaves a half of it under its name. */
export async function removeFolder(folder: string): Promise<void> {
  const path = resolve(folder);
  try {
    const aside = join(dirname(path), temporaryName('old', basename(path)));
    await rename(path, aside);
    await rm(aside, { recursive: true });
  } catch (cause) {
    throw ioError('remove', path, cause);
  }
}

/** Removes what killed writers left in a folder and returns the names. Only for a folder that no one else is writing to. */
export async function removeLeftovers(folder: string): Promise<string[]> {
  const root = resolve(folder);
  try {
    const names = (await readdir(root)).filter((name) => TEMPORARY.test(name));
    for (const name of names) await rm(join(root, name), { recursive: true, force: true });
    return names;
  } catch (cause) {
    if (isAbsent(cause)) return [];
    throw ioError('clean', root, cause);
  }
}
