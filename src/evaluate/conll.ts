import { QkvError } from '../base/errors.ts';
import type { LineSource } from '../data/lines.ts';
import type { DataRecord } from '../data/records.ts';

/**
 * Sentences of a CoNLL file: a line for each word, its columns between tabs or else spaces, an empty line after each sentence. A
 * record has each column as a list by its number from `1`, and the first and the last as `tokens` and `tags`. The
 * `-DOCSTART-` of CoNLL 2003 is passed over.
 *
 * @throws QkvError `data` for a line with another number of columns than its sentence
 */
export async function* readConll(source: LineSource): AsyncGenerator<DataRecord> {
  let rows: string[][] = [];
  let where = '';
  for await (const { file, line, text } of source) {
    if (text.trim() === '') {
      if (rows.length > 0) yield sentence(where, rows);
      rows = [];
      continue;
    }
    const cells = text.includes('\t') ? text.split('\t') : text.trim().split(/ +/);
    if (cells[0] === '-DOCSTART-') continue;
    if (rows.length === 0) where = `${file}:${line}`;
    const columns = rows[0]?.length ?? Math.max(2, cells.length);
    if (cells.length !== columns) {
      throw new QkvError('data', {
        where: `${file}:${line}`,
        got: `${cells.length} column${cells.length === 1 ? '' : 's'} (${JSON.stringify(text.slice(0, 60))})`,
        expected: rows.length > 0 ? `${columns}, as in ${where}` : 'a word and its tag at least',
      });
    }
    rows.push(cells);
  }
  if (rows.length > 0) yield sentence(where, rows);
}

function sentence(where: string, rows: readonly (readonly string[])[]): DataRecord {
  const columns = rows[0]!.map((_, column) => rows.map((cells) => cells[column]!));
  const numbered = Object.fromEntries(columns.map((column, i) => [i + 1, column]));
  return { where, fields: { ...numbered, tokens: columns[0], tags: columns.at(-1) } };
}
