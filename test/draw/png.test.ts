import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { weightColour } from '../../src/draw/colour.ts';
import { loadGlyphs } from '../../src/draw/glyphs.node.ts';
import { drawOutlinedSvg, drawPng } from '../../src/draw/png.node.ts';
import { drawSvg } from '../../src/draw/svg.ts';
import { decodePng, type Pixels } from './decode-png.ts';
import { risingMap } from './maps.ts';
import { parseXml } from './parse-xml.ts';

/** Pixels in a box that are not white. */
function ink(pixels: Pixels, left: number, top: number, right: number, bottom: number): number {
  let count = 0;
  for (let y = Math.floor(top); y < bottom; y++) {
    for (let x = Math.floor(left); x < right; x++) if (pixels.at(x, y).some((byte) => byte < 160)) count++;
  }
  return count;
}

describe('glyphs', () => {
  it('cover the Chinese of Tatoeba, simplified and traditional, but for one rare variant', async () => {
    const characters = readFileSync(new URL('../../fixtures/draw/characters.txt', import.meta.url), 'utf8');
    const han = characters.replaceAll('\n', '');
    expect([...han].length).toBeGreaterThan(3500);
    const glyphs = await loadGlyphs([han]);
    expect(glyphs.missing).toEqual(['幚']);
    for (const character of ['我', '谢', '謝', '鴕']) expect(glyphs.outline(character, 400).advance).toBe(1000);
  });

  it('cover the byte alphabet of GPT-2, SentencePiece’s space, and European letters', async () => {
    const text = Array.from({ length: 256 + 68 - 33 }, (_, i) => String.fromCodePoint(33 + i)).join('');
    const printable = text.replace(/[\x7f-\xa0\xad]/g, '');
    const { missing } = await loadGlyphs([printable, '▁…’“”–—→·≥∅ßöαωжя，。「」《》']);
    expect(missing).toEqual([]);
  });

  it('take the weight asked for, and a box where no font has the character', async () => {
    const glyphs = await loadGlyphs(['一', '\u{1F642}']);
    // 一 is one bar: its height is the weight. At the font's default, its thinnest, that would be about 30.
    const height = (weight: 400 | 600): number => {
      const ys = [...glyphs.outline('一', weight).path.matchAll(/ (-?\d+)/g)].map((match) => Number(match[1]));
      return Math.max(...ys) - Math.min(...ys);
    };
    expect(height(400)).toBeGreaterThan(60);
    expect(height(600)).toBeGreaterThan(height(400) + 20);
    expect(glyphs.missing).toEqual(['\u{1F642}']);
    expect(glyphs.outline('\u{1F642}', 400).path).toMatch(/^M60 100V-780H940V100Z/);
    expect(glyphs.outline('一一', 400).advance).toBe(2000);
  });
});

describe('the outlined picture', () => {
  it('is that of drawSvg, with paths for text', async () => {
    const map = risingMap(2, 3, { queryTokens: ['我', '你'], keyTokens: ['a', 'bb', '謝謝'] });
    const [plain, outlined] = [drawSvg(map), await drawOutlinedSvg(map)].map(parseXml);
    expect(outlined!.attributes).toEqual(plain!.attributes);
    const texts = plain!.children.filter((node) => node.name === 'text');
    const paths = outlined!.children.filter((node) => node.name === 'path' && node.attributes['transform']);
    expect(texts.length).toBeGreaterThan(8);
    expect(paths).toHaveLength(texts.length);
    for (const path of paths) expect(path.attributes['d']).toMatch(/^M[-\d LQCZM]+Z$/);
  });
});

describe('PNG', () => {
  it('has the colours of the weights where the SVG has its cells', async () => {
    const map = risingMap(3, 5);
    const svg = drawSvg(map, { cellSize: 20 });
    const pixels = decodePng(await drawPng(map, { cellSize: 20, scale: 2 }));
    const size = /width="(\d+)" height="(\d+)"/.exec(svg)!;
    expect([pixels.width, pixels.height]).toEqual([2 * Number(size[1]), 2 * Number(size[2])]);
    const corners = [...svg.matchAll(/<rect x="([\d.]+)" y="([\d.]+)"[^>]*><title>/g)];
    expect(corners).toHaveLength(15);
    for (const [i, [, x, y]] of corners.entries()) {
      const [px, py] = [Math.round(2 * (Number(x) + 9)), Math.round(2 * (Number(y) + 9))];
      const wanted = weightColour(map.weights[i]! / 0.4);
      for (const [channel, value] of pixels.at(px, py).entries()) {
        expect(Math.abs(value - wanted[channel]!), `cell ${i}`).toBeLessThanOrEqual(2);
      }
    }
    expect(pixels.at(1, 1)).toEqual([255, 255, 255]);
  });

  it('draws Chinese labels, each its own, and nothing for a space', async () => {
    const row = (token: string): Promise<Uint8Array> =>
      drawPng(risingMap(1, 1, { title: '圖', queryTokens: [token], keyTokens: ['一'], weights: Float32Array.of(0) }));
    const [dense, sparse, blank] = (await Promise.all(['龘', '一', '\u200b'].map(row))).map(decodePng);
    // The row label stands left of the cells, in the lower half of the picture; the axis name is further left.
    const count = (p: Pixels): number => ink(p, 2 * 46, 2 * 118, 2 * 70, 2 * 160);
    expect(count(dense!)).toBeGreaterThan(3 * count(sparse!));
    expect(count(sparse!)).toBeGreaterThan(10);
    expect(count(blank!)).toBe(0);
  });

  it('refuses a picture too large to open, before making it', async () => {
    const map = risingMap(60, 60);
    await expect(drawPng(map, { cellSize: 200 })).rejects.toThrow(/megapixels/);
    await expect(drawPng(map, { scale: 0 })).rejects.toThrow(/scale/);
    await expect(drawPng(map, { id: 'x' } as object)).rejects.toThrow(/option "id"/);
  });
});
