import { brief } from '../base/brief.ts';
import { QkvError } from '../base/errors.ts';
import type { LineSource } from './lines.ts';
import type { DataRecord } from './records.ts';

/** The cells of one record, and the line that it begins at. */
interface Row {
  readonly where: string;
  readonly cells: readonly string[];
}

/** Characters of one record at most: more is a quote that nothing closes. */
const LONGEST = 1 << 24;

/**
 * Tab-separated records, a line each. Nothing is quoted: a tab always separates, as in GLUE's files. Empty lines are
 * passed over.
 *
 * @throws QkvError `data` for a line with another number of columns than the first
 */
export function readTsv(source: LineSource, header: boolean): AsyncGenerator<DataRecord> {
  return toRecords(tsvRows(source), header);
}

/**
 * Comma-separated records by RFC 4180: a cell in double quotes may hold commas, newlines and, doubled, quotes. Empty
 * lines between records are passed over.
 *
 * @throws QkvError `data` for a record with another number of columns than the first, and for quotes that do not pair
 */
export function readCsv(source: LineSource, header: boolean): AsyncGenerator<DataRecord> {
  return toRecords(csvRows(source), header);
}

async function* tsvRows(source: LineSource): AsyncGenerator<Row> {
  for await (const { file, line, text } of source) {
    if (text !== '') yield { where: `${file}:${line}`, cells: text.split('\t') };
  }
}

async function* csvRows(source: LineSource): AsyncGenerator<Row> {
  let open: { where: string; text: string } | undefined;
  for await (const { file, line, text } of source) {
    if (!open && text === '') continue;
    open = open ? { ...open, text: `${open.text}\n${text}` } : { where: `${file}:${line}`, text };
    if (open.text.length > LONGEST) throw unclosed(open.where);
    const cells = csvCells(open.text, open.where);
    if (!cells) continue;
    yield { where: open.where, cells };
    open = undefined;
  }
  if (open) throw unclosed(open.where);
}

/** A cell, and the comma or the end behind it. */
const CELL = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/y;

/** Undefined where a quote is still open at the end. */
function csvCells(text: string, where: string): string[] | undefined {
  const cells: string[] = [];
  for (let at = 0; ; ) {
    CELL.lastIndex = at;
    const match = CELL.exec(text);
    if (!match) {
      if (text[at] === '"' && isOpen(text, at)) return undefined;
      const got = `column ${cells.length + 1}, ${brief(text.slice(at))}, with a quote inside`;
      const hint =
        'A cell with a quote stands in quotes, and the quote in it is doubled. If nothing is quoted, say tsv';
      throw new QkvError('data', { where, got, expected: 'cells as RFC 4180 writes them', hint });
    }
    cells.push(match[1]?.replaceAll('""', '"') ?? match[2]!);
    if (match[3] === '') return cells;
    at = CELL.lastIndex;
  }
}

function isOpen(text: string, start: number): boolean {
  for (let at = start + 1; ; at += 2) {
    at = text.indexOf('"', at);
    if (at < 0) return true;
    if (text[at + 1] !== '"') return false;
  }
}

function unclosed(where: string): QkvError {
  return new QkvError('data', { where, got: 'a quote that nothing closes', expected: 'one more quote' });
}

async function* toRecords(rows: AsyncGenerator<Row>, header: boolean): AsyncGenerator<DataRecord> {
  let names: readonly string[] | undefined;
  let first = '';
  for await (const { where, cells } of rows) {
    if (!names) {
      names = header ? cells : cells.map((_, i) => String(i + 1));
      first = where;
      const twice = names.find((name, i) => names!.indexOf(name) !== i);
      if (twice !== undefined) {
        throw new QkvError('data', { where, got: `two columns named ${brief(twice)}`, expected: 'a header' });
      }
      if (header) continue;
    }
    if (cells.length !== names.length) {
      throw new QkvError('data', {
        where,
        got: `${cells.length} column${cells.length === 1 ? '' : 's'} (${brief(cells.join(' | '))})`,
        expected: `${names.length}, as in ${first}`,
      });
    }
    yield { where, fields: Object.fromEntries(names.map((name, i) => [name, cells[i]])) };
  }
}
