import type { Comparison } from '../../src/check/comparison.ts';

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

/** The limits of fixtures/parity/README.md that are not those of `qkv check`. */
export const limits = {
  score: 1e-4,
  step: 1e-5,
  finalWeight: 2e-5,
  /** Of the original Transformer's run: Adam's ε of 1e-9 amplifies gradients near zero in a few weights. */
  finalWeightSmallEpsilon: 3e-4,
  ops: 2e-6,
} as const;

export function measureOf({ kind, name, ratio, limit }: Comparison): Measure {
  return { kind, name, difference: ratio, limit };
}

/** |a − b| / |b| */
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
