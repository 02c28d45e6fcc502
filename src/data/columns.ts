import { QkvError } from '../base/errors.ts';
import type { Line, LineSource } from './lines.ts';

/**
 * One column of a tab-separated file as lines; the first is 1. No quoting, as in `readPairsTsv`.
 *
 * @throws QkvError `data` for a line without it
 */
export function columnOf(source: LineSource, column: number): LineSource {
  return { file: source.file, [Symbol.asyncIterator]: () => cut(source, column) };
}

async function* cut(source: LineSource, column: number): AsyncGenerator<Line> {
  for await (const line of source) {
    const columns = line.text.split('\t');
    const text = columns[column - 1];
    if (text === undefined) {
      const where = `${line.file}:${line.line}`;
      throw new QkvError('data', { where, got: `${columns.length} columns`, expected: `a column ${column}` });
    }
    yield { ...line, text };
  }
}
