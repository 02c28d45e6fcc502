import { deriveSeed, normal } from '../../../../../src/base/random.ts';

export const KEYS = 24;
export const QUERIES = 200;

/** Products of random queries and keys, of standard normal entries of width K. */
export interface DrawnScores {
  /** [QUERIES · KEYS] q·k, the keys of a query one behind the other. */
  readonly products: Float64Array;
  readonly mean: number;
  readonly variance: number;
}

export function drawScores(width: number, seed: number): DrawnScores {
  const queries = normal(deriveSeed(seed, 'queries', width), QUERIES * width);
  const keys = normal(deriveSeed(seed, 'keys', width), KEYS * width);
  const products = new Float64Array(QUERIES * KEYS);
  for (let q = 0; q < QUERIES; q++) {
    for (let k = 0; k < KEYS; k++) {
      let sum = 0;
      for (let i = 0; i < width; i++) sum += queries[q * width + i]! * keys[k * width + i]!;
      products[q * KEYS + k] = sum;
    }
  }
  const mean = products.reduce((a, b) => a + b, 0) / products.length;
  const variance = products.reduce((sum, x) => sum + (x - mean) ** 2, 0) / products.length;
  return { products, mean, variance };
}

/** exp(s − max) / Σ; zeros where every score is −∞. */
export function softmax(scores: readonly number[]): number[] {
  const most = Math.max(...scores);
  if (most === Number.NEGATIVE_INFINITY) return scores.map(() => 0);
  const powers = scores.map((score) => Math.exp(score - most));
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / total);
}

/** −Σ p ln p, nats. */
export function entropy(weights: readonly number[]): number {
  return weights.reduce((sum, p) => (p > 0 ? sum - p * Math.log(p) : sum), 0);
}

/** Shares of the values in equal bins between the ends, by the middle of each bin. */
export function histogram(
  values: ArrayLike<number>,
  least: number,
  most: number,
  bins: number,
): { x: number; y: number }[] {
  const counts = new Float64Array(bins);
  const size = (most - least) / bins;
  for (let i = 0; i < values.length; i++) {
    const bin = Math.floor((values[i]! - least) / size);
    if (bin >= 0 && bin < bins) counts[bin]!++;
  }
  return Array.from(counts, (count, bin) => ({ x: least + (bin + 0.5) * size, y: count / values.length }));
}
