import type { HostTensor } from '../../src/base/tensor.ts';

/** What the summary has a column for. */
export const kinds = ['logits', 'hidden states', 'attentions', 'loss', 'gradients', 'training', 'generation'] as const;
export type Kind = (typeof kinds)[number];

/** One comparison: a difference, and the largest that an honest float32 implementation may have. */
export interface Measure {
  readonly kind: Kind | 'ops';
  readonly name: string;
  readonly difference: number;
  readonly limit: number;
}

/** The limits of fixtures/parity/README.md: about ten times what float32 and float64 differ by in the reference. */
export const limits = {
  output: 1e-5,
  loss: 1e-5,
  gradient: 1e-4,
  zeroGradient: 1e-5,
  score: 1e-4,
  step: 1e-5,
  finalWeight: 2e-5,
  /** Of the original Transformer's run: Adam's ε of 1e-9 amplifies gradients near zero in a few weights. */
  finalWeightSmallEpsilon: 3e-4,
  ops: 2e-6,
} as const;

/** max |a − b| / max |b|; infinite where shapes differ or a value is not finite. */
export function relativeToMax(actual: HostTensor, expected: HostTensor): number {
  const difference = maxDifference(actual, expected);
  return difference === 0 ? 0 : difference / maxAbs(expected.data);
}

/** max |a − b| */
export function maxDifference(actual: HostTensor, expected: HostTensor): number {
  if (actual.shape.join() !== expected.shape.join()) return Number.POSITIVE_INFINITY;
  return maxDifferenceOf(actual.data, expected.data);
}

export function maxDifferenceOf(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!);
    if (!(difference <= most)) most = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
  }
  return most;
}

export function maxAbs(data: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < data.length; i++) most = Math.max(most, Math.abs(data[i]!));
  return most;
}

export function relative(actual: number, expected: number): number {
  return Math.abs(actual - expected) / Math.abs(expected);
}

/** The comparisons beyond their limits, as text; empty where all is well. */
export function faults(measures: readonly Measure[]): string[] {
  return measures
    .filter(({ difference, limit }) => !(difference <= limit))
    .map(
      ({ kind, name, difference, limit }) => `${kind}: ${name} differs by ${difference.toExponential(2)} > ${limit}`,
    );
}
