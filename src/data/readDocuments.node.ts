import { QkvError } from '../base/errors.ts';
import type { SentenceUnit } from '../base/sentenceUnits.ts';
import { readLines } from './files.node.ts';
import { matchFiles } from './matchFiles.node.ts';
import { type RecordFormat, readRecords, recordFormatOf } from './readRecords.node.ts';
import { type FieldName, fieldText } from './records.ts';
import { splitClauses, splitSentences } from './splitSentences.ts';

export interface ReadDocumentsOptions {
  /** Paths and globs of text files, UTF-8, or of tables; those that end in `.gz` are unpacked. */
  readonly files: string | readonly string[];
  /** Of tables: the field that is the text. Without it the files are text. */
  readonly field?: FieldName | undefined;
  readonly format?: RecordFormat | undefined;
  readonly header?: boolean | undefined;
  /**
   * What a document is: text between blank lines (or empty fields), by default that of text files; a record of a table or a line
   * of a text file, by default that of tables; a whole file.
   */
  readonly documents?: 'blank-lines' | 'records' | 'files' | undefined;
  /** Whether a line is a sentence (`lines`), or is cut into its sentences or its clauses. */
  readonly sentences?: SentenceUnit | undefined;
  /** Documents at most. */
  readonly limit?: number | undefined;
}

const cutters: Readonly<Record<SentenceUnit, (line: string) => readonly string[]>> = {
  lines: (line) => [line.trim()],
  split: splitSentences,
  clauses: splitClauses,
};

/** A part of a document. */
export interface TextPart {
  readonly text: string;
  /** Number of its document, from 0. */
  readonly document: number;
}

/** Characters of a part of running text, about: documents of more come in several. */
const PART = 1 << 16;

/** The sentences of documents, trimmed, one at a time; empty ones are passed over. @throws QkvError as `readRecords` */
export async function* readSentences(options: ReadDocumentsOptions): AsyncGenerator<TextPart, void, undefined> {
  const cut = cutters[options.sentences ?? 'lines'];
  for await (const { text, document } of units(options)) {
    for (const line of text.split('\n')) {
      for (const sentence of cut(line)) if (sentence !== '') yield { text: sentence, document };
    }
  }
}

/** Documents as running text with `\n` between lines; long ones in parts that end with a line. @throws QkvError as `readRecords` */
export async function* readRunningText(options: ReadDocumentsOptions): AsyncGenerator<TextPart, void, undefined> {
  let lines: string[] = [];
  let length = 0;
  let current = 0;
  for await (const { text, document } of units(options)) {
    const isNew = document !== current;
    if (lines.length > 0 && (isNew || length > PART)) {
      yield { text: lines.join('\n') + (isNew ? '' : '\n'), document: current };
      lines = [];
      length = 0;
    }
    current = document;
    lines.push(text);
    length += text.length;
  }
  if (lines.length > 0) yield { text: lines.join('\n'), document: current };
}

/** Lines or fields with their documents. */
async function* units(options: ReadDocumentsOptions): AsyncGenerator<TextPart> {
  const {
    field,
    documents = field === undefined ? 'blank-lines' : 'records',
    limit = Number.POSITIVE_INFINITY,
  } = options;
  let document = -1;
  let isOpen = false;
  for (const path of await matchFiles(options.files)) {
    isOpen = false;
    for await (const text of field === undefined ? linesOf(path) : fieldsOf(path, field, options)) {
      if (text.trim() === '' && documents !== 'files') {
        isOpen = false;
        continue;
      }
      if (!isOpen && ++document >= limit) return;
      isOpen = documents !== 'records';
      yield { text, document };
    }
  }
}

async function* linesOf(path: string): AsyncGenerator<string> {
  const format = recordFormatOf(path);
  if (format === 'jsonl' || format === 'parquet') {
    throw new QkvError('data', { where: path, got: 'a table', expected: 'field, the name of its text' });
  }
  for await (const { text } of readLines(path)) yield text;
}

async function* fieldsOf(
  path: string,
  field: FieldName,
  { format, header }: ReadDocumentsOptions,
): AsyncGenerator<string> {
  const records = readRecords({ files: path, format, header: header ?? typeof field === 'string' });
  for await (const record of records) yield fieldText(record, field);
}
