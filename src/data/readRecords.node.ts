import { QkvError } from '../base/errors.ts';
import { readCsv, readTsv } from './delimited.ts';
import { readLines } from './files.node.ts';
import { matchFiles } from './matchFiles.node.ts';
import { readJsonl } from './readJsonl.ts';
import { readParquet } from './readParquet.node.ts';
import type { DataRecord } from './records.ts';

export type RecordFormat = 'tsv' | 'csv' | 'jsonl' | 'parquet';

export interface ReadRecordsOptions {
  /** Paths and globs, read one after the other; those that end in `.gz` are unpacked. */
  readonly files: string | readonly string[];
  /** By default what the names end with. */
  readonly format?: RecordFormat | undefined;
  /** Whether the first line of each TSV or CSV file names its columns (true); without, they are `1`, `2`, … */
  readonly header?: boolean | undefined;
}

/**
 * The records of tables, one at a time.
 *
 *     for await (const record of readRecords({ files: 'train-*.jsonl.gz' })) fieldText(record, 'sentence');
 *
 * @throws QkvError `io` for files that are not there or cannot be read, `data` for a wrong line, with file and line
 */
export async function* readRecords({
  files,
  format,
  header = true,
}: ReadRecordsOptions): AsyncGenerator<DataRecord, void, undefined> {
  for (const path of await matchFiles(files)) yield* readFile(path, format ?? formatOf(path), header);
}

function readFile(path: string, format: RecordFormat, header: boolean): AsyncGenerator<DataRecord> {
  if (format === 'tsv') return readTsv(readLines(path), header);
  if (format === 'csv') return readCsv(readLines(path), header);
  return format === 'jsonl' ? readJsonl(readLines(path)) : readParquet(path);
}

const FORMATS: Readonly<Record<string, RecordFormat>> = {
  tsv: 'tsv',
  csv: 'csv',
  jsonl: 'jsonl',
  ndjson: 'jsonl',
  json: 'jsonl',
  parquet: 'parquet',
};

/** The format that a file's name tells, undefined for any other name. */
export function recordFormatOf(path: string): RecordFormat | undefined {
  const ending = /\.(\w+)(?:\.gz)?$/.exec(path)?.[1];
  const format = ending === undefined ? undefined : FORMATS[ending.toLowerCase()];
  return format === 'parquet' && path.endsWith('.gz') ? undefined : format; // its pages are packed already
}

function formatOf(path: string): RecordFormat {
  const format = recordFormatOf(path);
  if (format) return format;
  throw new QkvError('data', {
    where: path,
    got: 'a name that tells no format',
    expected: '.tsv, .csv, .jsonl, .parquet, or the first three with .gz',
    hint: 'Say the format: format: tsv',
  });
}
