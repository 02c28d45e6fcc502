import { readLines } from '../data/files.node.ts';
import { readText } from '../data/lines.ts';
import { matchFiles } from '../data/matchFiles.node.ts';
import { readParallel } from '../data/pairs.ts';
import { readRecords, recordFormatOf } from '../data/readRecords.node.ts';
import type { DataRecord, FieldName } from '../data/records.ts';
import { readConll } from './conll.ts';
import type { KindName } from './kindNames.ts';
import { readSquad } from './squadJson.ts';

export interface EvaluationData {
  /** Paths and globs. */
  readonly files: string | readonly string[];
  /** Of sources: the file with their targets, line for line. */
  readonly references?: string | undefined;
  readonly fields?: Readonly<Record<string, FieldName>> | undefined;
  /** Whether the first line of a TSV or CSV file names its columns; when left out, it does unless columns are said by number. */
  readonly header?: boolean | undefined;
}

/**
 * The records of files for a kind of evaluation, and what their fields are. TSV, CSV, JSONL and parquet files are read as
 * tables by all of them; of other names
 *
 * - `language-model` takes a file as one text, `masked-language-model` each line that is not empty;
 * - `token-classification` reads CoNLL files, from .tsv files too;
 * - `question-answering` reads SQuAD's .json.
 *
 * Pairs of `sequence-to-sequence` are columns 1 and 2 of TSV and CSV files where nothing else is said.
 *
 * @throws QkvError `io` and `data`, with file and line
 */
export function readEvaluationData(
  kind: KindName,
  { files, references, fields, header }: EvaluationData,
): { readonly records: AsyncIterable<DataRecord>; readonly fields: Readonly<Record<string, FieldName>> } {
  const isPlain =
    fields === undefined && header !== true && kind === 'sequence-to-sequence' && references === undefined;
  const isTable = [files].flat().every((file) => /\.(tsv|csv)(\.gz)?$/i.test(file));
  const known = fields ?? (isPlain && isTable ? { source: 1, target: 2 } : {});
  const isNumbered = Object.values(known).some((field) => typeof field === 'number');
  return { fields: known, records: read(kind, files, references, header ?? !isNumbered) };
}

async function* read(
  kind: KindName,
  files: string | readonly string[],
  references: string | undefined,
  header: boolean,
): AsyncGenerator<DataRecord> {
  const paths = await matchFiles(files);
  if (references !== undefined) {
    for (const path of paths) {
      for await (const { source, target, file, line } of readParallel(readLines(path), readLines(references))) {
        yield { where: `${file}:${line}`, fields: { source, target } };
      }
    }
    return;
  }
  for (const path of paths) {
    const format = recordFormatOf(path);
    if (kind === 'token-classification' && (format === undefined || format === 'tsv'))
      yield* readConll(readLines(path));
    else if (kind === 'question-answering' && /\.json(\.gz)?$/i.test(path)) {
      yield* readSquad(await readText(readLines(path)), path);
    } else if (kind === 'language-model' && format === undefined) {
      yield { where: path, fields: { text: await readText(readLines(path)) } };
    } else if (kind === 'masked-language-model' && format === undefined) yield* linesWithText(path);
    else yield* readRecords({ files: path, header });
  }
}

async function* linesWithText(path: string): AsyncGenerator<DataRecord> {
  for await (const { file, line, text } of readLines(path)) {
    if (text.trim() !== '') yield { where: `${file}:${line}`, fields: { text } };
  }
}
