import { QkvError } from '../base/errors.ts';
import type { Line, LineSource } from './lines.ts';

/** A sentence and its translation, and where it came from. */
export interface TextPair {
  readonly source: string;
  readonly target: string;
  readonly file: string;
  readonly line: number;
}

/** What a column of a tab-separated file holds. */
export type PairColumn = 'source' | 'target' | 'ignore';

/**
 * Pairs of a tab-separated file. `columns` names every column from the left, e.g. `['source', 'target']`, or
 * `['target', 'source', 'ignore']` for a third column (an attribution, say) that is not used.
 * No quoting: a tab always separates. A line with another number of columns or with an empty side is an error.
 */
export async function* readPairsTsv(
  source: LineSource,
  columns: readonly PairColumn[] = ['source', 'target'],
): AsyncGenerator<TextPair> {
  const sourceAt = onlyColumn(columns, 'source');
  const targetAt = onlyColumn(columns, 'target');
  for await (const line of source) {
    const cells = line.text.split('\t');
    if (cells.length !== columns.length) {
      throw new QkvError('data', {
        where: `${line.file}:${line.line}`,
        got: `${cells.length} column${cells.length === 1 ? '' : 's'} (${quote(line.text)})`,
        expected: `${columns.length} separated by tabs: ${columns.join(', ')}`,
      });
    }
    yield {
      source: filled(cells[sourceAt]!, 'source', line),
      target: filled(cells[targetAt]!, 'target', line),
      file: line.file,
      line: line.line,
    };
  }
}

/** Pairs of two files of equally many lines: line n of `target` translates line n of `source`. */
export async function* readParallel(source: LineSource, target: LineSource): AsyncGenerator<TextPair> {
  const sources = source[Symbol.asyncIterator]();
  const targets = target[Symbol.asyncIterator]();
  try {
    for (let count = 0; ; count++) {
      const [a, b] = await Promise.all([sources.next(), targets.next()]);
      if (a.done && b.done) return;
      if (a.done) throw endsEarly(source.file, count, b.value!);
      if (b.done) throw endsEarly(target.file, count, a.value);
      yield {
        source: filled(a.value.text, 'source', a.value),
        target: filled(b.value.text, 'target', b.value),
        file: a.value.file,
        line: a.value.line,
      };
    }
  } finally {
    await Promise.all([sources.return?.(), targets.return?.()]);
  }
}

function endsEarly(file: string, count: number, other: Line): QkvError {
  return new QkvError('data', {
    where: file,
    got: `${count} line${count === 1 ? '' : 's'}`,
    expected: `as many as ${other.file}, which has a line ${other.line} (${quote(other.text)})`,
    hint: 'Line n of one file must translate line n of the other',
  });
}

function onlyColumn(columns: readonly PairColumn[], name: 'source' | 'target'): number {
  const at = columns.indexOf(name);
  if (at < 0 || columns.indexOf(name, at + 1) >= 0) {
    throw new QkvError('data', {
      where: 'columns',
      got: `[${columns.join(', ')}]`,
      expected: 'source once, target once, ignore any number of times',
    });
  }
  return at;
}

function filled(text: string, side: string, line: Line): string {
  if (text.trim() !== '') return text;
  throw new QkvError('data', {
    where: `${line.file}:${line.line}`,
    got: `an empty ${side} side`,
    expected: 'a sentence on both sides',
    hint: 'Remove the line',
  });
}

function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
