import { QkvError } from '../base/errors.ts';
import { type AttentionMap, axisNames, headName, mapName, visibleToken } from './attention-map.ts';
import { MUTED } from './colour.ts';
import type { Brush, Picture } from './svg.ts';
import { type AxisLabels, columnLabels, labelSize, rowLabels } from './svg-axes.ts';
import { exactWeight, LEGEND_WIDTH, largest, legend, mapCells } from './svg-cells.ts';
import { textElement, textWidth, wrapWords } from './svg-text.ts';

const MARGIN = 28;
const GAP = 16;
const LEGEND_HEIGHT = 120;
/** Side of a map in px that the cell size aims at, and the least cell side at which tokens can be read. */
const MAP_SIDE = 150;
const READABLE = 9;
const FOOT = 10;

/** All layers × heads: a section for each title and kind, in it a row for each layer and a column for each head. */
export function gridPicture(maps: readonly AttentionMap[], brush: Brush): Picture {
  const sections = Map.groupBy(maps, (map) => JSON.stringify([map.title, map.kind, map.queryTokens, map.keyTokens]));
  let y = MARGIN;
  let width = 0;
  const bodies: string[] = [];
  for (const members of sections.values()) {
    const section = drawSection(members, y, brush);
    bodies.push(section.body);
    width = Math.max(width, section.width);
    y += section.height + MARGIN;
  }
  const legendX = width + 12;
  bodies.push(legend(maps, legendX, MARGIN + 80, LEGEND_HEIGHT, brush));
  const peak = maps.map((map) => ({ map, ...largest(map) })).reduce((a, b) => (b.weight > a.weight ? b : a));
  const titles = [...new Set(maps.map((map) => visibleToken(map.title)))];
  return {
    width: legendX + LEGEND_WIDTH + MARGIN,
    height: Math.max(y, MARGIN + 80 + LEGEND_HEIGHT + MARGIN),
    body: bodies.join('\n'),
    title: `${titles.join('; ')}: attention of ${maps.length} heads`,
    description:
      `Grid of ${maps.length} heat maps, a row for each layer and a column for each head; in each map rows are query ` +
      `tokens, columns key tokens, and darker is more attention. Largest weight ${exactWeight(peak.weight)}, ` +
      `${mapName(peak.map)}, from ${peak.query} to ${peak.key}.`,
  };
}

interface Section {
  readonly width: number;
  readonly height: number;
  readonly body: string;
}

/** Maps of one title, kind and pair of token lists, from `top` px down; `width` counts from the picture's left edge. */
function drawSection(maps: readonly AttentionMap[], top: number, brush: Brush): Section {
  const [first] = maps as [AttentionMap];
  const { query, key } = axisNames(first.kind);
  const [rows, keys] = [first.queryTokens.length, first.keyTokens.length];
  const cell = brush.cellSize ?? Math.min(14, Math.max(3, Math.floor(MAP_SIDE / Math.max(rows, keys))));
  const hasLabels = cell >= READABLE;
  const left = hasLabels ? rowLabels(first.queryTokens, cell, brush.glyphs) : NO_LABELS;
  const above = hasLabels ? columnLabels(first.keyTokens, cell, brush.glyphs) : NO_LABELS;
  const layers = [...new Set(maps.map((map) => map.layer))].sort((a, b) => a - b);
  const heads = [...new Set(maps.map((map) => map.head))].sort(byHead);
  const [stepX, stepY] = [keys * cell + GAP, rows * cell + GAP];

  const x = MARGIN + 24 + left.depth;
  const y = top + 52 + 20 + above.depth;
  const mapsWidth = heads.length * stepX - GAP;
  const title = visibleToken(first.title);
  const shape = `${first.kind} · rows: ${query}, columns: ${key} · ${rows} × ${keys} tokens`;
  const body = [
    textElement(MARGIN, top + 8, title, { size: 17, weight: 600 }, brush.glyphs),
    textElement(MARGIN, top + 31, shape, { size: 12, fill: MUTED }, brush.glyphs),
  ];
  for (const [h, head] of heads.entries()) {
    const at = x + h * stepX;
    const name = head === 'mean' ? 'mean' : headName(head);
    body.push(textElement(at + (keys * cell) / 2, top + 60, name, { size: 12, anchor: 'middle' }, brush.glyphs));
    body.push(above.draw(at, y));
  }
  for (const [l, layer] of layers.entries()) {
    const at = y + l * stepY;
    const style = { size: 12, anchor: 'middle', rotate: -90 } as const;
    body.push(textElement(MARGIN + 6, at + (rows * cell) / 2, `layer ${layer}`, style, brush.glyphs));
    body.push(left.draw(x, at));
  }
  const places = new Set<string>();
  for (const map of maps) {
    const place = `${map.layer} ${map.head}`;
    if (places.has(place)) {
      const hint = 'Draw each head once, or give maps of different examples different titles.';
      throw new QkvError('usage', { where: 'drawSvg', got: `"${map.title}" ${mapName(map)} twice`, hint });
    }
    places.add(place);
    const [h, l] = [heads.indexOf(map.head), layers.indexOf(map.layer)];
    body.push(mapCells(map, x + h * stepX, y + l * stepY, cell, brush));
  }
  let bottom = y + layers.length * stepY - GAP;
  const width = Math.max(
    x + mapsWidth + above.overhang,
    MARGIN + textWidth(title, 17) * 1.05,
    MARGIN + textWidth(shape, 12),
  );
  if (!hasLabels) {
    // Cells too small for labels: the tokens follow in words.
    const axes = [
      ['rows', first.queryTokens],
      ['columns', first.keyTokens],
    ] as const;
    for (const [axis, tokens] of axes) {
      const lines = wrapWords([`${axis}:`, ...tokens.map(visibleToken)], FOOT, width - MARGIN);
      for (const [i, line] of lines.entries()) {
        bottom += i === 0 ? 20 : 15;
        body.push(textElement(MARGIN, bottom, line, { size: FOOT, fill: MUTED }, brush.glyphs));
      }
    }
    bottom += labelSize(FOOT) / 2;
  }
  return { width, height: bottom - top, body: body.join('\n') };
}

const NO_LABELS: AxisLabels = { depth: 4, overhang: 0, draw: () => '' };

function byHead(a: number | 'mean', b: number | 'mean'): number {
  return (a === 'mean' ? Number.POSITIVE_INFINITY : a) - (b === 'mean' ? Number.POSITIVE_INFINITY : b);
}
