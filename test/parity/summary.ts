import { type Kind, kinds, type Measure } from './measure.ts';

interface Row {
  readonly title: string;
  readonly cells: Map<Kind | 'ops', { difference: number; count: number; isFault: boolean }>;
  readonly note: string;
}

/** The largest difference of each kind in each case: collected while the tests run, printed at their end. */
export class Summary {
  readonly #rows = new Map<string, Row>();

  record(title: string, measures: readonly Measure[]): void {
    const row = this.#row(title);
    for (const { kind, difference, limit } of measures) {
      const cell = row.cells.get(kind) ?? { difference: 0, count: 0, isFault: false };
      row.cells.set(kind, {
        difference: Math.max(cell.difference, difference),
        count: cell.count + 1,
        isFault: cell.isFault || !(difference <= limit),
      });
    }
  }

  note(title: string, note: string): void {
    this.#rows.set(title, { title, cells: new Map(), note });
  }

  #row(title: string): Row {
    let row = this.#rows.get(title);
    if (!row) this.#rows.set(title, (row = { title, cells: new Map(), note: '' }));
    return row;
  }

  toString(): string {
    const rows = [...this.#rows.values()].sort(
      (a, b) => Number(a.note !== '') - Number(b.note !== '') || (a.title < b.title ? -1 : 1),
    );
    const width = Math.max(4, ...rows.map(({ title }) => title.length)) + 2;
    const line = (title: string, cells: readonly string[]): string =>
      `${title.padEnd(width)}${cells.map((cell) => cell.padEnd(17)).join('')}`.trimEnd();
    const body = rows.map(({ title, cells, note }) => {
      if (note !== '') return `${title.padEnd(width)}${note}`;
      const ops = cells.get('ops');
      if (ops) return `${title.padEnd(width)}${cellText(ops)} over outputs and gradients`;
      return line(
        title,
        kinds.map((kind) => cellText(cells.get(kind))),
      );
    });
    return [
      'largest differences (number of tensors, values or sequences compared; ! beyond the limit; - none in the case)',
      line('case', kinds),
      ...body,
    ].join('\n');
  }
}

function cellText(cell: { difference: number; count: number; isFault: boolean } | undefined): string {
  if (!cell) return '-';
  const size = cell.difference === 0 ? '0' : cell.difference.toExponential(1);
  return `${cell.isFault ? '!' : ''}${size} (${cell.count})`;
}
