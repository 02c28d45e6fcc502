import { dimMul } from '../base/dim.ts';
import { QkvError } from '../base/errors.ts';
import type { Value } from '../graph/value.ts';
import type { HeadName } from '../models/encoderHead.ts';
import type { EncoderModel } from '../models/model.ts';
import { rowsAt } from '../nn/sequences.ts';
import { crossEntropy } from '../ops/loss.ts';
import { argmax } from '../ops/reduce.ts';
import { reshape } from '../ops/shape.ts';
import { logSoftmax } from '../ops/softmax.ts';
import { topIndices, topValues } from '../ops/topK.ts';
import type { EncoderTask, TaskInputs } from './session.ts';

/** The outputs of a model's head, as `EncoderHead` names them; of multiple choice `logits` [1] of each text with its choice. */
export function headTask({ head }: EncoderModel): EncoderTask {
  return { label: head.name, outputs: ({ root, x }) => head.outputs(root, x) };
}

/** The `k` most probable words at some positions: `topIds` and their log-probabilities `topValues`, [B, M, k]. */
export function maskedWordsTask(model: EncoderModel, k: number): EncoderTask {
  return {
    label: `${k} words`,
    atPositions: true,
    outputs: (inputs) => {
      const logProbs = logSoftmax(wordLogits(model, inputs));
      return { topIds: topIndices(logProbs, k), topValues: topValues(logProbs, k) };
    },
  };
}

/** Of a target for each of some positions: its loss, −log P, `losses` [B, M], and the most probable word, `best` [B, M]. */
export function targetWordsTask(model: EncoderModel): EncoderTask {
  return {
    label: 'losses of words',
    atPositions: true,
    hasTargets: true,
    outputs: (inputs) => {
      const { shape } = inputs.positions!;
      const count = dimMul(shape[0]!, shape[1]!);
      const logits = reshape(wordLogits(model, inputs), [count, model.vocabSize]);
      const losses = crossEntropy(logits, reshape(inputs.targets!, [count]));
      return { losses: reshape(losses, shape), best: reshape(argmax(logits, 1), shape) };
    },
  };
}

/** [B, M, V]; the head sees the rows at the positions alone: the product with the table of all words is most of its work. */
function wordLogits({ head, vocabSize }: EncoderModel, { root, x, positions }: TaskInputs): Value {
  const [batch, length] = [positions!.shape[0]!, positions!.shape[1]!];
  const outputs = head.outputs(root, { rows: rowsAt(x, positions!), batch, length });
  return reshape((outputs['logits'] ?? outputs['predictionLogits'])!, [batch, length, vocabSize]);
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
