import { type AttentionMap, mapName, shortWeight, visibleToken } from './attention-map.ts';
import { hexColour, MUTED, textColour, weightColour } from './colour.ts';
import type { Brush } from './svg.ts';
import { escapeXml, px, textElement } from './svg-text.ts';

const FRAME = '#d3dae2';
/** Colour steps where cells of one colour share a path. */
const LEVELS = 255;

/** The cells of a map with its upper left corner at (x, y), framed; side `cell` px, the weight written where it fits. */
export function mapCells(map: AttentionMap, x: number, y: number, cell: number, brush: Brush): string {
  const [rows, keys] = [map.queryTokens.length, map.keyTokens.length];
  const frame = `<rect x="${px(x - 0.5)}" y="${px(y - 0.5)}" width="${px(keys * cell + 1)}" height="${px(rows * cell + 1)}" fill="none" stroke="${FRAME}"/>`;
  const body = brush.tooltips === 'cell' ? titledCells(map, x, y, cell, brush) : plainCells(map, x, y, cell, brush);
  return `${body}${frame}${cell >= 30 ? numbers(map, x, y, cell, brush) : ''}`;
}

/** One `<rect>` a cell, with its weight in a tooltip. */
function titledCells(map: AttentionMap, x: number, y: number, cell: number, brush: Brush): string {
  const keys = map.keyTokens.map((token) => escapeXml(visibleToken(token)));
  const side = px(sideOf(cell));
  const rects = map.queryTokens.flatMap((token, t) => {
    const query = escapeXml(visibleToken(token));
    return keys.map((key, s) => {
      const weight = map.weights[t * keys.length + s]!;
      const fill = hexColour(weightColour(weight / brush.max));
      const at = `x="${px(x + s * cell)}" y="${px(y + t * cell)}" width="${side}" height="${side}"`;
      return `<rect ${at} fill="${fill}"><title>${query} → ${key}: ${exactWeight(weight)}</title></rect>`;
    });
  });
  return `<g shape-rendering="crispEdges">${rects.join('\n')}</g>`;
}

/** One `<path>` a colour. */
function plainCells(map: AttentionMap, x: number, y: number, cell: number, brush: Brush): string {
  const keys = map.keyTokens.length;
  const side = px(sideOf(cell));
  const squares = new Map<number, string>();
  for (const [i, weight] of map.weights.entries()) {
    const level = Math.round(LEVELS * Math.min(1, weight / brush.max));
    const at = `M${px(x + (i % keys) * cell)} ${px(y + Math.floor(i / keys) * cell)}`;
    squares.set(level, `${squares.get(level) ?? ''}${at}h${side}v${side}h-${side}z`);
  }
  const paths = Array.from(
    squares,
    ([level, d]) => `<path fill="${hexColour(weightColour(level / LEVELS))}" d="${d}"/>`,
  );
  const title = `${mapName(map)}, largest weight ${shortWeight(largest(map).weight)}`;
  return `<g shape-rendering="crispEdges"><title>${escapeXml(title)}</title>${paths.join('\n')}</g>`;
}

function numbers(map: AttentionMap, x: number, y: number, cell: number, brush: Brush): string {
  const keys = map.keyTokens.length;
  const texts = Array.from(map.weights, (weight, i) => {
    // Below half a hundredth the number says no more than the colour.
    if (weight < 0.005) return '';
    const fill = textColour(weight / brush.max);
    const [cx, cy] = [x + ((i % keys) + 0.5) * cell - 0.5, y + (Math.floor(i / keys) + 0.5) * cell - 0.5];
    const text = weight.toFixed(2).replace(/^0/, '');
    return textElement(cx, cy, text, { size: Math.min(12, cell * 0.32), anchor: 'middle', fill }, brush.glyphs);
  });
  return `<g pointer-events="none">${texts.join('')}</g>`;
}

/** Cells that are large enough are parted by a white line. */
function sideOf(cell: number): number {
  return cell >= 16 ? cell - 1 : cell;
}

/** The shortest decimal that names this float32 among its neighbours: 9 digits always do, mostly fewer. */
export function exactWeight(weight: number): string {
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(weight.toPrecision(digits));
    if (Math.fround(short) === weight) return String(short);
  }
  return String(Number(weight.toPrecision(9)));
}

export function largest(map: AttentionMap): { readonly weight: number; readonly query: string; readonly key: string } {
  let best = 0;
  for (const [i, weight] of map.weights.entries()) if (weight > map.weights[best]!) best = i;
  const keys = map.keyTokens.length;
  const [query, key] = [map.queryTokens[Math.floor(best / keys)]!, map.keyTokens[best % keys]!];
  return { weight: map.weights[best]!, query: visibleToken(query), key: visibleToken(key) };
}

export const LEGEND_WIDTH = 56;

/** The colour scale, upright: 0 at its foot, `max` at its head. */
export function legend(maps: readonly AttentionMap[], x: number, y: number, height: number, brush: Brush): string {
  const steps = 32;
  const stops = Array.from({ length: steps + 1 }, (_, i) => {
    return `<stop offset="${px(i / steps)}" stop-color="${hexColour(weightColour(i / steps))}"/>`;
  });
  const id = `${brush.id}-scale`;
  const isCut = maps.some((map) => map.weights.some((weight) => weight > brush.max));
  const ticks = [0, 0.5, 1].map((t) => {
    const text = `${t === 1 && isCut ? '≥ ' : ''}${shortWeight(t * brush.max)}`;
    const at = y + (1 - t) * height;
    const line = `<path d="M${px(x + 12)} ${px(at)}h4" stroke="${MUTED}"/>`;
    return line + textElement(x + 20, at, text, { size: 11, fill: MUTED }, brush.glyphs);
  });
  return [
    `<defs><linearGradient id="${id}" x1="0" y1="1" x2="0" y2="0">${stops.join('')}</linearGradient></defs>`,
    `<rect x="${px(x)}" y="${px(y)}" width="12" height="${px(height)}" fill="url(#${id})" stroke="${FRAME}"/>`,
    ...ticks,
    textElement(x, y - 16, 'weight', { size: 11, fill: MUTED }, brush.glyphs),
  ].join('\n');
}
