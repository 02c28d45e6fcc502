import { INK, MUTED } from './colour.ts';
import { type Axis, axisOf, type Curve, type CurvesOptions, checkCurves, tickText } from './curves.ts';
import { escapeXml, FONT_FAMILY, type GlyphSource, px, textElement, textWidth, wrapWords } from './svg-text.ts';

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
const PLOT = { width: 560, height: 320 } as const;
const MARGIN = 24;
const MAX_DOTS = 60;

/**
 * Curves as one self-contained SVG document on a white ground, each named at its end; `glyphs` as in `drawSvg`.
 *
 * @throws QkvError `usage` for no curves, one without points, and values that a logarithmic axis cannot show
 */
export function drawCurvesSvg(curves: readonly Curve[], options: CurvesOptions, glyphs?: GlyphSource): string {
  checkCurves(curves, options);
  const { title, xName, yName, note, logX = false, logY = false } = options;
  const all = curves.flatMap(({ points }) => points);
  const xAxis = axisOf(
    all.map(({ x }) => x),
    { log: logX, count: 7 },
  );
  const yAxis = axisOf(
    all.map(({ y }) => y),
    { log: logY, count: 6, fits: true },
  );
  const left = MARGIN + 24 + Math.max(...yAxis.ticks.map((tick) => textWidth(tickText(tick), 12)));
  const top = MARGIN + 34;
  const at = (x: number, y: number): [number, number] => [
    left + xAxis.place(x) * PLOT.width,
    top + (1 - yAxis.place(y)) * PLOT.height,
  ];
  const names = Math.max(...curves.map(({ name }) => textWidth(name, 12)));
  const width = Math.ceil(left + PLOT.width + 44 + names + MARGIN);
  const notes = note === undefined ? [] : wrapWords(note.split(' '), 11, width - 2 * MARGIN);
  const height = top + PLOT.height + 50 + 15 * notes.length + MARGIN;
  const muted = { size: 12, fill: MUTED } as const;
  const body = [
    textElement(MARGIN, MARGIN + 6, title, { size: 16, weight: 600 }, glyphs),
    ...grid(xAxis, yAxis, left, top, glyphs),
    textElement(left + PLOT.width / 2, top + PLOT.height + 40, xName, { ...muted, anchor: 'middle' }, glyphs),
    textElement(MARGIN, top + PLOT.height / 2, yName, { ...muted, anchor: 'middle', rotate: -90 }, glyphs),
    ...curves.map((curve, i) => line(curve, at, i)),
    ...labels(curves, at, left + PLOT.width, top, glyphs),
    ...notes.map((text, i) =>
      textElement(MARGIN, top + PLOT.height + 66 + 15 * i, text, { size: 11, fill: MUTED }, glyphs),
    ),
  ];
  const text = curves.map(({ name, points }) => `${name} ends at ${points.at(-1)!.y.toFixed(3)}`).join(', ');
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="curves-title curves-desc" font-family="${escapeXml(FONT_FAMILY)}">`,
    `<title id="curves-title">${escapeXml(title)}</title>`,
    `<desc id="curves-desc">${escapeXml(`${yName} over ${xName}: ${text}.`)}</desc>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    ...body,
    '</svg>\n',
  ].join('\n');
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

function strokeOf(i: number): { readonly colour: string; readonly dash: string } {
  const [colour, dashes] = STROKES[i % STROKES.length]!;
  return { colour, dash: dashes === '' ? '' : ` stroke-dasharray="${dashes}"` };
}

function line({ name, points }: Curve, at: (x: number, y: number) => [number, number], i: number): string {
  const { colour, dash } = strokeOf(i);
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
  at: (x: number, y: number) => [number, number],
  right: number,
  top: number,
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
    const { colour, dash } = strokeOf(i);
    const sample = `<path d="M${px(right + 10)} ${px(y)}h22" stroke="${colour}" stroke-width="1.8" fill="none"${dash}/>`;
    return sample + textElement(right + 38, y, name, { size: 12, fill: INK }, glyphs);
  });
}
