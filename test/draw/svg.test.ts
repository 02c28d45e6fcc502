import { describe, expect, it } from 'vitest';
import { drawSvg } from '../../src/draw/svg.ts';
import { exactWeight } from '../../src/draw/svg-cells.ts';
import { luminance, risingMap } from './maps.ts';
import { parseXml } from './parse-xml.ts';

interface Cell {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly fill: string;
  readonly title: string;
}

function cellsOf(svg: string): Cell[] {
  const pattern =
    /<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="[\d.]+" fill="(#\w+)"><title>([^<]*)<\/title>/g;
  return Array.from(svg.matchAll(pattern), ([, x, y, width, fill, title]) => {
    return { x: Number(x), y: Number(y), width: Number(width), fill: fill!, title: title! };
  });
}

describe('one map as SVG', () => {
  it('is well-formed, self-contained and described', () => {
    const svg = drawSvg(risingMap(3, 4, { title: 'A <b> & "c"', layer: 2, head: 'mean' }));
    const root = parseXml(svg);
    expect(root.name).toBe('svg');
    expect(root.attributes).toMatchObject({ role: 'img', 'aria-labelledby': 'attention-title attention-desc' });
    const [title, desc] = root.children;
    expect(title).toMatchObject({ name: 'title', text: 'A <b> & "c": attention, encoder · layer 2 · mean of heads' });
    expect(desc?.text).toContain('3 query tokens (rows) by 4 key tokens (columns)');
    expect(desc?.text).toContain('Largest weight 0.5, from q0 to k3.');
    expect(svg).not.toMatch(/href|<image|<style|<script/);
  });

  it('has a cell for each weight: rows down, keys across, darker with weight, none overlapping', () => {
    const cells = cellsOf(drawSvg(risingMap(4, 7)));
    expect(cells).toHaveLength(28);
    for (const [i, cell] of cells.entries()) {
      const [t, s] = [Math.floor(i / 7), i % 7];
      expect(cell.title).toBe(`q${t} → k${s}: ${exactWeight(Math.fround(s / 21))}`);
      if (s === 0) continue;
      const before = cells[i - 1]!;
      expect(cell.x).toBeGreaterThanOrEqual(before.x + before.width);
      expect(cell.y).toBe(before.y);
      expect(luminance(cell.fill)).toBeLessThan(luminance(before.fill));
      if (t > 0) expect(cell.y).toBeGreaterThanOrEqual(cells[i - 7]!.y + cell.width);
    }
  });

  it('escapes tokens, and shows those that have no glyph', () => {
    const svg = drawSvg(risingMap(2, 3, { queryTokens: ['<s>', '&amp;'], keyTokens: ['"', '\x00\n', ''] }));
    const labels = parseXml(svg)
      .children.filter((node) => node.name === 'text')
      .map((node) => node.text);
    expect(labels).toEqual(expect.arrayContaining(['<s>', '&amp;', '"', '\\x00\\n', '∅']));
    expect(svg).not.toContain('\x00');
  });

  it.each([5, 20, 60])('keeps %i labels in the picture and the size of a screen', (n) => {
    const words = Array.from({ length: n }, (_, i) => (i % 3 === 0 ? '國際化' : '▁internationalization'));
    const svg = drawSvg(risingMap(n, n, { queryTokens: words, keyTokens: words }));
    const root = parseXml(svg);
    const [width, height] = [Number(root.attributes['width']), Number(root.attributes['height'])];
    expect(width).toBeLessThan(1200);
    expect(height).toBeLessThan(1200);
    for (const { name, attributes } of root.children) {
      if (name !== 'text') continue;
      const [, x, y] = /translate\((\S+) (\S+)\)/.exec(attributes['transform']!)!.map(Number);
      expect(x).toBeGreaterThan(0);
      expect(x).toBeLessThan(width);
      expect(y).toBeGreaterThan(0);
      expect(y).toBeLessThan(height);
      expect(Number(attributes['font-size'])).toBeGreaterThanOrEqual(8);
    }
  });

  it('turns key labels only where they need it', () => {
    const angle = (keyTokens: string[]): string | undefined => {
      const svg = drawSvg(risingMap(1, keyTokens.length, { keyTokens, queryTokens: ['q'] }));
      const label = parseXml(svg).children.find((node) => node.text === keyTokens[0])!;
      return /rotate\((\S+)\)/.exec(label.attributes['transform']!)?.[1];
    };
    expect(angle(Array.from('我不知道該怎麼感謝您才好'))).toBeUndefined();
    expect(angle(['thousand', 'words'])).toBe('-45');
    expect(angle(Array.from({ length: 60 }, () => 'thousand'))).toBe('-90');
  });

  it('saturates above max, and the legend says so', () => {
    const svg = drawSvg(risingMap(1, 5), { max: 0.2 });
    const fills = cellsOf(svg).map((cell) => cell.fill);
    expect(fills[3]).toBe(fills[4]);
    expect(fills[1]).not.toBe(fills[2]);
    expect(svg).toContain('≥ 0.20');
  });

  it('refuses unknown options and bad values', () => {
    const map = risingMap(1, 2);
    expect(() => drawSvg(map, { scale: 2 } as object)).toThrow(/option "scale", expected one of max, cellSize/);
    expect(() => drawSvg(map, { max: 0 })).toThrow(/max/);
    expect(() => drawSvg(map, { id: '"><script>' })).toThrow(/id/);
    expect(() => drawSvg(map, { tooltips: 'none' as 'map' })).toThrow(/tooltips/);
  });
});

describe('exact weights', () => {
  it('name the float32, in as few digits as that takes', () => {
    for (const weight of [0.1, 1 / 3, 0.6666667, 1e-7, 0.97265625, 1].map(Math.fround)) {
      expect(Math.fround(Number(exactWeight(weight)))).toBe(weight);
    }
    expect(exactWeight(Math.fround(0.1))).toBe('0.1');
  });
});

describe('a grid as SVG', () => {
  const maps = [0, 1, 2].flatMap((layer) => [0, 1].map((head) => risingMap(3, 3, { layer, head })));

  it('puts layers in rows and heads in columns, whatever the order of the maps', () => {
    const svg = drawSvg(maps.toReversed());
    const corner = cellsOf(svg).filter((cell) => cell.title.startsWith('q0 → k0'));
    expect(new Set(corner.map((cell) => cell.x)).size).toBe(2);
    expect(new Set(corner.map((cell) => cell.y)).size).toBe(3);
    const labels = parseXml(svg)
      .children.filter((node) => node.name === 'text')
      .map((node) => node.text);
    expect(labels.filter((label) => /^(layer|head) \d$/.test(label))).toEqual([
      'head 0',
      'head 1',
      'layer 0',
      'layer 1',
      'layer 2',
    ]);
  });

  it('shares one colour scale', () => {
    const faint = risingMap(3, 3, { layer: 1, weights: new Float32Array(9).fill(1 / 3) });
    const fills = cellsOf(drawSvg([risingMap(3, 3), faint])).map((cell) => cell.fill);
    const sole = cellsOf(drawSvg(faint)).map((cell) => cell.fill);
    expect(luminance(fills[9]!)).toBeGreaterThan(luminance(fills[2]!));
    expect(luminance(sole[0]!)).toBeLessThan(luminance(fills[9]!));
  });

  it('writes the tokens out where cells are too small for labels', () => {
    const tokens = Array.from({ length: 40 }, (_, i) => `字${i}`);
    const big = [0, 1].map((head) => risingMap(40, 40, { head, queryTokens: tokens, keyTokens: tokens }));
    const text = parseXml(drawSvg(big))
      .children.filter((node) => node.name === 'text')
      .map((node) => node.text);
    expect(text.join(' ')).toContain(`rows: ${tokens.join(' ')} columns: ${tokens.join(' ')}`);
  });

  it('draws the same cells with a tooltip for each map alone, much smaller', () => {
    const [all, few] = [drawSvg(maps), drawSvg(maps, { tooltips: 'map' })];
    expect(cellsOf(few)).toEqual([]);
    expect(few.match(/largest weight 0.67<\/title>/g)).toHaveLength(6);
    const squares = [...few.matchAll(/M([\d.]+) ([\d.]+)h/g)].map(([, x, y]) => `${x} ${y}`);
    for (const cell of cellsOf(all)) expect(squares).toContain(`${cell.x} ${cell.y}`);
    expect(few.length).toBeLessThan(all.length);
  });

  it('refuses two maps in one place', () => {
    expect(() => drawSvg([risingMap(2, 2), risingMap(2, 2)])).toThrow(/layer 0 · head 0 twice/);
  });
});
