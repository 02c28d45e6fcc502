import { QkvError } from '../base/errors.ts';
import { type AttentionMap, checkedMaps, checkedMax, checkOptionNames } from './attention-map.ts';
import { gridPicture } from './svg-grid.ts';
import { singlePicture } from './svg-single.ts';
import { escapeXml, FONT_FAMILY, type GlyphSource, px } from './svg-text.ts';

export interface SvgOptions {
  /** The weight drawn darkest, in (0, 1]; greater weights look the same. Default: the largest weight drawn. */
  readonly max?: number;
  /** Side of a cell in px. Default: by the number of tokens. In a grid, tokens are written at the axes from 9 px on. */
  readonly cellSize?: number;
  /**
   * A tooltip for each cell (the weight, exactly) or for each map only, which makes large grids an order smaller.
   * Default: cells, up to 20 000 of them in the picture.
   */
  readonly tooltips?: 'cell' | 'map';
  /** Draws text as outlines of these glyphs. Default: `<text>` with a list of font families that have Chinese. */
  readonly glyphs?: GlyphSource;
  /** Prefix of the ids inside, unique where several pictures share a page. Default `attention`. */
  readonly id?: string;
}

/** A part of the drawing with its size, and the words that describe it. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly body: string;
  readonly title: string;
  readonly description: string;
}

/** What every part of a drawing needs. */
export interface Brush {
  readonly max: number;
  readonly tooltips: 'cell' | 'map';
  readonly cellSize: number | undefined;
  readonly glyphs: GlyphSource | undefined;
  readonly id: string;
}

const MAX_TOOLTIPS = 20_000;

/**
 * Attention as one self-contained SVG document on a white ground. One map: a heat map with the tokens on both axes.
 * Several: a grid with a row for each layer and a column for each head, a section for each title and kind, on one
 * colour scale. Throws `QkvError` (`usage`) for bad options, and where a grid would hold two maps in one place.
 */
export function drawSvg(maps: AttentionMap | readonly AttentionMap[], options: SvgOptions = {}): string {
  checkOptionNames('drawSvg', options, ['max', 'cellSize', 'tooltips', 'glyphs', 'id']);
  const list = checkedMaps(maps);
  const cells = list.reduce((sum, map) => sum + map.weights.length, 0);
  const { cellSize, glyphs, id = 'attention', tooltips = cells <= MAX_TOOLTIPS ? 'cell' : 'map' } = options;
  if (cellSize !== undefined && !(cellSize >= 1 && cellSize <= 200)) {
    throw new QkvError('usage', { where: 'drawSvg: cellSize', got: String(cellSize), expected: 'from 1 to 200 px' });
  }
  if (tooltips !== 'cell' && tooltips !== 'map') {
    throw new QkvError('usage', { where: 'drawSvg: tooltips', got: String(tooltips), expected: 'cell or map' });
  }
  if (!/^[A-Za-z][\w-]*$/.test(id)) {
    throw new QkvError('usage', { where: 'drawSvg: id', got: id, expected: 'a letter, then letters, digits, _ and -' });
  }
  const brush: Brush = { max: checkedMax('drawSvg', list, options.max), tooltips, cellSize, glyphs, id };
  const picture = list.length === 1 ? singlePicture(list[0]!, brush) : gridPicture(list, brush);
  const [width, height] = [Math.ceil(picture.width), Math.ceil(picture.height)];
  const size = `width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img" aria-labelledby="${id}-title ${id}-desc"` +
      ` font-family="${escapeXml(FONT_FAMILY)}">`,
    `<title id="${id}-title">${escapeXml(picture.title)}</title>`,
    `<desc id="${id}-desc">${escapeXml(picture.description)}</desc>`,
    `<rect width="${px(width)}" height="${px(height)}" fill="#ffffff"/>`,
    picture.body,
    '</svg>\n',
  ].join('\n');
}
