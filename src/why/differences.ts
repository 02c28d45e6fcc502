import { figure } from './figures.ts';
import { type Interval, pairedDifference } from './statistics.ts';

/** What the same seeds gave under two conditions. */
export interface Difference {
  /** a − b, seed by seed. */
  readonly interval: Interval;
  /** Whether the 95 % interval leaves 0 out, and on which side it lies. */
  readonly verdict: 'more' | 'less' | 'unseen';
}

export function differenceOf(a: readonly number[], b: readonly number[]): Difference {
  const interval = pairedDifference(a, b);
  const verdict = interval.low > 0 ? 'more' : interval.high < 0 ? 'less' : 'unseen';
  return { interval, verdict };
}

/** `+0.12 (0.05 to 0.19)` */
export function differenceText({ interval: { mean, low, high } }: Difference): string {
  const signed = (value: number): string => `${value < 0 ? '−' : '+'}${figure(Math.abs(value))}`;
  return `${signed(mean)} (${signed(low)} … ${signed(high)})`;
}

export const verdictWords = {
  more: { en: 'more', zh: '更高' },
  less: { en: 'less', zh: '更低' },
  unseen: { en: 'no difference seen', zh: '看不出差别' },
} as const;
