import { QkvError } from '../base/errors.ts';
import { checkName, type Storage } from './storage.ts';

const TEMPORARY = '.qkv-tmp-';

/** What the types of pages leave out. */
interface MovableFile extends FileSystemFileHandle {
  move(name: string): Promise<void>;
}

/**
 * A folder in the browser's own file system, which is this site's alone and outlives the page: `runs/poems`. `writeAtomic` creates
 * it. It needs https or localhost.
 *
 * @throws QkvError `io`: also where the browser has no such file system here, and where it has no more room
 */
export function opfsStorage(path: string): Storage {
  const parts = path.split('/');
  parts.forEach(checkName);
  const location = `opfs:/${path}`;
  const folder = (create: boolean): Promise<FileSystemDirectoryHandle> => openFolder(parts, create);
  const attempt = async <T>(action: string, where: string, act: () => Promise<T>): Promise<T> => {
    try {
      return await act();
    } catch (cause) {
      throw opfsError(action, where, cause);
    }
  };
  const fileOf = async (name: string): Promise<File> => (await (await folder(false)).getFileHandle(name)).getFile();
  return {
    location,
    list: () =>
      attempt('list', location, async () => {
        const names: string[] = [];
        for await (const [name, { kind }] of (await folder(false)).entries()) {
          if (kind === 'file' && !name.startsWith(TEMPORARY)) names.push(name);
        }
        return names.sort();
      }),
    async size(name) {
      checkName(name);
      return attempt('read', `${location}/${name}`, async () => (await fileOf(name)).size);
    },
    async read(name, offset, length) {
      checkName(name);
      return attempt('read', `${location}/${name}`, async () => {
        const file = await fileOf(name);
        if (offset + length > file.size) {
          throw new Error(`bytes ${offset} to ${offset + length} were asked for and it has ${file.size}`);
        }
        return file.slice(offset, offset + length).bytes();
      });
    },
    async writeAtomic(name, chunks) {
      checkName(name);
      await attempt('write', `${location}/${name}`, async () => {
        const to = await folder(true);
        const temporary = `${TEMPORARY}${crypto.randomUUID()}`;
        const handle = (await to.getFileHandle(temporary, { create: true })) as MovableFile;
        try {
          const writable = await handle.createWritable();
          try {
            // streams of the browser take no shared memory
            for await (const chunk of chunks) await writable.write(ownBytes(chunk));
          } catch (error) {
            await writable.abort().catch(() => {});
            throw error;
          }
          await writable.close();
          await handle.move(name);
        } catch (error) {
          await to.removeEntry(temporary).catch(() => {});
          throw error;
        }
      });
    },
    async remove(name) {
      checkName(name);
      await attempt('remove', `${location}/${name}`, async () => (await folder(false)).removeEntry(name));
    },
  };
}

/** Whether the browser has a file system for this page. */
export function hasOpfs(): boolean {
  return globalThis.isSecureContext && typeof navigator.storage?.getDirectory === 'function';
}

async function openFolder(parts: readonly string[], create: boolean): Promise<FileSystemDirectoryHandle> {
  if (!hasOpfs()) throw new Error('this browser, or an address without https, has no file system for pages');
  let folder = await navigator.storage.getDirectory();
  for (const part of parts) folder = await folder.getDirectoryHandle(part, { create });
  return folder;
}

function ownBytes(chunk: Uint8Array): Uint8Array<ArrayBuffer> {
  return chunk.buffer instanceof ArrayBuffer ? (chunk as Uint8Array<ArrayBuffer>) : new Uint8Array(chunk);
}

function opfsError(action: string, where: string, cause: unknown): QkvError {
  if (cause instanceof QkvError) return cause;
  if (cause instanceof DOMException && cause.name === 'QuotaExceededError') return noRoom(where, cause);
  const absent = cause instanceof DOMException && cause.name === 'NotFoundError';
  const reason = absent ? 'it is not there' : cause instanceof Error ? cause.message : String(cause);
  return new QkvError('io', { where, got: `cannot ${action} it: ${reason}`, cause });
}

/** What a page is told when the browser gives it no more of the disk. */
export function noRoom(where: string, cause?: unknown): QkvError {
  return new QkvError('io', {
    where,
    got: 'no more room: the browser lets this site keep no more on the disk',
    hint: 'Make room on the disk, or clear the data of this site in the settings of the browser',
    ...(cause !== undefined && { cause }),
  });
}
