import { QkvError } from '../base/errors.ts';
import { checkName, type Storage } from './storage.ts';

/**
 * Files that a person dropped on the page or chose in it, to be read: those of one folder, or one .gguf file. Of a folder with
 * folders in it (their files know their paths) it is the one nearest to the top with a `config.json` or a .gguf file: of a
 * training run its `model/`.
 *
 * @throws QkvError `io` where there is no file, or two of a name
 */
export function filesStorage(files: readonly File[]): Storage {
  const chosen = inOneFolder(files);
  const byName = new Map<string, File>();
  for (const file of chosen) {
    checkName(file.name);
    if (byName.has(file.name)) {
      throw new QkvError('io', { where: 'dropped files', got: `${file.name} twice`, expected: 'one folder' });
    }
    byName.set(file.name, file);
  }
  const find = (name: string): File => {
    checkName(name);
    const file = byName.get(name);
    if (file) return file;
    const expected = [...byName.keys()].slice(0, 20).join(', ');
    throw new QkvError('io', { where: name, got: 'nothing of this name among the files', expected });
  };
  const refuse = async (): Promise<never> => {
    throw new QkvError('io', { where: 'dropped files', got: 'a write', expected: 'reads: they are only lent' });
  };
  return {
    location: folderOf(chosen[0]!) || 'dropped files',
    list: async () => [...byName.keys()].sort(),
    size: async (name) => find(name).size,
    async read(name, offset, length) {
      const file = find(name);
      if (offset + length > file.size) {
        const got = `bytes ${offset} to ${offset + length} were asked for and it has ${file.size}`;
        throw new QkvError('io', { where: name, got });
      }
      try {
        return await file.slice(offset, offset + length).bytes();
      } catch (cause) {
        const got = `cannot read it: ${cause instanceof Error ? cause.message : String(cause)}`;
        throw new QkvError('io', { where: name, got, hint: 'It may have been moved or changed: drop it again', cause });
      }
    },
    writeAtomic: refuse,
    remove: refuse,
  };
}

/** '' for a file that came alone. */
function folderOf({ webkitRelativePath }: File): string {
  return webkitRelativePath.split('/').slice(0, -1).join('/');
}

function inOneFolder(files: readonly File[]): readonly File[] {
  const folders = Map.groupBy(files, folderOf);
  const isModel = (folder: readonly File[]): boolean =>
    folder.some(({ name }) => name === 'config.json' || name.endsWith('.gguf'));
  const depth = (folder: string): number => folder.split('/').length;
  const byDepth = [...folders].sort(([a], [b]) => depth(a) - depth(b));
  const found = byDepth.find(([, members]) => isModel(members)) ?? byDepth[0];
  if (found) return found[1];
  throw new QkvError('io', { where: 'dropped files', got: 'none', expected: 'a folder with a model, or a .gguf file' });
}
