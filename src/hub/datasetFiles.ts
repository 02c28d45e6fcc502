import { parse } from 'yaml';
import { brief } from '../base/brief.ts';
import { QkvError } from '../base/errors.ts';
import { checkFileName } from './modelFiles.ts';

/** Which part of a dataset is wanted. */
export interface DatasetPart {
  readonly config?: string | undefined;
  readonly split?: string | undefined;
}

/** The formats that are read, the preferred first: of a dataset in several the files of one are taken. */
const FORMATS = [/\.parquet$/, /\.(jsonl|ndjson|json)(\.gz)?$/, /\.csv(\.gz)?$/, /\.tsv(\.gz)?$/, /\.txt(\.gz)?$/];

/** Names of a split in names of files, as Python's datasets knows them. */
const SPLITS: Readonly<Record<string, readonly string[]>> = {
  train: ['train', 'training'],
  validation: ['validation', 'valid', 'dev', 'val'],
  test: ['test', 'testing', 'eval', 'evaluation'],
};

/**
 * The data files of a split of a dataset's repository: those that the `configs` of its README.md name, else those whose path has
 * the name of the split (`data/train-00000-of-00002.parquet`, `cola/dev.tsv`); without a name they are `train`. A configuration
 * without `configs` is a folder.
 * https://huggingface.co/docs/hub/datasets-file-names-and-splits,
 * https://huggingface.co/docs/hub/datasets-manual-configuration
 *
 * @throws QkvError `data` where there is no such configuration or split, and where several leave a choice
 */
export async function datasetFiles(
  where: string,
  names: readonly string[],
  read: (name: string) => Promise<string | undefined>,
  { config, split }: DatasetPart,
): Promise<string[]> {
  for (const name of names) checkFileName(where, name);
  const configs = configsOf(where, (await read('README.md')) ?? '');
  const splits =
    configs.size > 0
      ? named(configs.get(choose(where, 'config', [...configs.keys()], config))!, names)
      : found(where, names, config);
  const files = splits.get(choose(where, 'split', [...splits.keys()], split))!;
  requireShards(where, files);
  return files;
}

/** The one that is wanted, or the only one. */
function choose(where: string, what: 'config' | 'split', known: readonly string[], wanted: string | undefined): string {
  const byDefault = what === 'config' && known.includes('default') ? 'default' : undefined;
  const chosen = wanted ?? byDefault ?? (known.length === 1 ? known[0] : undefined);
  if (chosen !== undefined && known.includes(chosen)) return chosen;
  throw new QkvError('data', {
    where: `${where}: ${what}`,
    got: wanted === undefined ? 'none, of several' : brief(wanted),
    expected: known.length > 0 ? known.slice(0, 30).join(', ') : 'parquet, jsonl, csv, tsv or txt files',
  });
}

interface Pattern {
  readonly split: string;
  readonly path: string;
}

/** The configurations that the YAML of a README names, each with patterns of files; a default one is called `default` too. */
function configsOf(where: string, readme: string): Map<string, Pattern[]> {
  const yaml = /^---\r?\n([\s\S]*?)\r?\n---/.exec(readme)?.[1];
  let card: unknown;
  try {
    card = yaml === undefined ? undefined : parse(yaml, { maxAliasCount: 0, logLevel: 'error' });
  } catch (cause) {
    throw new QkvError('data', {
      where: `${where}: README.md`,
      got: (cause as Error).message,
      expected: 'YAML',
      cause,
    });
  }
  const configs = new Map<string, Pattern[]>();
  for (const one of listOf(fieldOf(card, 'configs'))) {
    const [name, folder] = [fieldOf(one, 'config_name'), fieldOf(one, 'data_dir')];
    const within = typeof folder === 'string' ? `${folder.replace(/\/+$/, '')}/` : '';
    const patterns = listOf(fieldOf(one, 'data_files')).flatMap((entry) =>
      typeof entry === 'string'
        ? [{ split: 'train', path: within + entry }]
        : listOf(fieldOf(entry, 'path')).map((path) => ({
            split: String(fieldOf(entry, 'split')),
            path: within + path,
          })),
    );
    if (patterns.length === 0) continue; // the names of files tell
    configs.set(String(name ?? 'default'), patterns);
    if (fieldOf(one, 'default') === true) configs.set('default', patterns);
  }
  return configs;
}

const fieldOf = (value: unknown, key: string): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined;
const listOf = (value: unknown): readonly unknown[] =>
  Array.isArray(value) ? value : value === undefined ? [] : [value];

function named(patterns: readonly Pattern[], names: readonly string[]): Map<string, string[]> {
  const splits = new Map<string, string[]>();
  for (const { split, path } of patterns) {
    const matches = matcherOf(path);
    const files = names.filter((name) => matches.test(name)).sort();
    splits.set(split, [...new Set([...(splits.get(split) ?? []), ...files])]);
  }
  for (const [split, files] of splits) if (files.length === 0) splits.delete(split);
  return splits;
}

/** A glob as an expression: `*` and `?` stay within a folder, `**` does not. */
function matcherOf(glob: string): RegExp {
  const parts: Readonly<Record<string, string>> = { '**/': '(?:.*/)?', '**': '.*', '*': '[^/]*', '?': '[^/]' };
  const source = glob
    .replace(/^\.\//, '')
    .replace(/\*\*\/|\*\*|[^\w/]/gu, (part) => parts[part] ?? `\\u{${part.codePointAt(0)!.toString(16)}}`);
  return new RegExp(`^${source}$`, 'u');
}

function found(where: string, names: readonly string[], config: string | undefined): Map<string, string[]> {
  const inConfig = names.filter((name) => config === undefined || name.startsWith(`${config}/`));
  const format = FORMATS.find((one) => inConfig.some((name) => one.test(name) && isData(name)));
  const files = inConfig.filter((name) => format?.test(name) && isData(name)).sort();
  if (config !== undefined && files.length === 0) choose(where, 'config', foldersOf(names), config);
  const splits = new Map<string, string[]>();
  for (const [split, words] of Object.entries(SPLITS)) {
    const pattern = new RegExp(`(^|[-._ 0-9/])(${words.join('|')})([-._ 0-9/]|$)`);
    const members = files.filter((name) => pattern.test(config === undefined ? name : name.slice(config.length + 1)));
    if (members.length > 0) splits.set(split, members);
  }
  if (splits.size === 0 && files.length > 0) splits.set('train', files);
  return splits;
}

const isData = (name: string): boolean =>
  FORMATS.some((one) => one.test(name)) &&
  !/(^|\/)(\.|dataset_infos?\.json$|requirements\.txt$|README|LICENSE)/.test(name);
const foldersOf = (names: readonly string[]): string[] => [
  ...new Set(names.filter((name) => name.includes('/') && isData(name)).map((name) => name.split('/')[0]!)),
];

/** Of `x-00000-of-00003.parquet` all three: what is in the cache may lack some. */
function requireShards(where: string, files: readonly string[]): void {
  for (const file of files) {
    const [, stem, of, ending] = /^(.*)-\d+-of-(\d+)(.*)$/.exec(file) ?? [];
    if (of === undefined) continue;
    const shards = files.filter((one) => one.startsWith(`${stem}-`) && one.endsWith(`-of-${of}${ending}`));
    if (shards.length === Number(of)) continue;
    throw new QkvError('data', { where, got: `${shards.length} files like ${file}`, expected: `${Number(of)}` });
  }
}
