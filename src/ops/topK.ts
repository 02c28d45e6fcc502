import type { Value } from '../graph/value.ts';
import { cast, equal, mul } from './elementwise.ts';
import { iota } from './leaf.ts';
import { type Derivative, expectDtype, maker, type OpRecord, type OpTable, shapeError } from './record.ts';
import { sum } from './reduce.ts';
import { reshape } from './shape.ts';

export interface Selection {
  readonly k: number;
}

/** The k largest elements of the last axis, the largest first: their values, and where they are. One pass gives both. */
export interface TopKOps {
  topValues: Selection;
  topIndices: Selection;
}

function record(result: 'float32' | 'int32', derivative: Derivative<Selection>): OpRecord<Selection> {
  return {
    type: (inputs, { k }, op) => {
      const [x] = inputs as [Value];
      expectDtype(op, inputs, 'float32');
      const width = x.shape.at(-1);
      if (!Number.isInteger(k) || k < 1 || width === undefined || (typeof width === 'number' && k > width)) {
        throw shapeError(op, inputs, `one axis or more, the last of at least k = ${k} elements, and k from 1 on`);
      }
      return { shape: [...x.shape.slice(0, -1), k], dtype: result };
    },
    derivative: [derivative],
  };
}

export const topKOps: OpTable<TopKOps> = {
  // each g goes to where its value came from: dx = Σ_j g_j onehot(index_j)
  topValues: record('float32', (g, _, [x], { k }) => {
    const rank = x!.shape.length;
    const column = [...x!.shape.slice(0, -1), k, 1];
    const chosen = cast(equal(reshape(topIndices(x!, k), column), iota(x!.shape.at(-1)!)), 'float32');
    return sum(mul(chosen, reshape(g, column)), [rank - 1]);
  }),
  topIndices: record('int32', { none: 'the result is an integer' }),
};

const make = maker(topKOps);

/** [..., N] → [..., k]: the k largest elements of each row, in falling order. */
export function topValues(x: Value, k: number): Value {
  return make('topValues', [x], { k });
}

/** [..., N] → int32 [..., k]: where the `topValues` are; of equal elements the first comes first. */
export function topIndices(x: Value, k: number): Value {
  return make('topIndices', [x], { k });
}
