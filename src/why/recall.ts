import { type Key, RandomStream } from '../base/random.ts';
import { IGNORED_LABEL } from '../data/bucketBatches.ts';
import type { LabelledSequences } from './sequenceLearner.ts';

export interface RecallSizes {
  readonly batch: number;
  /** Positions of a sequence. */
  readonly length: number;
  /** Tokens that are to be remembered, at the beginning. */
  readonly items: number;
}

/** Tokens that may have to be remembered. */
export const RECALL_CLASSES = 16;
/** Those of the gap are others: as many again. One more asks for the items. */
export const RECALL_VOCABULARY: number = 2 * RECALL_CLASSES + 1;
const ASK = 2 * RECALL_CLASSES;

/**
 * Random items at the beginning, then random tokens of another kind, at the end the items once more, in their order, each asked
 * for where ASK or the item before it stands:
 *
 *     a b  · · · · ·  ASK a      labels: − − … − a b
 *
 * From an item to the position that has to know it are `length` − `items` steps.
 */
export function recall(key: Key, { batch, length, items }: RecallSizes): LabelledSequences {
  const stream = new RandomStream(key);
  const ids = new Int32Array(batch * length);
  const labels = new Int32Array(batch * length).fill(IGNORED_LABEL);
  for (let b = 0; b < batch; b++) {
    const start = b * length;
    for (let t = 0; t < length; t++) ids[start + t] = RECALL_CLASSES + stream.below(RECALL_CLASSES);
    const asked = start + length - items;
    for (let i = 0; i < items; i++) {
      const item = stream.below(RECALL_CLASSES);
      ids[start + i] = item;
      ids[asked + i] = ASK;
      labels[asked + i] = item;
      if (i > 0) ids[asked + i] = ids[start + i - 1]!;
    }
  }
  return { ids, labels };
}
