import { visibleToken } from '../../../../../src/draw/attention-map.ts';
import { hexColour, INK, kindColour, MUTED } from '../../../../../src/draw/colour.ts';
import { escapeXml, FONT_FAMILY, px, textElement, textWidth } from '../../../../../src/draw/svg-text.ts';
import type { Shown } from './shown.ts';
import { strongLinks } from './strongLinks.ts';

const ROW = 22;
const MARGIN = 20;
const SPAN = 280;
const HEAD = 56;

/** The lines of the heads as one SVG document on white; of one query alone where there is one. */
export function linesSvg(shown: Shown, heads: readonly number[], query: number | null, threshold: number): string {
  const { queries, keys, place, side } = shown;
  const widest = (pieces: Shown['keys']): number =>
    pieces.reduce((most, { text }) => Math.max(most, textWidth(visibleToken(text), 13)), 20);
  const left = MARGIN + widest(queries) + 8;
  const right = left + SPAN;
  const width = Math.ceil(right + 8 + widest(keys) + MARGIN);
  const height = HEAD + Math.max(queries.length, keys.length) * ROW + MARGIN;
  const y = (row: number): number => HEAD + (row + 0.5) * ROW;
  const title = `${side.card.name}: ${place.kind} · layer ${place.layer} · ${heads.length === 1 ? 'head' : 'heads'} ${heads.join(', ')}`;
  const lines = heads.flatMap((head) => {
    const links = strongLinks(shown.weights(head), keys.length);
    const colour = hexColour(kindColour(head));
    return Array.from(links.weights, (weight, i) => {
      const [from, to] = [links.queries[i]!, links.keys[i]!];
      if (weight < threshold || (query !== null && from !== query)) return '';
      const bend = SPAN * 0.4;
      const path = `M${px(left)} ${px(y(from))}C${px(left + bend)} ${px(y(from))} ${px(right - bend)} ${px(y(to))} ${px(right)} ${px(y(to))}`;
      const opacity = (0.06 + 0.84 * weight) / (query === null ? Math.sqrt(heads.length) : 1);
      return `<path d="${path}" stroke="${colour}" stroke-opacity="${px(opacity)}" stroke-width="${px(0.75 + 2 * weight)}"/>`;
    });
  });
  const words = [
    ...queries.map(({ text }, row) => word(left - 8, y(row), text, 'end')),
    ...keys.map(({ text }, row) => word(right + 8, y(row), text, 'start')),
  ];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" font-family="${escapeXml(FONT_FAMILY)}">`,
    `<title>${escapeXml(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    textElement(MARGIN, 20, title, { size: 14, weight: 600 }, undefined),
    textElement(left - 8, 42, 'query', { size: 11, anchor: 'end', fill: MUTED }, undefined),
    textElement(right + 8, 42, 'key', { size: 11, fill: MUTED }, undefined),
    `<g fill="none">${lines.filter((line) => line !== '').join('\n')}</g>`,
    ...words,
    '</svg>\n',
  ].join('\n');
}

function word(x: number, y: number, text: string, anchor: 'start' | 'end'): string {
  return textElement(x, y, visibleToken(text), { size: 13, anchor, fill: INK }, undefined);
}
