import { QkvError } from '../base/errors.ts';
import type { LineSource } from './lines.ts';
import type { DataRecord } from './records.ts';

export interface ConllColumns {
  /** From 1. */
  readonly word: number;
  /** From 1; null: the last. */
  readonly tag: number | null;
}

/**
 * Sentences of a file with a word a line, its columns between tabs or spaces, and a blank line between sentences, as CoNLL's
 * shared tasks have it: records with `tokens` and `tags`. Lines of `-DOCSTART-` are left out.
 *
 * @throws QkvError `data` for a line that lacks a column, with file and line
 */
export async function* readConll(
  lines: LineSource,
  { word, tag }: ConllColumns,
): AsyncGenerator<DataRecord, void, undefined> {
  let [where, tokens, tags]: [string, string[], string[]] = ['', [], []];
  for await (const { file, line, text } of lines) {
    const columns = text.trim().split(text.includes('\t') ? '\t' : /\s+/);
    if (text.trim() === '' || columns[0] === '-DOCSTART-') {
      if (tokens.length > 0) yield { where, fields: { tokens, tags } };
      [tokens, tags] = [[], []];
      continue;
    }
    const [token, label] = [columns[word - 1], columns[(tag ?? columns.length) - 1]];
    if (!token || !label || columns.length < 2) {
      throw new QkvError('data', {
        where: `${file}:${line}`,
        got: `${columns.length} columns`,
        expected: `a word in column ${word} and its tag in ${tag === null ? 'the last one' : `column ${tag}`}`,
      });
    }
    if (tokens.length === 0) where = `${file}:${line}`;
    tokens.push(token);
    tags.push(label);
  }
  if (tokens.length > 0) yield { where, fields: { tokens, tags } };
}
