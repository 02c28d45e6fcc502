import { QkvError } from '../base/errors.ts';
import { checkPaired } from './checkPaired.ts';
import { type AveragedScores, averagedScores, type MatchCounts } from './precisionRecall.ts';
import { checkOptions } from './segments.ts';

/** A class by name or by number; one kind in one evaluation. */
export type Label = string | number;

export interface ClassificationOptions {
  /** All classes. Another label is an error, and one that never occurs counts as 0 in `macro`. By default those that occur. */
  readonly labels?: readonly Label[];
}

export interface ClassificationScores extends AveragedScores<Label> {
  /** Share of the items whose label is right, 0 to 1. */
  readonly accuracy: number;
  /** Correlation of predicted and actual class, −1 to 1; 0 where it is undefined, since a side has one class only. */
  readonly matthews: number;
}

export interface MultiLabelScores extends AveragedScores<Label> {
  /** Share of the items whose set of labels is exactly right, 0 to 1. */
  readonly accuracy: number;
}

/**
 * Scores of a classifier that gives each item one class, as scikit-learn defines them. In a task with two classes, F1 means
 * that of the positive one: `byLabel.get(1)`.
 *
 *     matthews = (c·s − Σₖ pₖtₖ) / √((s² − Σₖ pₖ²)(s² − Σₖ tₖ²))
 *
 * with s items, c of them right, class k predicted pₖ times and true tₖ times (Gorodkin 2004,
 * https://doi.org/10.1016/j.compbiolchem.2004.09.006).
 *
 * @throws QkvError `data` on no items, unequal numbers of them, NaN, names mixed with numbers, and a label not among `labels`
 */
export function classificationScores(
  predicted: ArrayLike<Label>,
  actual: ArrayLike<Label>,
  options: ClassificationOptions = {},
): ClassificationScores {
  const where = 'classificationScores';
  checkOptions(where, options, ['labels']);
  checkPaired(where, predicted, actual);
  const items = predicted.length;
  const counts = labelCounts(where, Array.from(predicted), Array.from(actual), options.labels);
  let correct = 0;
  for (let i = 0; i < items; i++) {
    if (predicted[i] !== actual[i]) continue;
    correct++;
    counts.get(actual[i]!)!.matched++;
  }
  let [crossed, predictedSquares, actualSquares] = [0, 0, 0];
  for (const { predicted: p, actual: t } of counts.values()) {
    crossed += p * t;
    predictedSquares += p * p;
    actualSquares += t * t;
  }
  const spread = (items * items - predictedSquares) * (items * items - actualSquares);
  return {
    accuracy: correct / items,
    matthews: spread === 0 ? 0 : (correct * items - crossed) / Math.sqrt(spread),
    ...averagedScores(counts),
  };
}

/**
 * Scores of a classifier that gives each item any number of classes, as scikit-learn defines them for indicator matrices.
 *
 * @throws QkvError `data` as {@link classificationScores}
 */
export function multiLabelScores(
  predicted: readonly (readonly Label[])[],
  actual: readonly (readonly Label[])[],
  options: ClassificationOptions = {},
): MultiLabelScores {
  const where = 'multiLabelScores';
  checkOptions(where, options, ['labels']);
  checkPaired(where, predicted, actual);
  const predictedSets = predicted.map((labels) => new Set(labels));
  const actualSets = actual.map((labels) => new Set(labels));
  const all = (sets: readonly ReadonlySet<Label>[]): Label[] => sets.flatMap((labels) => [...labels]);
  const counts = labelCounts(where, all(predictedSets), all(actualSets), options.labels);
  let exact = 0;
  for (const [i, labels] of predictedSets.entries()) {
    const shared = [...labels].filter((label) => actualSets[i]!.has(label));
    for (const label of shared) counts.get(label)!.matched++;
    if (shared.length === labels.size && shared.length === actualSets[i]!.size) exact++;
  }
  return { accuracy: exact / predicted.length, ...averagedScores(counts) };
}

/** How often each class is predicted and true; `matched` is left at 0. */
function labelCounts(
  where: string,
  predicted: readonly Label[],
  actual: readonly Label[],
  labels: readonly Label[] | undefined,
): Map<Label, MatchCounts> {
  const known = [...new Set(labels ?? [...actual, ...predicted])];
  if (labels === undefined) known.sort((a, b) => (a < b ? -1 : 1));
  const counts = new Map(known.map((label): [Label, MatchCounts] => [label, { matched: 0, predicted: 0, actual: 0 }]));
  const kind = typeof known[0];
  const countOf = (label: Label, side: string): MatchCounts => {
    if (Number.isNaN(label) || (typeof label !== kind && known.length > 0)) {
      const expected = kind === 'number' ? 'a number, as other labels are' : 'a string, as other labels are';
      throw new QkvError('data', { where: `${where}: ${side}`, got: JSON.stringify(label) ?? 'undefined', expected });
    }
    const found = counts.get(label);
    if (!found) {
      const expected = `one of ${known.join(', ')}`;
      throw new QkvError('data', { where: `${where}: ${side}`, got: JSON.stringify(label), expected });
    }
    return found;
  };
  for (const label of actual) countOf(label, 'actual').actual++;
  for (const label of predicted) countOf(label, 'predicted').predicted++;
  return counts;
}
