import { QkvError } from '../base/errors.ts';
import { columnsOf, fitColumns } from './columns.ts';
import { axisOf, type Curve, type CurvesOptions, checkCurves, tickText } from './curves.ts';

const HEIGHT = 18;
const MARKS = 'abcdefghijklmnopqrstuvwxyz';

/**
 * Curves as text of `width` columns, each drawn with a letter, and below them their names and last values.
 *
 * @throws QkvError `usage` as `drawCurvesSvg`, and for a width below 30
 */
export function drawCurvesTerminal(curves: readonly Curve[], options: CurvesOptions, width = 80): string {
  checkCurves(curves, options);
  if (!Number.isInteger(width) || width < 30) {
    throw new QkvError('usage', { where: 'width', got: String(width), expected: 'a whole number from 30' });
  }
  const { title, xName, yName, note, logX = false, logY = false } = options;
  const all = curves.flatMap(({ points }) => points);
  const yAxis = axisOf(
    all.map(({ y }) => y),
    { log: logY, count: 6, fits: true },
  );
  const xAxis = axisOf(
    all.map(({ x }) => x),
    { log: logX, count: Math.max(2, Math.floor(width / 16)) },
  );
  const margin = Math.max(...yAxis.ticks.map((tick) => tickText(tick).length));
  const columns = width - margin - 2;
  const cells = Array.from({ length: HEIGHT }, () => new Array<string>(columns).fill(' '));
  const column = (x: number): number => Math.round(xAxis.place(x) * (columns - 1));
  const row = (y: number): number => Math.round((1 - yAxis.place(y)) * (HEIGHT - 1));
  for (const [i, { points }] of curves.entries()) {
    const mark = MARKS[i % MARKS.length]!;
    for (const [p, point] of points.entries()) {
      const before = points[Math.max(0, p - 1)]!;
      const [from, to] = [column(before.x), column(point.x)];
      for (let c = from; c <= to; c++) {
        const share = from === to ? 1 : (c - from) / (to - from);
        const height = row(before.y) + share * (row(point.y) - row(before.y));
        cells[Math.round(height)]![c] = mark;
      }
    }
  }
  const ticks = new Map(yAxis.ticks.map((tick) => [row(tick), tickText(tick)]));
  const plot = cells.map((line, r) => `${(ticks.get(r) ?? '').padStart(margin)} │${line.join('')}`.trimEnd());
  const below = new Array<string>(columns).fill(' ');
  let free = 0;
  for (const tick of xAxis.ticks) {
    const text = tickText(tick);
    const start = Math.min(columns - text.length, Math.max(0, column(tick) - Math.floor(text.length / 2)));
    if (start < free) continue;
    for (const [i, character] of [...text].entries()) below[start + i] = character;
    free = start + text.length + 1;
  }
  const longest = Math.max(...curves.map(({ name }) => columnsOf(name)));
  return [
    title,
    `${yName} over ${xName}`,
    ...plot,
    `${' '.repeat(margin)} └${'─'.repeat(columns)}`,
    `${' '.repeat(margin + 2)}${below.join('').trimEnd()}`,
    ...curves.map(({ name, points }, i) => {
      const { x, y } = points.at(-1)!;
      return `  ${MARKS[i % MARKS.length]} ${fitColumns(name, longest, 'left')}  ${y.toFixed(4)} at ${tickText(x)}`;
    }),
    ...(note === undefined ? [] : [note]),
    '',
  ].join('\n');
}
