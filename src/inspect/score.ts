import { QkvError } from '../base/errors.ts';
import { type HostTensor, int32 } from '../base/tensor.ts';
import type { Value } from '../graph/value.ts';
import { Trace } from '../nn/scope.ts';
import { rowsAt } from '../nn/sequences.ts';
import { sub } from '../ops/elementwise.ts';
import { takeAlong } from '../ops/gather.ts';
import { input } from '../ops/leaf.ts';
import { logSoftmax } from '../ops/softmax.ts';
import type { Inspection } from './inspection.ts';
import type { Pass } from './pass.ts';
import { checkedPositions } from './predictions.ts';
import type { Reading } from './reading.ts';
import { wordLogits } from './wordHead.ts';

/** One number that a pass ends in: how much the model is for a token at a position. */
export interface Score {
  readonly position: number;
  readonly token: number;
  /** With it the score is the difference of the two logits. */
  readonly against?: number;
  /** `logit`, the default, or `log-probability`, nats. */
  readonly of?: 'logit' | 'log-probability';
}

/** Its value for each reading of a batch, [B], of inputs `score.position`, `score.token` and `score.against` int32 [B, 1]. */
export function scoreOf(pass: Pass, score: Score): Value {
  const { batch, length, model } = pass;
  const index = (name: string): Value => input(`score.${name}`, 'int32', [batch, 1]);
  const column = (name: string): Value => input(`score.${name}`, 'int32', [batch]);
  const row = rowsAt({ rows: pass.graph.outputs['rows']!, batch, length }, index('position'));
  const logits = wordLogits(model, new Trace().root, row);
  const scores = score.of === 'log-probability' ? logSoftmax(logits) : logits;
  const found = takeAlong(scores, column('token'));
  return score.against === undefined ? found : sub(found, takeAlong(scores, column('against')));
}

/** What tells programs of different scores apart. */
export function scoreLabel({ of = 'logit', against }: Score): string {
  return against === undefined ? of : `${of} difference`;
}

/** @throws QkvError `usage` for a position or a token that there is not */
export function scoreInputs(
  { model }: Inspection,
  reading: Reading,
  { position, token, against = 0 }: Score,
  batch: number,
): Record<string, HostTensor> {
  checkedPositions(reading, [position]);
  for (const id of [token, against]) {
    if (Number.isInteger(id) && id >= 0 && id < model.vocabSize) continue;
    throw new QkvError('usage', { where: 'token', got: `${id}`, expected: `from 0 to ${model.vocabSize - 1}` });
  }
  const all = (value: number): number[] => new Array<number>(batch).fill(value);
  return {
    'score.position': int32([batch, 1], all(position)),
    'score.token': int32([batch], all(token)),
    'score.against': int32([batch], all(against)),
  };
}
