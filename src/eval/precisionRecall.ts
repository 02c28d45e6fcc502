/** How many predictions there are, how many items should have been predicted, and how many of them were. */
export interface MatchCounts {
  matched: number;
  predicted: number;
  actual: number;
}

/** 0 to 1 each. */
export interface PrecisionRecallF1 {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
}

export interface LabelScores extends PrecisionRecallF1 {
  /** How many items have this label in truth. */
  readonly support: number;
}

/** Averages over labels. */
export interface AveragedScores<Label> {
  readonly byLabel: ReadonlyMap<Label, LabelScores>;
  /** Of the counts of all labels together. */
  readonly micro: PrecisionRecallF1;
  /** Mean over the labels, each counting the same. */
  readonly macro: PrecisionRecallF1;
  /** Mean over the labels, each counting as often as it is the truth. */
  readonly weighted: PrecisionRecallF1;
}

/**
 * precision = matched / predicted, recall = matched / actual, F1 = 2 · matched / (predicted + actual), their harmonic mean.
 * What would be a division by zero is 0.
 */
export function precisionRecallF1({ matched, predicted, actual }: Readonly<MatchCounts>): PrecisionRecallF1 {
  return {
    precision: ratio(matched, predicted),
    recall: ratio(matched, actual),
    f1: ratio(2 * matched, predicted + actual),
  };
}

/** The scores of each label and their averages. All of them are 0 when there is no label. */
export function averagedScores<Label>(counts: ReadonlyMap<Label, Readonly<MatchCounts>>): AveragedScores<Label> {
  const byLabel = new Map<Label, LabelScores>();
  const total: MatchCounts = { matched: 0, predicted: 0, actual: 0 };
  for (const [label, count] of counts) {
    byLabel.set(label, { ...precisionRecallF1(count), support: count.actual });
    total.matched += count.matched;
    total.predicted += count.predicted;
    total.actual += count.actual;
  }
  const scores = [...byLabel.values()];
  return {
    byLabel,
    micro: precisionRecallF1(total),
    macro: meanScores(scores, () => 1),
    weighted: meanScores(scores, ({ support }) => support),
  };
}

/** Mean of each of the three with the given weights; 0 when the weights sum to 0. */
export function meanScores<Scores extends PrecisionRecallF1>(
  scores: readonly Scores[],
  weight: (scores: Scores) => number,
): PrecisionRecallF1 {
  let [sum, precision, recall, f1] = [0, 0, 0, 0];
  for (const score of scores) {
    const w = weight(score);
    sum += w;
    precision += w * score.precision;
    recall += w * score.recall;
    f1 += w * score.f1;
  }
  return { precision: ratio(precision, sum), recall: ratio(recall, sum), f1: ratio(f1, sum) };
}

function ratio(numerator: number, denominator: number): number {
  return denominator === 0 ? 0 : numerator / denominator;
}
