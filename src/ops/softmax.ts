import type { Value } from '../graph/value.ts';
import { exp, mul, sub } from './elementwise.ts';
import { expectDtype, maker, type None, type OpTable, shapeError } from './record.ts';
import { sum } from './reduce.ts';

/** Over the last axis. */
export interface SoftmaxOps {
  softmax: None;
  logSoftmax: None;
}

const type: OpTable<SoftmaxOps>['softmax']['type'] = (inputs, _, op) => {
  if (inputs[0]!.shape.length === 0) throw shapeError(op, inputs, 'one axis or more');
  return { shape: inputs[0]!.shape, dtype: expectDtype(op, inputs, 'float32') };
};

export const softmaxOps: OpTable<SoftmaxOps> = {
  softmax: {
    type,
    // dx = y (g − Σ g y)
    derivative: [(g, y) => mul(y, sub(g, sum(mul(g, y), [-1], true)))],
  },
  logSoftmax: {
    type,
    // dx = g − softmax(x) Σ g
    derivative: [(g, y) => sub(g, mul(exp(y), sum(g, [-1], true)))],
  },
};

const make = maker(softmaxOps);

/** exp(x) / Σ exp(x) over the last axis, computed from x − max(x). */
export function softmax(x: Value): Value {
  return make('softmax', [x], {});
}

/** x − log Σ exp(x) over the last axis. */
export function logSoftmax(x: Value): Value {
  return make('logSoftmax', [x], {});
}
