import { columnsOf, fitColumns } from '../../src/draw/columns.ts';

/** Rows of cells in columns as wide as their longest, the first row a heading; numbers to the right, words to the left. */
export function table(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = heading.map((title, i) => Math.max(columnsOf(title), ...rows.map((row) => columnsOf(row[i] ?? ''))));
  const isNumber = heading.map((_, i) => rows.every((row) => /^[-−+]?[\d.,–e-]*%?$/.test(row[i] ?? '')));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => fitColumns(cell, widths[i]!, isNumber[i] ? 'right' : 'left'))
      .join('  ')
      .trimEnd();
  return `${[heading, ...rows].map(line).join('\n')}\n`;
}

/** A number in a table: four digits after the point, or in powers of ten where these would all be zeros. */
export function numberText(value: number): string {
  if (value === 0) return '0';
  return Math.abs(value) >= 5e-5 && Math.abs(value) < 1e6 ? value.toFixed(4) : value.toExponential(2);
}
