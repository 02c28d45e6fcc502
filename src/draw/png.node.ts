import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { initWasm, Resvg } from '@resvg/resvg-wasm';
import { QkvError } from '../base/errors.ts';
import { type AttentionMap, checkOptionNames } from './attention-map.ts';
import type { Curve, CurvesOptions } from './curves.ts';
import { drawCurvesSvg } from './curves-svg.ts';
import { loadGlyphs } from './glyphs.node.ts';
import { drawSvg, type SvgOptions } from './svg.ts';
import type { GlyphSource } from './svg-text.ts';

export interface PngOptions extends Pick<SvgOptions, 'max' | 'cellSize'> {
  /** Pixels per px of the SVG. Default 2, as for dense displays. */
  readonly scale?: number;
}

/** More than a viewer opens gladly, and 400 MB of pixels. */
const MAX_PIXELS = 100e6;

/** The picture of `drawSvg` with all text as outlines: it looks the same everywhere, fonts or not. */
export async function drawOutlinedSvg(
  maps: AttentionMap | readonly AttentionMap[],
  options: Omit<SvgOptions, 'glyphs'> = {},
): Promise<string> {
  return outlined((glyphs) => drawSvg(maps, { ...options, glyphs }));
}

async function outlined(draw: (glyphs: GlyphSource) => string): Promise<string> {
  // A first drawing only notes which texts there are.
  const texts = new Set<string>();
  const outline: GlyphSource['outline'] = (text) => {
    texts.add(text);
    return { path: '', advance: 0 };
  };
  draw({ outline });
  return draw(await loadGlyphs(texts));
}

/** The picture of `drawCurvesSvg` as a PNG file, two pixels a px. */
export async function drawCurvesPng(curves: readonly Curve[], options: CurvesOptions): Promise<Uint8Array> {
  return drawnPng((glyphs) => drawCurvesSvg(curves, options, glyphs));
}

/** Any SVG that `draw` makes with these glyphs as a PNG file, two pixels a px. */
export async function drawnPng(draw: (glyphs: GlyphSource) => string): Promise<Uint8Array> {
  return renderPng(await outlined(draw), 2);
}

/** The picture of `drawSvg` as a PNG file. Throws `QkvError` (`usage`) for a picture of more than 100 megapixels. */
export async function drawPng(
  maps: AttentionMap | readonly AttentionMap[],
  options: PngOptions = {},
): Promise<Uint8Array> {
  checkOptionNames('drawPng', options, ['max', 'cellSize', 'scale']);
  const { scale = 2, ...rest } = options;
  if (!(scale > 0 && scale <= 8)) {
    throw new QkvError('usage', { where: 'drawPng: scale', got: String(scale), expected: 'over 0, at most 8' });
  }
  return renderPng(await drawOutlinedSvg(maps, { ...rest, tooltips: 'map' }), scale);
}

async function renderPng(svg: string, scale: number): Promise<Uint8Array> {
  await initialised();
  const picture = new Resvg(svg, { fitTo: { mode: 'zoom', value: scale } });
  try {
    const pixels = picture.width * picture.height * scale * scale;
    if (pixels > MAX_PIXELS) {
      throw new QkvError('usage', {
        where: 'drawPng',
        got: `${Math.round(pixels / 1e6)} megapixels`,
        expected: `at most ${MAX_PIXELS / 1e6}`,
        hint: 'Draw fewer maps, or lower scale or cellSize.',
      });
    }
    return picture.render().asPng();
  } finally {
    picture.free();
  }
}

let renderer: Promise<void> | undefined;

/** The renderer's WebAssembly can be set up once in a process. */
function initialised(): Promise<void> {
  const wasm = createRequire(import.meta.url).resolve('@resvg/resvg-wasm/index_bg.wasm');
  renderer ??= readFile(wasm).then((bytes) => initWasm(bytes));
  return renderer;
}
