import { type AttentionMap, axisNames, mapName, visibleToken } from './attention-map.ts';
import { MUTED } from './colour.ts';
import type { Brush, Picture } from './svg.ts';
import { columnLabels, rowLabels } from './svg-axes.ts';
import { exactWeight, LEGEND_WIDTH, largest, legend, mapCells } from './svg-cells.ts';
import { textElement, textWidth } from './svg-text.ts';

const MARGIN = 28;

/** A heat map of one head with its tokens, axis names, and legend. */
export function singlePicture(map: AttentionMap, brush: Brush): Picture {
  const [rows, keys] = [map.queryTokens.length, map.keyTokens.length];
  const cell = brush.cellSize ?? Math.round(Math.min(40, Math.max(12, 560 / Math.max(rows, keys))));
  const left = rowLabels(map.queryTokens, cell, brush.glyphs);
  const top = columnLabels(map.keyTokens, cell, brush.glyphs);
  const { query, key } = axisNames(map.kind);
  const title = visibleToken(map.title);
  const [plotWidth, plotHeight] = [keys * cell, rows * cell];

  const x = MARGIN + 20 + left.depth;
  const y = MARGIN + 52 + 20 + top.depth;
  const legendHeight = Math.min(200, Math.max(plotHeight, 80));
  const right = Math.max(plotWidth + 28 + LEGEND_WIDTH, plotWidth + top.overhang);
  const caption = { size: 11, fill: MUTED, anchor: 'middle' } as const;
  const body = [
    textElement(MARGIN, MARGIN + 8, title, { size: 17, weight: 600 }, brush.glyphs),
    textElement(MARGIN, MARGIN + 31, mapName(map), { size: 12, fill: MUTED }, brush.glyphs),
    textElement(x + plotWidth / 2, MARGIN + 60, key, caption, brush.glyphs),
    textElement(MARGIN + 6, y + plotHeight / 2, query, { ...caption, rotate: -90 }, brush.glyphs),
    top.draw(x, y),
    left.draw(x, y),
    mapCells(map, x, y, cell, brush),
    legend([map], x + plotWidth + 28, y, legendHeight, brush),
  ];
  const peak = largest(map);
  return {
    width: Math.max(x + right, MARGIN + textWidth(title, 17) * 1.05) + MARGIN,
    height: y + Math.max(plotHeight, legendHeight) + MARGIN,
    body: body.join('\n'),
    title: `${title}: attention, ${mapName(map)}`,
    description:
      `Heat map of ${rows} query tokens (rows) by ${keys} key tokens (columns); darker is more attention. ` +
      `Largest weight ${exactWeight(peak.weight)}, from ${peak.query} to ${peak.key}.`,
  };
}
