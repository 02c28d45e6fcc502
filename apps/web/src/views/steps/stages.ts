/** One token's way through one head and its layer, in the order of the formula. */
export const STAGES = [
  'query',
  'keys',
  'products',
  'scaled',
  'masked',
  'softmax',
  'context',
  'concat',
  'out',
  'residual',
  'norm',
  'mlp',
  'post',
  'logits',
] as const;

export type StageName = (typeof STAGES)[number];

export function sum(a: Float32Array, b: Float32Array): Float32Array {
  return a.map((x, i) => x + b[i]!);
}

export interface Moments {
  readonly mean: number;
  /** √ of the mean square of the differences from the mean. */
  readonly deviation: number;
  /** √ of the mean square. */
  readonly rms: number;
}

export function moments(x: Float32Array): Moments {
  let total = 0;
  let squares = 0;
  for (const one of x) {
    total += one;
    squares += one * one;
  }
  const mean = total / x.length;
  return {
    mean,
    deviation: Math.sqrt(Math.max(0, squares / x.length - mean * mean)),
    rms: Math.sqrt(squares / x.length),
  };
}

/** Row `index` of a row-major matrix of `width` columns. */
export function row(matrix: Float32Array, index: number, width: number): Float32Array {
  return matrix.subarray(index * width, (index + 1) * width);
}

/** The largest |a − b|. */
export function largestDifference(a: Float32Array, b: Float32Array): number {
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i]! - b[i]!));
  return largest;
}
