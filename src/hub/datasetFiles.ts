import { QkvError } from '../base/errors.ts';
import { checkFileName } from './modelFiles.ts';

export interface DatasetPart {
  /** The folder of a configuration; absent where the repository has one alone. */
  readonly config?: string | undefined;
  /** `train`, `validation`, `test`; absent where the repository has one alone. */
  readonly split?: string | undefined;
}

/** Formats in the order in which they are preferred. */
const formats = [/\.parquet$/, /\.(jsonl|ndjson|json)(\.gz)?$/, /\.csv(\.gz)?$/, /\.tsv(\.gz)?$/, /\.txt(\.gz)?$/];

/** Other names of splits, as Hugging Face's `datasets` has them (`data_files.py`, SPLIT_KEYWORDS). */
const keywords: Readonly<Record<string, readonly string[]>> = {
  train: ['train', 'training'],
  validation: ['validation', 'valid', 'dev', 'val'],
  test: ['test', 'testing', 'eval', 'evaluation'],
};

/**
 * The files of a dataset repository that are a part of it. A split stands in the name, between characters that are no letters and
 * no digits: `data/train-00000-of-00002.parquet`, `dev.jsonl`, `main/test/part.csv`; a configuration is a folder.
 *
 * @throws QkvError `data` where nothing fits, with what there is
 */
export function datasetFiles(where: string, names: readonly string[], { config, split }: DatasetPart): string[] {
  for (const name of names) checkFileName(where, name);
  const format = formats.find((one) => names.some((name) => one.test(name)));
  const all = names.filter((name) => format?.test(name)).sort();
  const configs = distinct(all.filter((name) => name.includes('/')).map((name) => name.split('/')[0]!));
  const others = configs.filter((name) => name !== 'data');
  const refuse = (got: string, expected: string): QkvError => new QkvError('data', { where, got, expected });
  if (all.length === 0) {
    throw refuse(
      `no data among ${names.slice(0, 20).join(', ') || 'no files'}`,
      'parquet, jsonl, csv, tsv or txt files',
    );
  }
  if (config !== undefined && !configs.includes(config)) {
    throw refuse(`the configuration ${config}`, others.length > 0 ? `one of ${others.join(', ')}` : 'none');
  }
  if (config === undefined && others.length > 1) {
    throw refuse('no configuration', `one of ${others.join(', ')}`);
  }
  const within = config === undefined ? all : all.filter((name) => name.startsWith(`${config}/`));
  const splits = Object.keys(keywords).filter((name) => within.some((file) => isOf(file, name)));
  if (split === undefined) {
    if (splits.length <= 1) return within;
    throw refuse('no split', `one of ${splits.join(', ')}`);
  }
  const found = within.filter((name) => isOf(name, split));
  if (found.length > 0) return found;
  throw refuse(`the split ${split}`, `one of ${splits.join(', ') || within.slice(0, 20).join(', ')}`);
}

function isOf(file: string, split: string): boolean {
  const parts = file.toLowerCase().split(/[^a-z0-9]+/);
  return (keywords[split] ?? [split.toLowerCase()]).some((word) => parts.includes(word));
}

function distinct(names: readonly string[]): string[] {
  return [...new Set(names)];
}
