import { expect, it } from 'vitest';
import { deriveSeed } from '../../src/base/random.ts';
import { entropy, halfShare, jacobianNorm, meansOf, productStatistics, quartilesOf } from '../../src/why/scale.ts';

it('q·k of independent standard normal entries has mean 0 and variance d_k', () => {
  for (const size of [4, 64]) {
    const { mean, error, variance } = productStatistics(size, 20_000, deriveSeed(7, size));
    expect(Math.abs(mean)).toBeLessThan(4 * error);
    expect(error).toBeCloseTo(Math.sqrt(size / 20_000), 2);
    expect(variance / size).toBeGreaterThan(0.93);
    expect(variance / size).toBeLessThan(1.07);
  }
});

it('the entropy of weights is in nats', () => {
  expect(entropy([0.5, 0.5])).toBeCloseTo(Math.LN2, 12);
  expect(entropy([1, 0, 0])).toBe(0);
  expect(entropy([0.5, 0.25, 0.25])).toBeCloseTo(1.5 * Math.LN2, 12);
});

it.each([[[0.5, 0.5]], [[0.5, 0.3, 0.2]], [[0.25, 0.25, 0.25, 0.25]], [[1, 0, 0]], [[0.97, 0.01, 0.01, 0.01]]])(
  'the norm of the derivative of a softmax %j is that of diag(p) − ppᵀ',
  (p) => {
    const squares = p.flatMap((a, i) => p.map((b, j) => ((i === j ? a : 0) - a * b) ** 2));
    expect(jacobianNorm(p)).toBeCloseTo(Math.sqrt(squares.reduce((x, y) => x + y, 0)), 12);
  },
);

it('the norm of the derivative at a uniform softmax is √(n − 1) / n', () => {
  expect(jacobianNorm(Array.from({ length: 64 }, () => 1 / 64))).toBeCloseTo(Math.sqrt(63) / 64, 12);
});

it('counts the values that make up half of the squares', () => {
  // 16 of 16 + 9 + 4 × 1 = 29 are more than half
  expect(halfShare([1, 4, 1, 3, 1, 1])).toBeCloseTo(1 / 6, 12);
  expect(halfShare([2, 2, 2, 2])).toBe(0.5);
});

it('takes quartiles and means of runs', () => {
  expect(quartilesOf([5, 1, 4, 2, 3])).toEqual({ median: 3, low: 2, high: 4 });
  expect(meansOf([1, 3, 5, 7, 100], 2)).toEqual([2, 6]);
});
