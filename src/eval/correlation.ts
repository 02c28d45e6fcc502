import { QkvError } from '../base/errors.ts';
import { checkPaired } from './checkPaired.ts';

/**
 * Pearson's correlation of two series, −1 to 1, as scipy's `pearsonr`; NaN where a side is constant: there it is undefined.
 *
 *     r = Σ (xᵢ − x̄)(yᵢ − ȳ) / √(Σ (xᵢ − x̄)² · Σ (yᵢ − ȳ)²)
 *
 * @throws QkvError `data` on fewer than two items, unequal numbers of them, and a value that is not finite
 */
export function pearson(predicted: ArrayLike<number>, actual: ArrayLike<number>): number {
  checkSeries('pearson', predicted, actual);
  return correlate(Float64Array.from(predicted), Float64Array.from(actual));
}

/**
 * Spearman's correlation, as scipy's `spearmanr`: Pearson's of the ranks, where equal values share the mean of their ranks.
 *
 * @throws QkvError `data` as {@link pearson}
 */
export function spearman(predicted: ArrayLike<number>, actual: ArrayLike<number>): number {
  checkSeries('spearman', predicted, actual);
  return correlate(averageRanks(predicted), averageRanks(actual));
}

function checkSeries(where: string, predicted: ArrayLike<number>, actual: ArrayLike<number>): void {
  checkPaired(where, predicted, actual);
  if (predicted.length < 2) throw new QkvError('data', { where, got: 'one item', expected: 'at least two' });
  for (const [side, values] of Object.entries({ predicted, actual })) {
    const i = Array.from(values).findIndex((value) => !Number.isFinite(value));
    if (i >= 0) {
      throw new QkvError('data', {
        where: `${where}: ${side}[${i}]`,
        got: String(values[i]),
        expected: 'a finite number',
      });
    }
  }
}

function correlate(x: Float64Array, y: Float64Array): number {
  // Compared exactly: the mean of equal values is rounded, so their deviations need not be 0.
  if (isConstant(x) || isConstant(y)) return Number.NaN;
  const [xUnit, yUnit] = [unitDeviations(x), unitDeviations(y)];
  const r = xUnit.reduce((sum, value, i) => sum + value * yUnit[i]!, 0);
  return Math.max(-1, Math.min(1, r));
}

function isConstant(values: Float64Array): boolean {
  return values.every((value) => value === values[0]);
}

/** Deviations from the mean, scaled to length 1; divided by the largest first, so that no square overflows or vanishes. */
function unitDeviations(values: Float64Array): Float64Array {
  const mean = values.reduce((sum, value) => sum + value / values.length, 0);
  const deviations = values.map((value) => value - mean);
  const largest = deviations.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const scaled = deviations.map((value) => value / largest);
  const norm = Math.sqrt(scaled.reduce((sum, value) => sum + value * value, 0));
  return scaled.map((value) => value / norm);
}

/** Ranks from 1; each of n equal values has the mean of the n ranks that they take up. */
function averageRanks(values: ArrayLike<number>): Float64Array {
  const order = Array.from(values, (_, i) => i).sort((a, b) => values[a]! - values[b]!);
  const ranks = new Float64Array(values.length);
  for (let start = 0, end = 0; start < order.length; start = end) {
    while (end < order.length && values[order[end]!] === values[order[start]!]) end++;
    for (let i = start; i < end; i++) ranks[order[i]!] = (start + 1 + end) / 2;
  }
  return ranks;
}
