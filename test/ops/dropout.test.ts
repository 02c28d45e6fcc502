import { describe, expect, it } from 'vitest';
import { int32 } from '../../src/base/tensor.ts';
import { input } from '../../src/ops/leaf.ts';
import { dropoutMask } from '../../src/ops/random.ts';
import { evaluate } from '../../src/runtime/reference/reference.ts';

const COUNT = 1 << 16;

/** 1 where an element was dropped. */
function dropped(seed: readonly [number, number], site: number, rate: number): Float32Array {
  const mask = dropoutMask(input('seed', 'int32', [2]), site, rate, [COUNT]);
  const { y } = evaluate({ outputs: { y: mask }, names: new Map() }, { seed: int32([2], [...seed]) });
  return Float32Array.from(y!.data, (x) => (x === 0 ? 1 : 0));
}

const mean = (x: Float32Array): number => x.reduce((a, b) => a + b, 0) / x.length;

/** Pearson's correlation of two 0/1 sequences, the second moved on by `lag`. */
function correlation(a: Float32Array, b: Float32Array, lag = 0): number {
  const [ma, mb] = [mean(a), mean(b)];
  let sum = 0;
  for (let i = 0; i + lag < COUNT; i++) sum += (a[i]! - ma) * (b[i + lag]! - mb);
  return sum / COUNT / Math.sqrt(ma * (1 - ma) * mb * (1 - mb));
}

// Of independent elements, a correlation has standard deviation 1/√COUNT = 1/256; five of them are passed once in two million.
const BOUND = 5 / Math.sqrt(COUNT);

describe('dropoutMask', () => {
  it.each([0.1, 0.3, 0.5])('drops a share of %d and scales the rest', (rate) => {
    const sigma = Math.sqrt((rate * (1 - rate)) / COUNT);
    for (const seed of [
      [1, 2],
      [-5, 77],
      [123456789, -987654321],
    ] as const) {
      expect(Math.abs(mean(dropped(seed, 42, rate)) - rate)).toBeLessThan(5 * sigma);
    }
    const mask = dropoutMask(input('seed', 'int32', [2]), 1, rate, [64]);
    const { y } = evaluate({ outputs: { y: mask }, names: new Map() }, { seed: int32([2], [3, 4]) });
    for (const x of y!.data) expect([0, Math.fround(1 / (1 - rate))]).toContain(x);
  });

  it('drops neighbours independently', () => {
    const mask = dropped([11, 12], 5, 0.3);
    for (const lag of [1, 2, 3, 8, 64, 128, 256, 1024])
      expect(Math.abs(correlation(mask, mask, lag))).toBeLessThan(BOUND);
  });

  it('drops other elements at other sites and in other steps', () => {
    const masks = [1, 2, 3, -7, 1 << 20].map((site) => dropped([11, 12], site, 0.3));
    masks.push(dropped([12, 12], 1, 0.3), dropped([11, 13], 1, 0.3));
    for (const [i, a] of masks.entries()) {
      for (const b of masks.slice(i + 1)) expect(Math.abs(correlation(a, b))).toBeLessThan(BOUND);
    }
  });

  it.each([-0.1, 1, Number.NaN])('refuses a rate of %d', (rate) => {
    expect(() => dropoutMask(input('seed', 'int32', [2]), 1, rate, [4])).toThrow(/rate/);
  });
});
