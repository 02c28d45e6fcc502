import { QkvError } from '../base/errors.ts';
import type { HeadName } from '../models/encoderHead.ts';
import type { EncoderModel } from '../models/model.ts';
import { rowsAt } from '../nn/sequences.ts';
import { reshape } from '../ops/shape.ts';
import { logSoftmax } from '../ops/softmax.ts';
import { topIndices, topValues } from '../ops/topK.ts';
import type { EncoderTask } from './session.ts';

/** The outputs of a model's head, as `EncoderHead` names them; of multiple choice `logits` [1] of each text with its choice. */
export function headTask({ head }: EncoderModel): EncoderTask {
  return { label: head.name, outputs: ({ root, x }) => head.outputs(root, x) };
}

/** The `k` most probable words at some positions: `topIds` and their log-probabilities `topValues`, [B, M, k]. */
export function maskedWordsTask({ head, vocabSize }: EncoderModel, k: number): EncoderTask {
  return {
    label: `${k} words`,
    atPositions: true,
    outputs: ({ root, x, positions }) => {
      const [batch, count] = [positions!.shape[0]!, positions!.shape[1]!];
      // the head sees these rows alone: the product with the table of all words is most of its work
      const outputs = head.outputs(root, { rows: rowsAt(x, positions!), batch, length: count });
      const logits = (outputs['logits'] ?? outputs['predictionLogits'])!;
      const logProbs = logSoftmax(reshape(logits, [batch, count, vocabSize]));
      return { topIds: topIndices(logProbs, k), topValues: topValues(logProbs, k) };
    },
  };
}

/** What each head is for, as functions and commands are named. */
const uses: Readonly<Record<HeadName, string>> = {
  encoder: 'embed',
  pretraining: 'fillMask (fill-mask) and classify',
  'masked-lm': 'fillMask (fill-mask)',
  'next-sentence': 'classify',
  'sequence-classification': 'classify',
  'token-classification': 'tag',
  'question-answering': 'answer',
  'multiple-choice': 'choose (classify --choice)',
};

/** @throws QkvError `usage` for a model with another head than one of these */
export function requireHead({ head, family }: EncoderModel, where: string, heads: readonly HeadName[]): void {
  if (heads.includes(head.name)) return;
  throw new QkvError('usage', {
    where,
    got: head.name === 'encoder' ? `a ${family} model without a head` : `a ${family} model with the head ${head.name}`,
    expected: `a model with the head ${heads.join(' or ')}`,
    hint: `This one is for ${uses[head.name]}`,
  });
}
