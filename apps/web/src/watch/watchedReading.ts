import type { HostTensor } from '../../../../src/base/tensor.ts';
import { type Reading, readingOf } from '../../../../src/inspect/reading.ts';
import type { TrainingTask } from '../../../../src/train/task.ts';

/** Tokens of each side that are looked at: as many as a picture shows. */
const MAX_TOKENS = 32;
/** The length that is looked for among the validation texts: long enough to see something. */
const WANTED_TOKENS = 14;
const BATCHES = 40;

/** A text that a person gave, cut to what is shown. */
export function readingOfText({ model, tokenizer }: TrainingTask, text: string, target: string | undefined): Reading {
  const most = Math.min(MAX_TOKENS, model.maxLength - 1);
  const ids = (of: string): readonly number[] => tokenizer.encode(of, { maxLength: most }).ids;
  return target === undefined ? readingOf(model, null, ids(text)) : readingOf(model, ids(text), ids(target));
}

/** Of the first batches of the validation part the row whose length is the best to look at; undefined where there is none. */
export function readingOfValidation({ model, validation }: TrainingTask): Reading | undefined {
  let best: Reading | undefined;
  let worst = Number.POSITIVE_INFINITY;
  for (const { inputs } of Iterator.from(validation()).take(BATCHES)) {
    const length = inputs['inputIds']!.shape.at(-1)!;
    const masks = inputs['attentionMask'] && rowsOf(inputs['attentionMask']);
    for (const [row, all] of rowsOf(inputs['inputIds']!).entries()) {
      const count = masks ? masks[row]!.reduce((sum, one) => sum + one, 0) : length;
      const distance = Math.abs(count - WANTED_TOKENS);
      if (count === 0 || distance >= worst) continue;
      worst = distance;
      const ids = all.slice(0, Math.min(count, MAX_TOKENS));
      if (model.kind === 'encoder-decoder') {
        const labels = rowsOf(inputs['labels']!)[row]!.filter((id) => id >= 0);
        best = readingOf(model, ids, labels.slice(0, MAX_TOKENS - 1));
      } else {
        const segments = inputs['segments'] && rowsOf(inputs['segments'])[row]!.slice(0, ids.length);
        best = { ids, ...(segments && { segments }) };
      }
    }
  }
  return best;
}

/** The last axis of int32 […, T] as lists. */
function rowsOf({ shape, data }: HostTensor): number[][] {
  const length = shape.at(-1)!;
  const values = Array.from(data as Int32Array);
  return Array.from({ length: values.length / length }, (_, row) => values.slice(row * length, (row + 1) * length));
}
