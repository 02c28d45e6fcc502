import { brief } from '../../../../src/base/brief.ts';
import { QkvError } from '../../../../src/base/errors.ts';
import { filesStorage } from '../../../../src/checkpoint/filesStorage.web.ts';
import { type FileProgress, httpStorage } from '../../../../src/checkpoint/httpStorage.web.ts';
import type { Storage } from '../../../../src/checkpoint/storage.ts';
import { decodeUtf8 } from '../../../../src/checkpoint/utf8.ts';
import { hubStorage } from '../../../../src/hub/hubStorage.web.ts';
import type { ModelSource, Progress, TextInput } from './contract.ts';

/** Weights of more bytes than these are not opened: a page has a few gigabytes at most, and needs some of them twice. */
const MOST_BYTES = 1.5e9;
/** Of a model's folder: the texts to begin with. */
export const examplesFile = 'examples.json';

/** Where things are that the worker cannot know by itself. */
export interface Places {
  /** The page's own address. */
  readonly baseUrl: string;
  /** The hub's; Hugging Face's when left out. */
  readonly hub?: string;
}

/** The files of a model, wherever they come from. */
export async function openSource(
  source: ModelSource,
  places: Places,
  onProgress: (progress: Progress) => void,
): Promise<Storage> {
  const storage = await storageOf(source, places, onProgress);
  await checkSize(storage);
  return storage;
}

async function storageOf(
  source: ModelSource,
  { baseUrl, hub }: Places,
  onProgress: (progress: Progress) => void,
): Promise<Storage> {
  const onFile = (progress: FileProgress): void => onProgress({ what: 'downloading', ...progress });
  switch (source.kind) {
    case 'shipped':
    case 'served': {
      const folder = new URL(source.kind === 'shipped' ? 'models/' : 'served/', baseUrl);
      const files = await listedFiles(folder, source.name);
      return httpStorage(new URL(`${encodeURIComponent(source.name)}/`, folder).href, { files, onProgress: onFile });
    }
    case 'hub':
      return hubStorage(source.id, {
        ...(hub !== undefined && { endpoint: hub }),
        onProgress: ({ file, done, total }) => onProgress({ what: 'downloading', file, bytes: done, total }),
      });
    case 'files':
      onProgress({ what: 'reading' });
      return filesStorage(source.files);
  }
}

/** The names of a model's files in the list of all that lie beside it, `index.json`: `[{ "name": …, "files": [ … ] }]`. */
async function listedFiles(folder: URL, name: string): Promise<readonly string[]> {
  const lists = httpStorage(folder.href, { files: ['index.json'] });
  const list = await readJson(lists, 'index.json');
  const entries: readonly unknown[] = Array.isArray(list) ? list : [];
  const isNamed = (one: unknown): boolean =>
    typeof one === 'object' && one !== null && 'name' in one && one.name === name;
  const found = entries.find(isNamed) as { readonly files?: unknown } | undefined;
  if (Array.isArray(found?.files) && found.files.every((file) => typeof file === 'string')) return found.files;
  throw new QkvError('io', {
    where: `${folder.href}index.json`,
    got: found ? `no list of the files of ${brief(name)}` : `no model named ${brief(name)}`,
    expected: '[{ "name": …, "files": [ … ] }, …]',
  });
}

async function checkSize(storage: Storage): Promise<void> {
  const names = await storage.list();
  const weights = names.filter((name) => /\.(safetensors|gguf|bin)$/.test(name));
  const sizes = await Promise.all(weights.map((name) => storage.size(name)));
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  if (bytes <= MOST_BYTES) return;
  throw new QkvError('runtime', {
    where: storage.location,
    got: `${(bytes / 1e9).toFixed(1)} GB of weights`,
    expected: `at most ${MOST_BYTES / 1e9} GB: a page has not more memory`,
    hint: 'The command line opens it: qkv look MODEL TEXT',
  });
}

/** The texts that a model's folder brings to begin with, in `examplesFile`. @throws QkvError `data` for a file that is none of them */
export async function readExamples(storage: Storage): Promise<TextInput[]> {
  const list = await readJson(storage, examplesFile);
  const isText = (value: unknown): boolean => value === undefined || typeof value === 'string';
  const isExample = (one: unknown): one is TextInput =>
    typeof one === 'object' &&
    one !== null &&
    'text' in one &&
    typeof one.text === 'string' &&
    isText((one as TextInput).target) &&
    isText((one as TextInput).pair);
  if (Array.isArray(list) && list.length <= 100 && list.every(isExample)) return list;
  throw new QkvError('data', {
    where: `${storage.location}/${examplesFile}`,
    got: brief(list),
    expected: 'an array of { "text": …, "target": …, "pair": … }, the last two where they are needed',
  });
}

async function readJson(storage: Storage, name: string): Promise<unknown> {
  const bytes = await storage.read(name, 0, await storage.size(name));
  try {
    return JSON.parse(decodeUtf8(bytes));
  } catch (cause) {
    const where = `${storage.location}/${name}`;
    throw new QkvError('io', { where, got: `no JSON: ${String(cause)}`, cause });
  }
}
