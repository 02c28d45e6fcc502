import { visibleToken } from './attention-map.ts';
import { cutText, type GlyphSource, textElement, textWidth } from './svg-text.ts';

/** Longest label, in ems. */
const MAX_EMS = 12;
const GAP = 6;

/** Token labels of one axis, laid out for cells of a given side. */
export interface AxisLabels {
  /** Room that the labels take beside the cells, px, with the gap. */
  readonly depth: number;
  /** How far the last slanted label leans past the last cell, px. */
  readonly overhang: number;
  /** The labels for cells that begin at (x, y), the upper left corner of the first. */
  draw(x: number, y: number): string;
}

export function labelSize(cell: number): number {
  return Math.min(13, Math.max(8, cell * 0.86));
}

/** Query tokens, right-aligned at the left of their rows. */
export function rowLabels(tokens: readonly string[], cell: number, glyphs: GlyphSource | undefined): AxisLabels {
  const size = labelSize(cell);
  const labels = tokens.map((token) => label(token, size));
  return {
    depth: GAP + Math.max(...labels.map(({ width }) => width)),
    overhang: 0,
    draw: (x, y) =>
      labels
        .map(({ text, tooltip }, t) =>
          textElement(x - GAP, y + (t + 0.5) * cell, text, { size, anchor: 'end' }, glyphs, tooltip),
        )
        .join('\n'),
  };
}

/**
 * Key tokens above their columns: upright where all fit in a cell (as single Han characters do), else slanted, and
 * where slanted ones would touch, turned a quarter.
 */
export function columnLabels(tokens: readonly string[], cell: number, glyphs: GlyphSource | undefined): AxisLabels {
  const size = labelSize(cell);
  const labels = tokens.map((token) => label(token, size));
  const longest = Math.max(...labels.map(({ width }) => width));
  // Lines that slant by 45° are cell · sin 45° apart.
  const angle = longest <= cell - 1 ? 0 : cell * Math.SQRT1_2 >= size * 1.1 ? -45 : -90;
  const [sine, cosine] = [Math.sin((-angle * Math.PI) / 180), Math.cos((angle * Math.PI) / 180)];
  const anchor = angle === 0 ? 'middle' : 'start';
  const last = labels.at(-1)?.width ?? 0;
  return {
    depth: angle === 0 ? GAP + size : GAP + longest * sine + (size / 2) * cosine,
    overhang: angle === -45 ? Math.max(0, last * cosine + size / 2 - cell / 2) : 0,
    draw: (x, y) =>
      labels
        .map(({ text, tooltip }, s) => {
          const at = [x + (s + 0.5) * cell, y - GAP - (angle === 0 ? size / 2 : 0)] as const;
          return textElement(at[0], at[1], text, { size, anchor, rotate: angle }, glyphs, tooltip);
        })
        .join('\n'),
  };
}

interface Label {
  readonly text: string;
  readonly width: number;
  /** The whole token where the label is cut. */
  readonly tooltip: string | undefined;
}

function label(token: string, size: number): Label {
  const whole = visibleToken(token);
  const text = cutText(whole, size, MAX_EMS * size);
  return { text, width: textWidth(text, size), tooltip: text === whole ? undefined : whole };
}
