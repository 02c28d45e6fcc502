import { hexColour, MUTED, textColour, weightColour } from './colour.ts';
import type { Picture } from './svg.ts';
import { columnLabels, rowLabels } from './svg-axes.ts';
import { escapeXml, type GlyphSource, px, textElement, textWidth } from './svg-text.ts';

export interface MatrixOptions {
  readonly title: string;
  readonly rowLabel: string;
  readonly columnLabel: string;
  readonly rowNames: readonly string[];
  readonly columnNames: readonly string[];
}

const MARGIN = 24;
/** Side that a panel aims at, px. */
const SIDE = 300;

/** Numbers from 0 on as a heat map with names at both axes; the largest is darkest, cells of 0 are white with a thin frame. */
export function matrixPanel(
  values: readonly (readonly number[])[],
  { title, rowLabel, columnLabel, rowNames, columnNames }: MatrixOptions,
  glyphs: GlyphSource | undefined,
): Picture {
  const most = Math.max(...values.flat());
  const largest = most > 0 ? most : 1;
  const cell = Math.round(Math.min(34, Math.max(10, SIDE / Math.max(rowNames.length, columnNames.length))));
  const left = rowLabels(rowNames, cell, glyphs);
  const above = columnLabels(columnNames, cell, glyphs);
  const x = MARGIN + 20 + left.depth;
  const y = MARGIN + 52 + above.depth;
  const [width, height] = [columnNames.length * cell, rowNames.length * cell];
  const cells = values.flatMap((row, r) =>
    row.map((value, c) => {
      const share = value / largest;
      const [cx, cy] = [x + c * cell, y + r * cell];
      const fill = value === 0 ? '#ffffff' : hexColour(weightColour(share));
      const tooltip = `<title>${escapeXml(`${rowNames[r]} × ${columnNames[c]}: ${Number(value.toPrecision(3))}`)}</title>`;
      const square = `<rect x="${px(cx)}" y="${px(cy)}" width="${cell}" height="${cell}" fill="${fill}" stroke="#e4e7eb">${tooltip}</rect>`;
      const text = shortFigure(value);
      if (cell < 28 || text === '0') return square;
      const style = { size: 10, anchor: 'middle', fill: textColour(share) } as const;
      return square + textElement(cx + cell / 2, cy + cell / 2, text, style, glyphs);
    }),
  );
  const caption = { size: 12, fill: MUTED, anchor: 'middle' } as const;
  const body = [
    textElement(MARGIN, MARGIN + 6, title, { size: 16, weight: 600 }, glyphs),
    textElement(x + width / 2, MARGIN + 36, columnLabel, caption, glyphs),
    textElement(MARGIN, y + height / 2, rowLabel, { ...caption, rotate: -90 }, glyphs),
    above.draw(x, y),
    left.draw(x, y),
    `<g shape-rendering="crispEdges">${cells.join('\n')}</g>`,
  ];
  return {
    width: Math.ceil(Math.max(x + width + above.overhang, MARGIN + textWidth(title, 16)) + MARGIN),
    height: y + height + MARGIN,
    title,
    description: `${title}: ${rowNames.length} rows (${rowLabel}) by ${columnNames.length} columns (${columnLabel}), darker is more; the largest is ${Number(most.toPrecision(3))}.`,
    body: body.join('\n'),
  };
}

/** At most four characters: 12, 1.5, 0.03 */
function shortFigure(value: number): string {
  if (value >= 10) return String(Math.round(value));
  return Number(value.toFixed(value < 1 ? 2 : 1)).toString();
}
