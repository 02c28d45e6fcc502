import { describe, expect, it } from 'vitest';
import { axisOf, type Curve, tickText } from '../../src/draw/curves.ts';
import { drawCurvesSvg } from '../../src/draw/curves-svg.ts';
import { drawCurvesTerminal } from '../../src/draw/curves-terminal.ts';
import { drawCurvesPng } from '../../src/draw/png.node.ts';
import { decodePng } from './decode-png.ts';
import { parseXml, type XmlNode } from './parse-xml.ts';

const curve = (name: string, ...ys: number[]): Curve => ({ name, points: ys.map((y, i) => ({ x: (i + 1) * 100, y })) });
const look = { title: 'Loss <b>', xName: 'steps', yName: 'nats', note: 'A note.' };

function all(node: XmlNode): XmlNode[] {
  return [node, ...node.children.flatMap(all)];
}

describe('axisOf', () => {
  it.each([
    [[0.13, 0.87], { log: false, count: 5, fits: true }, [0, 0.2, 0.4, 0.6, 0.8, 1]],
    [[100, 4096], { log: false, count: 5 }, [0, 1000, 2000, 3000, 4000]],
    [[3, 3], { log: false, count: 3, fits: true }, [3, 4]],
    [[100, 2000], { log: true, count: 5 }, [100, 200, 500, 1000, 2000]],
    [[0.000021, 0.3], { log: true, count: 5 }, [0.0001, 0.001, 0.01, 0.1]],
    [[-0.4, 0.3], { log: false, count: 7, fits: true }, [-0.4, -0.3, -0.2, -0.1, 0, 0.1, 0.2, 0.3]],
  ])('of %j with %j', (values, options, ticks) => {
    const axis = axisOf(values, options);
    expect(axis.ticks.map((tick) => Number(tick.toPrecision(9)))).toEqual(ticks);
    for (const value of values) {
      expect(axis.place(value)).toBeGreaterThan(-1e-9);
      expect(axis.place(value)).toBeLessThan(1 + 1e-9);
    }
  });

  it('is even in factors where it is logarithmic', () => {
    const axis = axisOf([10, 1000], { log: true, count: 5 });
    expect([10, 100, 1000].map((value) => axis.place(value))).toEqual([0, 0.5, 1]);
  });

  it.each([
    [0.30000000000000004, '0.3'],
    [2000, '2000'],
    [30000, '30k'],
    [2.5e6, '2.5M'],
    [0, '0'],
    [0.0001, '1e-4'],
  ])('writes %s as %s', (value, text) => {
    expect(tickText(value)).toBe(text);
  });
});

describe('curves', () => {
  const curves = [curve('one', 5, 4, 3), curve('two', 4.5, 3.5, 3.01), curve('three', 4, 3.2, 3.02)];

  it('are well-formed SVG with a path and a name each, whose names do not touch', () => {
    const svg = drawCurvesSvg(curves, look);
    const nodes = all(parseXml(svg));
    expect(nodes.filter(({ name }) => name === 'circle')).toHaveLength(9);
    const heights = ['one', 'two', 'three'].map((name) => {
      const [label] = nodes.filter((node) => node.name === 'text' && node.text === name);
      return Number(/translate\(\S+ (\S+)\)/.exec(label!.attributes['transform']!)![1]);
    });
    const sorted = heights.toSorted((a, b) => a - b);
    for (const [i, height] of sorted.entries())
      if (i > 0) expect(height - sorted[i - 1]!).toBeGreaterThanOrEqual(16 - 1e-6);
    expect(nodes.some(({ text }) => text === 'Loss <b>')).toBe(true);
    expect(nodes.some(({ text }) => text === 'A note.')).toBe(true);
  });

  it('are a picture with their colours', async () => {
    const { width, height, at } = decodePng(await drawCurvesPng(curves, look));
    expect(width).toBeGreaterThan(1200);
    const seen = new Set<string>();
    for (let y = 0; y < height; y += 2) for (let x = 0; x < width; x++) seen.add(at(x, y).join());
    expect(seen).toContain('0,114,178');
    expect(seen).toContain('213,94,0');
  });

  it('are drawn in the terminal, left high and right low', () => {
    const lines = drawCurvesTerminal([curves[0]!], look, 60).split('\n');
    const plot = lines.filter((line) => line.includes('│')).map((line) => line.slice(line.indexOf('│') + 1));
    expect(plot[0]!.indexOf('a')).toBeLessThan(20);
    expect(plot.findLast((line) => line.includes('a'))!.lastIndexOf('a')).toBeGreaterThan(50);
    expect(lines).toContain('  a one  3.0000 at 300');
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(60);
  });

  it.each([
    [[], {}, 'curves: got none'],
    [[curve('x')], {}, 'no points'],
    [[curve('x', Number.NaN)], {}, 'finite'],
    [[curve('x', 0)], { logY: true }, 'logarithmic'],
  ] as const)('refuse %j %j', (list, more, text) => {
    expect(() => drawCurvesSvg(list, { ...look, ...more })).toThrow(text);
    expect(() => drawCurvesTerminal(list, { ...look, ...more })).toThrow(text);
  });
});
