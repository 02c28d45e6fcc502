import { describe, expect, it } from 'vitest';
import { gradients } from '../../src/autodiff/gradients.ts';
import type { Value } from '../../src/graph/value.ts';
import { add, tanh } from '../../src/ops/elementwise.ts';
import { input, scalarConstant } from '../../src/ops/leaf.ts';
import { matmul } from '../../src/ops/matmul.ts';
import { sum } from '../../src/ops/reduce.ts';
import { reshape, slice } from '../../src/ops/shape.ts';
import { largestBytes, pathLength, productFlops, sequentialOperators } from '../../src/why/graphCost.ts';
import { meanInterval, median, pairedDifference, powerLaw } from '../../src/why/statistics.ts';

describe('statistics', () => {
  it('gives the mean with its Student interval', () => {
    // s = 1, t(2) = 4.303: 2 ± 4.303 / √3
    const { mean, low, high } = meanInterval([1, 2, 3]);
    expect(mean).toBe(2);
    expect(high - mean).toBeCloseTo(2.4843, 4);
    expect(mean - low).toBeCloseTo(2.4843, 4);
  });

  it('compares pairs by their differences, however far apart the pairs are', () => {
    const { mean, low, high } = pairedDifference([10.1, 20.2, 30.3], [10, 20, 30]);
    expect(mean).toBeCloseTo(0.2, 10);
    expect(low).toBeCloseTo(0.2 - (4.303 * 0.1) / Math.sqrt(3), 4);
    expect(high).toBeCloseTo(0.2 + (4.303 * 0.1) / Math.sqrt(3), 4);
  });

  it('finds the exponent of a power law, and how sure it is', () => {
    const exact = powerLaw([1, 2, 4, 8].map((x) => ({ x, y: 3 * x ** 1.5 })));
    expect(exact.factor).toBeCloseTo(3, 10);
    expect(exact.exponent.mean).toBeCloseTo(1.5, 10);
    expect(exact.exponent.high - exact.exponent.low).toBeLessThan(1e-6);
    // log₂ y = 0, 1, 3 over log₂ x = 0, 1, 2: slope 1.5, residuals 1/6, −1/3, 1/6, t(1) = 12.706
    const rough = powerLaw([1, 2, 4].map((x, i) => ({ x, y: 2 ** [0, 1, 3][i]! })));
    expect(rough.exponent.mean).toBeCloseTo(1.5, 10);
    expect(rough.exponent.high - 1.5).toBeCloseTo(12.706 * Math.sqrt(1 / 6 / 2), 6);
  });

  it('finds the median of odd and even numbers of values', () => {
    expect(median([5, 1, 3])).toBe(3);
    expect(median([5, 1, 3, 4])).toBe(3.5);
  });
});

describe('graphCost', () => {
  const x = input('x', 'float32', [2, 3]);
  const w = input('w', 'float32', [3, 5]);

  it('counts the operators that wait for each other, not those that move numbers', () => {
    const y = tanh(reshape(tanh(x), [3, 2]));
    expect(sequentialOperators([y])).toBe(2);
    expect(sequentialOperators([add(y, scalarConstant(1)), y])).toBe(3);
    // side by side
    expect(sequentialOperators([add(tanh(x), tanh(x))])).toBe(2);
  });

  it('counts the operators on the shortest way between two values', () => {
    const far = tanh(tanh(tanh(x)));
    expect(pathLength(x, add(far, tanh(x)))).toBe(2);
    expect(pathLength(x, far)).toBe(3);
    expect(pathLength(w, far)).toBeUndefined();
  });

  it('counts what products compute', () => {
    expect(productFlops([matmul(x, w)])).toBe(2 * 2 * 3 * 5);
    const transposed = matmul(w, input('z', 'float32', [3, 7]), { transposeA: true });
    expect(productFlops([transposed])).toBe(2 * 5 * 7 * 3);
    // the backward pass of a product is two of its size
    const seed = input('seed', 'float32', [2, 5]);
    const y = matmul(x, w);
    expect(productFlops([y, ...gradients([{ value: y, seed }], [x, w])])).toBe(3 * 2 * 2 * 3 * 5);
  });

  it('knows the largest result', () => {
    expect(largestBytes([sum(matmul(x, w), [0, 1])])).toBe(4 * 15);
  });
});

describe('gradients of slices', () => {
  const x = input('x', 'float32', [6, 2]);
  const opsOf = (cuts: readonly (readonly [number, number])[]): string => {
    const parts: Value[] = cuts.map(([start, end]) => sum(tanh(slice(x, 0, start, end)), [0]));
    const y = parts.reduce((a, b) => add(a, b));
    return gradients([{ value: y, seed: input('g', 'float32', [2]) }], [x])[0]!.op;
  };

  it('are put side by side where the slices fill the value, and added where they do not', () => {
    expect(
      opsOf([
        [0, 2],
        [2, 6],
      ]),
    ).toBe('concat');
    expect(
      opsOf([
        [2, 6],
        [0, 2],
      ]),
    ).toBe('concat');
    expect(
      opsOf([
        [0, 3],
        [2, 6],
      ]),
    ).toBe('add');
    expect(
      opsOf([
        [0, 2],
        [3, 6],
      ]),
    ).toBe('add');
    expect(
      opsOf([
        [0, 3],
        [0, 3],
      ]),
    ).toBe('add');
  });
});
