import { INK, MUTED } from './colour.ts';
import { type Axis, axisOf, type Curve, type CurvesOptions, checkCurves, heightsOf, tickText } from './curves.ts';
import type { Picture } from './svg.ts';
import { escapeXml, type GlyphSource, px, textElement, textWidth, wrapWords } from './svg-text.ts';

/** Okabe and Ito's colours, told apart with any colour vision, without the yellow that white paper swallows; dashes for grey print. */
const STROKES: readonly (readonly [colour: string, dashes: string])[] = [
  ['#0072b2', ''],
  ['#d55e00', '7 3'],
  ['#009e73', '2 3'],
  ['#a0457e', '9 3 2 3'],
  ['#1f2933', '4 2'],
  ['#b07d00', '12 3'],
  ['#3a8fc2', '5 2 1 2'],
];
const REFERENCE: Stroke = { colour: '#8a949e', dash: ' stroke-dasharray="5 4"' };
const PLOT = { width: 560, height: 320 } as const;
const MARGIN = 24;
const MAX_DOTS = 60;

interface Stroke {
  readonly colour: string;
  readonly dash: string;
}

type Place = (x: number, y: number) => [number, number];

/**
 * Curves on their axes, each named at its end, the range of its measurements a band around it.
 *
 * @throws QkvError `usage` for no curves, one without points, and values that a logarithmic axis cannot show
 */
export function curvesPanel(
  curves: readonly Curve[],
  options: CurvesOptions,
  glyphs: GlyphSource | undefined,
): Picture {
  checkCurves(curves, options);
  const { title, xName, yName, note, logX = false, logY = false, xTicks } = options;
  const xs = curves.flatMap(({ points }) => points.map(({ x }) => x));
  const xAxis = withTicks(axisOf(xs, { log: logX, count: 7 }), xTicks);
  const yAxis = axisOf(curves.flatMap(heightsOf), { log: logY, count: 6, fits: true });
  const left = MARGIN + 24 + Math.max(...yAxis.ticks.map((tick) => textWidth(tickText(tick), 12)));
  const top = MARGIN + 34;
  const at: Place = (x, y) => [left + xAxis.place(x) * PLOT.width, top + (1 - yAxis.place(y)) * PLOT.height];
  const names = Math.max(...curves.map(({ name }) => textWidth(name, 12)));
  const width = Math.ceil(Math.max(left + PLOT.width + 44 + names, MARGIN + textWidth(title, 16)) + MARGIN);
  const notes = note === undefined ? [] : wrapWords(note.split(' '), 11, width - 2 * MARGIN);
  const height = top + PLOT.height + 50 + 15 * notes.length + MARGIN;
  const muted = { size: 12, fill: MUTED } as const;
  const strokes = strokesOf(curves);
  const body = [
    textElement(MARGIN, MARGIN + 6, title, { size: 16, weight: 600 }, glyphs),
    ...grid(xAxis, yAxis, left, top, glyphs),
    textElement(left + PLOT.width / 2, top + PLOT.height + 40, xName, { ...muted, anchor: 'middle' }, glyphs),
    textElement(MARGIN, top + PLOT.height / 2, yName, { ...muted, anchor: 'middle', rotate: -90 }, glyphs),
    ...curves.map((curve, i) => band(curve, at, strokes[i]!)),
    ...curves.map((curve, i) => line(curve, at, strokes[i]!)),
    ...labels(curves, at, left + PLOT.width, top, strokes, glyphs),
    ...notes.map((text, i) =>
      textElement(MARGIN, top + PLOT.height + 66 + 15 * i, text, { size: 11, fill: MUTED }, glyphs),
    ),
  ];
  const ends = curves.map(({ name, points }) => `${name} ends at ${Number(points.at(-1)!.y.toPrecision(4))}`);
  return {
    width,
    height,
    title,
    description: `${yName} over ${xName}: ${ends.join(', ')}.`,
    body: body.filter((part) => part !== '').join('\n'),
  };
}

function withTicks(axis: Axis, ticks: readonly number[] | undefined): Axis {
  return ticks ? { ticks, place: axis.place } : axis;
}

function grid(xAxis: Axis, yAxis: Axis, left: number, top: number, glyphs: GlyphSource | undefined): string[] {
  const style = { size: 12, fill: MUTED } as const;
  const rule = (x1: number, y1: number, x2: number, y2: number, colour: string): string =>
    `<path d="M${px(x1)} ${px(y1)}L${px(x2)} ${px(y2)}" stroke="${colour}" fill="none"/>`;
  const bottom = top + PLOT.height;
  return [
    ...yAxis.ticks.flatMap((tick) => {
      const y = bottom - yAxis.place(tick) * PLOT.height;
      return [
        rule(left, y, left + PLOT.width, y, '#e4e7eb'),
        textElement(left - 8, y, tickText(tick), { ...style, anchor: 'end' }, glyphs),
      ];
    }),
    ...xAxis.ticks.flatMap((tick) => {
      const x = left + xAxis.place(tick) * PLOT.width;
      return [
        rule(x, bottom, x, bottom + 5, MUTED),
        textElement(x, bottom + 17, tickText(tick), { ...style, anchor: 'middle' }, glyphs),
      ];
    }),
    rule(left, bottom, left + PLOT.width, bottom, MUTED),
  ];
}

/** A colour for each curve, and dashes; where there are references, dashes are theirs alone. */
function strokesOf(curves: readonly Curve[]): Stroke[] {
  const hasReference = curves.some(({ isReference }) => isReference);
  let next = 0;
  return curves.map(({ isReference = false }) => {
    if (isReference) return REFERENCE;
    const [colour, dashes] = STROKES[next++ % STROKES.length]!;
    return { colour, dash: dashes === '' || hasReference ? '' : ` stroke-dasharray="${dashes}"` };
  });
}

/** What lies between the least and the largest measurements. */
function band({ points }: Curve, at: Place, { colour }: Stroke): string {
  if (points.every(({ low, high }) => low === undefined && high === undefined)) return '';
  const upper = points.map(({ x, y, high = y }) => at(x, high).map(px).join(' '));
  const lower = points.map(({ x, y, low = y }) => at(x, low).map(px).join(' '));
  return `<path d="M${[...upper, ...lower.reverse()].join('L')}Z" fill="${colour}" fill-opacity="0.16"/>`;
}

function line({ name, points }: Curve, at: Place, { colour, dash }: Stroke): string {
  const places = points.map(({ x, y }) => at(x, y).map(px).join(' '));
  const dots =
    points.length > MAX_DOTS
      ? []
      : points.map(({ x, y }) => {
          const [cx, cy] = at(x, y).map(px);
          return `<circle cx="${cx}" cy="${cy}" r="2" fill="${colour}"/>`;
        });
  const path = `<path d="M${places.join('L')}" stroke="${colour}" stroke-width="1.8" stroke-linejoin="round" fill="none"${dash}/>`;
  return `<g><title>${escapeXml(name)}</title>${path}${dots.join('')}</g>`;
}

/** Names beside the plot at the height of their curves' ends, moved apart where they would touch. */
function labels(
  curves: readonly Curve[],
  at: Place,
  right: number,
  top: number,
  strokes: readonly Stroke[],
  glyphs: GlyphSource | undefined,
): string[] {
  const gap = 16;
  const ends = curves.map(({ name, points }, i) => ({ name, i, y: at(points.at(-1)!.x, points.at(-1)!.y)[1] }));
  ends.sort((a, b) => a.y - b.y);
  for (const [i, end] of ends.entries()) if (i > 0) end.y = Math.max(end.y, ends[i - 1]!.y + gap);
  const over = Math.max(0, ends.at(-1)!.y - (top + PLOT.height));
  for (const end of ends) end.y -= over;
  for (const [i, end] of [...ends.entries()].reverse()) {
    if (i + 1 < ends.length) end.y = Math.min(end.y, ends[i + 1]!.y - gap);
  }
  return ends.map(({ name, i, y }) => {
    const { colour, dash } = strokes[i]!;
    const sample = `<path d="M${px(right + 10)} ${px(y)}h22" stroke="${colour}" stroke-width="1.8" fill="none"${dash}/>`;
    return sample + textElement(right + 38, y, name, { size: 12, fill: INK }, glyphs);
  });
}
