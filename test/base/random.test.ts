import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  deriveSeed,
  type Key,
  normal,
  permutation,
  RandomStream,
  randomBits,
  truncatedNormal,
  uniform01,
} from '../../src/base/random.ts';

const hex = (words: readonly number[]): string => words.map((w) => w.toString(16).padStart(8, '0')).join(' ');
const words = (text: string): number[] => text.split(' ').map((w) => Number.parseInt(w, 16));

/** Philox4x32-10 written from the paper with big integers: slow, and without 16-bit halves to get wrong. */
function philoxBig(key: readonly number[], counter: readonly number[]): number[] {
  let [c0, c1, c2, c3] = counter.map(BigInt) as [bigint, bigint, bigint, bigint];
  let [k0, k1] = key.map(BigInt) as [bigint, bigint];
  const mask = 0xffffffffn;
  for (let round = 0; round < 10; round++) {
    const p0 = 0xd2511f53n * c0;
    const p1 = 0xcd9e8d57n * c2;
    [c0, c1, c2, c3] = [(p1 >> 32n) ^ c1 ^ k0, p1 & mask, (p0 >> 32n) ^ c3 ^ k1, p0 & mask];
    k0 = (k0 + 0x9e3779b9n) & mask;
    k1 = (k1 + 0xbb67ae85n) & mask;
  }
  return [c0, c1, c2, c3].map(Number);
}

describe('Philox4x32-10', () => {
  // Counter, key, result: Random123's tests/kat_vectors, the lines "philox4x32 10".
  it.each([
    ['00000000 00000000 00000000 00000000', '00000000 00000000', '6627e8d5 e169c58d bc57ac4c 9b00dbd8'],
    ['ffffffff ffffffff ffffffff ffffffff', 'ffffffff ffffffff', '408f276d 41c83b0e a20bc7c6 6d5451fd'],
    ['243f6a88 85a308d3 13198a2e 03707344', 'a4093822 299f31d0', 'd16cfe09 94fdcceb 5001e420 24126ea1'],
  ])('known answer for counter %s', (counter, key, expected) => {
    const [c0, c1, c2, c3] = words(counter) as [number, number, number, number];
    expect(hex(randomBits(words(key) as unknown as Key, [c0, c1, c2, c3]))).toBe(expected);
  });

  it('equals a big-integer implementation for any key and counter', () => {
    const word = fc.integer({ min: 0, max: 0xffffffff });
    fc.assert(
      fc.property(fc.tuple(word, word), fc.tuple(word, word, word, word), (key, counter) => {
        expect(randomBits(key, counter)).toEqual(philoxBig(key, counter));
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  it('refuses words that are not unsigned 32-bit integers', () => {
    expect(() => randomBits([0, -1], [0])).toThrow('got word -1');
    expect(() => randomBits([0, 0], [2 ** 32])).toThrow('unsigned 32-bit');
  });
});

describe('deriveSeed', () => {
  it('is pinned: another value would change every run that is resumed', () => {
    expect(hex(deriveSeed(1, 'dropout', 17, 'encoder.layers.0'))).toBe('12fed1b5 00c23939');
    expect(hex(deriveSeed(2 ** 40 + 5))).toBe('00000005 00000100');
    expect(Array.from(permutation(1, 0, 8))).toEqual([4, 0, 1, 2, 6, 5, 7, 3]);
  });

  it('distinguishes where labels end, their order and their kind, and composes', () => {
    const lists: (string | number)[][] = [
      [],
      [''],
      ['', ''],
      [0],
      [0, 0],
      [1],
      ['1'],
      ['a', 'b'],
      ['b', 'a'],
      ['ab'],
      ['abcd', 'e'],
      ['abcde'],
      ['abcde\0'],
      ['abc', 'de'],
      ['ab', 'cde'],
      [2 ** 32],
      [2 ** 32 + 1],
      [1, 1],
      ['层'],
      ['層'],
    ];
    expect(new Set(lists.map((list) => hex(deriveSeed(7, ...list)))).size).toBe(lists.length);
    expect(deriveSeed(deriveSeed(7, 'a', 3), 'b')).toEqual(deriveSeed(7, 'a', 3, 'b'));
  });

  it('gives each of 100,000 steps and sites its own key', () => {
    // Two of 10⁵ random 64-bit keys are equal with probability 10¹⁰ / 2⁶⁵ < 3·10⁻¹⁰.
    const keys = new Set<string>();
    for (let step = 0; step < 1000; step++) {
      for (let site = 0; site < 100; site++) keys.add(deriveSeed(1, step, `layer.${site}`).join());
    }
    expect(keys.size).toBe(100_000);
  });

  it('refuses seeds and labels that would be rounded', () => {
    for (const bad of [-1, 0.5, 2 ** 53, Number.NaN]) {
      expect(() => deriveSeed(bad)).toThrow('whole number');
      expect(() => deriveSeed(1, bad)).toThrow('whole number');
    }
  });
});

// Statistical tests. The seeds are fixed, so each passes or fails for ever; every bound is one that a perfect generator
// with a random seed would miss with a probability of about 10⁻⁶ at most (4.9 standard deviations of a normal variable;
// for the Kolmogorov–Smirnov distance D of n values, P(√n·D > 2.7) ≈ 2·exp(−2·2.7²) = 9·10⁻⁷).
const N = 100_000;
const SIGMAS = 4.9;

function ksDistance(values: Float64Array, cdf: (x: number) => number): number {
  const sorted = values.slice().sort();
  let worst = 0;
  for (const [i, x] of sorted.entries()) {
    const p = cdf(x);
    worst = Math.max(worst, p - i / sorted.length, (i + 1) / sorted.length - p);
  }
  return worst * Math.sqrt(sorted.length);
}

/** Normal distribution function: Taylor series of erf, exact enough (1e-12) for |x| < 6. */
function normalCdf(x: number): number {
  const z = x / Math.SQRT2;
  let term = z;
  let sum = z;
  for (let k = 1; Math.abs(term) > 1e-17; k++) {
    term *= (-z * z) / k;
    sum += term / (2 * k + 1);
  }
  return 0.5 + sum / Math.sqrt(Math.PI);
}

function moments(values: Float64Array): { mean: number; variance: number; lag1: number } {
  const mean = values.reduce((a, x) => a + x, 0) / values.length;
  let square = 0;
  let lag = 0;
  for (const [i, x] of values.entries()) {
    square += (x - mean) ** 2;
    if (i > 0) lag += (x - mean) * (values[i - 1]! - mean);
  }
  return { mean, variance: square / values.length, lag1: lag / square };
}

describe.each([1, 2, 1337])('distributions, seed %d', (seed) => {
  it('uniform01 is uniform on [0, 1), neighbours independent', () => {
    const values = uniform01(deriveSeed(seed, 'uniform'), N);
    expect(values.every((x) => x >= 0 && x < 1)).toBe(true);
    expect(ksDistance(values, (x) => x)).toBeLessThan(2.7);
    // A correlation of independent values has standard deviation 1/√n.
    expect(Math.abs(moments(values).lag1)).toBeLessThan(SIGMAS / Math.sqrt(N));
    // Pairs over a 16 × 16 grid: χ² of 255 degrees of freedom has mean 255 and standard deviation √510; its right tail
    // at 6 standard deviations is about 10⁻⁷.
    const cells = new Float64Array(256);
    for (let i = 0; i < N; i += 2) cells[Math.floor(values[i]! * 16) * 16 + Math.floor(values[i + 1]! * 16)]!++;
    const expected = N / 2 / 256;
    const chi2 = cells.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
    expect(Math.abs(chi2 - 255)).toBeLessThan(6 * Math.sqrt(510));
  });

  it('each of the 53 bits of uniform01 is set half of the time', () => {
    const values = uniform01(deriveSeed(seed, 'bits'), 10_000);
    for (let bit = 1; bit <= 53; bit++) {
      const set = values.reduce((n, x) => n + (Math.floor(x * 2 ** bit) % 2), 0);
      // Binomial: standard deviation √n / 2; 53 bits are tested, so half a standard deviation more.
      expect(Math.abs(set - 5000), `bit ${bit}`).toBeLessThan((SIGMAS + 0.7) * 50);
    }
  });

  it('normal is standard normal, its pairs independent', () => {
    const values = normal(deriveSeed(seed, 'normal'), N);
    const { mean, variance, lag1 } = moments(values);
    expect(Math.abs(mean)).toBeLessThan(SIGMAS / Math.sqrt(N));
    expect(Math.abs(variance - 1)).toBeLessThan(SIGMAS * Math.sqrt(2 / N)); // Var(x²) = 2
    expect(Math.abs(lag1)).toBeLessThan(SIGMAS / Math.sqrt(N));
    expect(ksDistance(values, normalCdf)).toBeLessThan(2.7);
    // Squares of the two members of a Box–Muller pair share their radius: they must be uncorrelated all the same.
    const squares = values.map((x) => x * x);
    expect(Math.abs(moments(squares).lag1)).toBeLessThan(SIGMAS / Math.sqrt(N));
  });

  it.each([2, 0.5])('truncatedNormal within %d standard deviations', (bound) => {
    const values = truncatedNormal(deriveSeed(seed, 'truncated'), N, bound);
    expect(values.every((x) => Math.abs(x) <= bound)).toBe(true);
    const low = normalCdf(-bound);
    expect(ksDistance(values, (x) => (normalCdf(x) - low) / (1 - 2 * low))).toBeLessThan(2.7);
    // 1 − 2·bound·φ(bound) / (1 − 2Φ(−bound)) is the variance; the squares' is below it, since they are below bound².
    const density = Math.exp((-bound * bound) / 2) / Math.sqrt(2 * Math.PI);
    const variance = 1 - (2 * bound * density) / (1 - 2 * low);
    expect(Math.abs(moments(values).variance - variance)).toBeLessThan((SIGMAS * bound * bound) / 2 / Math.sqrt(N));
  });

  it('permutation has all 24 orders of 4 equally often', () => {
    const counts = new Map<string, number>();
    for (let step = 0; step < 24_000; step++) {
      const order = permutation(seed, step, 4).join('');
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    const chi2 = [...counts.values()].reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0);
    expect(counts.size).toBe(24);
    expect(chi2).toBeLessThan(72.4); // χ² of 23 degrees of freedom exceeds this with probability 5·10⁻⁷
  });

  it('below has no modulo bias', () => {
    // word % n without rejection would be below 2³⁰ half of the time for n = 3·2³⁰, not a third.
    const stream = new RandomStream(deriveSeed(seed, 'below'));
    let low = 0;
    for (let i = 0; i < N; i++) if (stream.below(3 * 2 ** 30) < 2 ** 30) low++;
    expect(Math.abs(low - N / 3)).toBeLessThan(SIGMAS * Math.sqrt((N * 2) / 9));
  });
});

describe('streams', () => {
  const key = deriveSeed(5, 'stream');

  it('element i depends on the key and i alone', () => {
    expect(normal(key, 7)).toEqual(normal(key, 1000).slice(0, 7));
    expect(uniform01(key, 7)).toEqual(uniform01(key, 1000).slice(0, 7));
    expect(truncatedNormal(key, 7, 1)).toEqual(truncatedNormal(key, 1000, 1).slice(0, 7));
    expect(normal(deriveSeed(6, 'stream'), 7)).not.toEqual(normal(key, 7));
  });

  it('RandomStream gives the words of successive blocks', () => {
    const stream = new RandomStream(key);
    const drawn = Array.from({ length: 8 }, () => stream.word());
    expect(drawn).toEqual([...randomBits(key, [0]), ...randomBits(key, [1])]);
  });

  it('RandomStream.uniform takes two words for 53 bits', () => {
    const stream = new RandomStream(key);
    expect(Array.from({ length: 7 }, () => stream.uniform())).toEqual(Array.from(uniform01(key, 7)));
  });

  it('permutation is one, differs by step and seed, and takes 0 and 1', () => {
    const order = permutation(1, 2, 1000);
    expect(Array.from(order).sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect(permutation(1, 2, 1000)).toEqual(order);
    expect(permutation(1, 3, 1000)).not.toEqual(order);
    expect(permutation(2, 2, 1000)).not.toEqual(order);
    expect(permutation(1, 2, 0)).toHaveLength(0);
    expect(Array.from(permutation(1, 2, 1))).toEqual([0]);
  });

  it('refuses impossible arguments', () => {
    expect(() => truncatedNormal(key, 1, 0.01)).toThrow('at least 0.1');
    expect(() => new RandomStream(key).below(0)).toThrow('from 1');
  });
});
