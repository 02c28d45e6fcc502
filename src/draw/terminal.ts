import { QkvError } from '../base/errors.ts';
import {
  type AttentionMap,
  axisNames,
  checkedMaps,
  checkedMax,
  checkOptionNames,
  headName,
  mapName,
  shortWeight,
  visibleToken,
} from './attention-map.ts';
import { ansi256Colour, weightColour } from './colour.ts';
import { characters, columnsOf, cutColumns, fitColumns } from './columns.ts';
import { poolWeights } from './pool.ts';

export interface TerminalOptions {
  /** Columns available. Default 80. */
  readonly width?: number;
  /** `truecolor` (24 bits), `ansi256`, or `none`: block characters. Default `none`. */
  readonly colour?: 'truecolor' | 'ansi256' | 'none';
  /** The weight drawn darkest, in (0, 1]; greater weights look the same. Default: the largest weight drawn. */
  readonly max?: number;
}

const RESET = '\x1b[0m';
const SHADES = [' ', '░', '▒', '▓', '█'] as const;
const MAX_LABEL = 16;
const MAX_KEY_ROWS = 10;
/** Greatest side of a small map in cells; longer sides are averaged down to it. */
const PANEL = { colour: 24, none: 12 } as const;

/**
 * Attention as text, ending in a newline. One map: a heat map with the tokens on both axes, broken into bands of keys
 * where the width asks for it. Several maps: a grid of small maps, layer by layer, on one colour scale.
 * Throws `QkvError` (`usage`) for a width below 30.
 */
export function drawTerminal(maps: AttentionMap | readonly AttentionMap[], options: TerminalOptions = {}): string {
  checkOptionNames('drawTerminal', options, ['width', 'colour', 'max']);
  const list = checkedMaps(maps);
  const width = options.width ?? 80;
  if (!Number.isInteger(width) || width < 30) {
    throw new QkvError('usage', {
      where: 'drawTerminal: width',
      got: String(width),
      expected: 'an integer of at least 30',
    });
  }
  const colour = options.colour ?? 'none';
  if (!['truecolor', 'ansi256', 'none'].includes(colour)) {
    throw new QkvError('usage', { where: 'drawTerminal: colour', got: colour, expected: 'truecolor, ansi256 or none' });
  }
  const pen = { colour, width };
  const lines = list.length === 1 ? single(list[0]!, pen, options.max) : grid(list, pen, options.max);
  return `${lines.map((line) => line.trimEnd()).join('\n')}\n`;
}

interface Pen {
  readonly colour: 'truecolor' | 'ansi256' | 'none';
  readonly width: number;
}

function single(map: AttentionMap, pen: Pen, givenMax: number | undefined): string[] {
  const max = checkedMax('drawTerminal', [map], givenMax);
  const queries = map.queryTokens.map(visibleToken);
  const keys = map.keyTokens.map(visibleToken);
  const label = Math.min(MAX_LABEL, Math.floor(pen.width / 3), Math.max(...queries.map(columnsOf)));
  const perBand = Math.floor((pen.width - label - 1) / 2);
  const lines = [cutColumns(visibleToken(map.title), pen.width), cutColumns(mapName(map), pen.width), ''];
  for (let start = 0; start < keys.length; start += perBand) {
    const band = keys.slice(start, start + perBand);
    if (keys.length > perBand) lines.push(`keys ${start + 1} to ${start + band.length} of ${keys.length}`);
    for (const row of stackedLabels(band)) lines.push(`${' '.repeat(label + 1)}${row}`);
    for (const [t, query] of queries.entries()) {
      const from = t * keys.length + start;
      const levels = Array.from(map.weights.subarray(from, from + band.length), (weight) => weight / max);
      lines.push(`${fitColumns(query, label, 'right')} ${cells(levels, pen)}`);
    }
    lines.push('');
  }
  const { query, key } = axisNames(map.kind);
  return [...lines, legend(max, [map], pen), cutColumns(`rows: ${query}, columns: ${key}`, pen.width)];
}

/** Keys written downwards, one character in each two-column cell, ending just above their column. */
function stackedLabels(keys: readonly string[]): string[] {
  const stacks = keys.map((key) => {
    const all = characters(key);
    return all.length <= MAX_KEY_ROWS ? all : [...all.slice(0, MAX_KEY_ROWS - 1), '…'];
  });
  const height = Math.max(...stacks.map((stack) => stack.length));
  return Array.from({ length: height }, (_, row) =>
    stacks.map((stack) => fitColumns(stack[row - (height - stack.length)] ?? '', 2, 'left')).join(''),
  );
}

/** A row of two-column cells; a run of one colour shares one escape. */
function cells(levels: readonly number[], pen: Pen): string {
  if (pen.colour === 'none') return levels.map((level) => shade(level).repeat(2)).join('');
  let [out, last] = ['', ''];
  for (const level of levels) {
    const code = `\x1b[48;${colourCode(level, pen)}m`;
    out += code === last ? '  ' : `${code}  `;
    last = code;
  }
  return out + RESET;
}

function shade(level: number): string {
  return SHADES[Math.round(Math.min(1, level) * (SHADES.length - 1))]!;
}

function colourCode(level: number, pen: Pen): string {
  return pen.colour === 'truecolor' ? `2;${weightColour(level).join(';')}` : `5;${ansi256Colour(level)}`;
}

function legend(max: number, maps: readonly AttentionMap[], pen: Pen): string {
  const steps = pen.colour === 'none' ? SHADES.length : Math.min(14, Math.floor((pen.width - 18) / 2));
  const levels = Array.from({ length: steps }, (_, i) => i / (steps - 1));
  const cut = maps.some((map) => map.weights.some((weight) => weight > max));
  return `weight 0 ${cells(levels, pen)} ${cut ? '≥ ' : ''}${shortWeight(max)}`;
}

function grid(maps: readonly AttentionMap[], pen: Pen, givenMax: number | undefined): string[] {
  const cellColumns = pen.colour === 'none' ? 2 : 1;
  const side = Math.min(PANEL[pen.colour === 'none' ? 'none' : 'colour'], Math.floor(pen.width / cellColumns));
  const pooled = maps.map((map) => poolWeights(map, side));
  // The scale is that of what is drawn: averaging lowers the peaks.
  const max = checkedMax('drawTerminal', pooled, givenMax);
  const lines: string[] = [];
  let last = '';
  for (const members of Map.groupBy(pooled, (map) => JSON.stringify([map.title, map.kind, map.layer])).values()) {
    const [first] = members as [AttentionMap, ...AttentionMap[]];
    const heading = [
      visibleToken(first.title),
      `rows: ${first.queryTokens.map(visibleToken).join(' ')}`,
      `columns: ${first.keyTokens.map(visibleToken).join(' ')}`,
    ].map((line) => cutColumns(line, pen.width));
    if (heading.join('\n') !== last) lines.push(...heading, '');
    last = heading.join('\n');
    lines.push(`${first.kind} · layer ${first.layer}`);
    lines.push(
      ...flow(
        members.map((map) => panel(map, max, pen)),
        pen.width,
      ),
    );
  }
  lines.push(legend(max, pooled, pen));
  if (pooled.some((map, i) => map !== maps[i])) lines.push(`longer maps are averaged down to ${side} × ${side} cells`);
  return lines;
}

interface Panel {
  readonly columns: number;
  readonly lines: readonly string[];
}

function panel(map: AttentionMap, max: number, pen: Pen): Panel {
  const [rows, keys] = [map.queryTokens.length, map.keyTokens.length];
  const level = (t: number, s: number): number => map.weights[t * keys + s]! / max;
  const name = map.head === 'mean' ? 'mean' : headName(map.head);
  const columns = Math.max(name.length, pen.colour === 'none' ? 2 * keys : keys);
  const lines = [fitColumns(name, columns, 'left')];
  const pad = ' '.repeat(columns - (pen.colour === 'none' ? 2 * keys : keys));
  if (pen.colour === 'none') {
    for (let t = 0; t < rows; t++)
      lines.push(
        cells(
          Array.from({ length: keys }, (_, s) => level(t, s)),
          pen,
        ) + pad,
      );
    return { columns, lines };
  }
  // A half block holds two rows in one line: the upper is its foreground, the lower its background.
  for (let t = 0; t < rows; t += 2) {
    let line = '';
    for (let s = 0; s < keys; s++) {
      const lower = t + 1 < rows ? `;48;${colourCode(level(t + 1, s), pen)}` : '';
      line += `\x1b[38;${colourCode(level(t, s), pen)}${lower}m▀`;
    }
    lines.push(line + RESET + pad);
  }
  return { columns, lines };
}

/** Panels side by side, as many as fit, an empty line after each row of them. */
function flow(panels: readonly Panel[], width: number): string[] {
  const out: string[] = [];
  let row: Panel[] = [];
  let used = 0;
  const flush = (): void => {
    const height = Math.max(...row.map((p) => p.lines.length));
    for (let i = 0; i < height; i++) out.push(row.map((p) => p.lines[i] ?? ' '.repeat(p.columns)).join('  '));
    out.push('');
  };
  for (const next of panels) {
    if (row.length > 0 && used + next.columns > width) {
      flush();
      row = [];
      used = 0;
    }
    row.push(next);
    used += next.columns + 2;
  }
  if (row.length > 0) flush();
  return out;
}
