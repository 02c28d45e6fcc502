import { INK } from './colour.ts';
import { characters, columnsOf } from './columns.ts';

export interface TextStyle {
  /** Font size, px. */
  readonly size: number;
  readonly weight?: 400 | 600;
  readonly fill?: string;
  readonly anchor?: 'start' | 'middle' | 'end';
  /** Degrees, clockwise, about the anchor point. */
  readonly rotate?: number;
}

/** Outlines of text, for machines without fonts. */
export interface GlyphSource {
  /** SVG path data (y down, baseline at 0) and advance, both in thousandths of the font size. */
  outline(text: string, weight: 400 | 600): { readonly path: string; readonly advance: number };
}

/**
 * Each platform's fonts; viewers pick the first they have, character by character. Latin fonts stand first because
 * Chinese ones set Latin quotes and dots an em wide. Then Noto and Source Han (Linux, Android), PingFang (Apple),
 * YaHei and JhengHei (Windows).
 */
export const FONT_FAMILY: string = [
  'Source Sans 3',
  'Segoe UI',
  'Helvetica Neue',
  'Arial',
  'Liberation Sans',
  'Noto Sans SC',
  'Noto Sans CJK SC',
  'Source Han Sans SC',
  'PingFang SC',
  'Microsoft YaHei',
  'Noto Sans TC',
  'PingFang TC',
  'Microsoft JhengHei',
  'WenQuanYi Micro Hei',
]
  .map((name) => `'${name}'`)
  .concat('sans-serif')
  .join(', ');

export function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

/** A length in px with at most two decimals. */
export function px(value: number): string {
  return String(Math.round(value * 100) / 100);
}

/**
 * One line of text whose vertical middle is at `y`: a `<text>`, or with `glyphs` the outlines of the same text.
 * `tooltip` is what a viewer shows on hovering.
 */
export function textElement(
  x: number,
  y: number,
  text: string,
  style: TextStyle,
  glyphs: GlyphSource | undefined,
  tooltip?: string,
): string {
  const weight = style.weight ?? 400;
  const fill = style.fill ?? INK;
  const anchor = style.anchor ?? 'start';
  const title = tooltip === undefined ? '' : `<title>${escapeXml(tooltip)}</title>`;
  // Half the cap height of the usual sans-serif below the middle: the baseline that centres capitals and Han alike.
  const baseline = 0.35 * style.size;
  const place = `translate(${px(x)} ${px(y)})${style.rotate ? ` rotate(${style.rotate})` : ''}`;
  if (glyphs === undefined) {
    const bold = weight === 400 ? '' : ` font-weight="${weight}"`;
    const align = anchor === 'start' ? '' : ` text-anchor="${anchor}"`;
    const attributes = `transform="${place}" y="${px(baseline)}" font-size="${px(style.size)}" fill="${fill}"${bold}${align}`;
    return `<text ${attributes}>${title}${escapeXml(text)}</text>`;
  }
  const { path, advance } = glyphs.outline(text, weight);
  const shift = anchor === 'start' ? 0 : anchor === 'middle' ? -advance / 2 : -advance;
  const scale = style.size / 1000;
  const transform = `${place} translate(${px(shift * scale)} ${px(baseline)}) scale(${scale})`;
  return `<path transform="${transform}" fill="${fill}" d="${path}">${title}</path>`;
}

/**
 * An upper estimate of the text's width in px, the same for every font of `FONT_FAMILY`, so that the layout does not
 * depend on which one a viewer has. Han is one em; Latin by the classes of a wide sans-serif.
 */
export function textWidth(text: string, size: number): number {
  let ems = 0;
  for (const character of characters(text)) ems += characterWidth(character);
  return ems * size;
}

function characterWidth(character: string): number {
  const columns = columnsOf(character);
  if (columns !== 1) return columns / 2;
  if (/^[ijlI.,:;'|!`()[\]ft·-]/.test(character)) return 0.34;
  if (/^[mwMW@%]/.test(character)) return 0.9;
  if (/^[A-Z]/.test(character)) return 0.68;
  return 0.56;
}

/** The text cut with `…` to at most `width` px. */
export function cutText(text: string, size: number, width: number): string {
  if (textWidth(text, size) <= width) return text;
  const all = characters(text);
  while (all.length > 0 && textWidth(`${all.join('')}…`, size) > width) all.pop();
  return `${all.join('')}…`;
}

/** Words set in lines of at most `width` px. */
export function wrapWords(words: readonly string[], size: number, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of words) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (line !== '' && textWidth(longer, size) > width) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line];
}
