import { dimEquals, shapeEquals, shapeSize } from '../base/dim.ts';
import { float32 } from '../base/tensor.ts';
import type { Value } from '../graph/value.ts';
import { cast, equal, mul, not, where } from './elementwise.ts';
import { constant, intConstant, iota, scalarConstant } from './leaf.ts';
import { expectDtype, maker, type NoDerivative, type None, type OpTable, shapeError } from './record.ts';
import { expand, reshape } from './shape.ts';

export interface GatherOps {
  /** The row `untrained` passes no gradient to the table. */
  gather: { readonly untrained: number | null };
  scatterAdd: None;
  takeAlong: None;
}

const indices: NoDerivative = { none: 'indices are integers' };

export const gatherOps: OpTable<GatherOps> = {
  gather: {
    type: (inputs, _, op) => {
      const [table, index] = inputs as [Value, Value];
      expectDtype(op, [index], 'int32');
      if (table.shape.length === 0) throw shapeError(op, inputs, 'a table with one axis or more');
      return { shape: [...index.shape, ...table.shape.slice(1)], dtype: table.dtype };
    },
    derivative: [
      (g, _, [table, index], { untrained }) => {
        const count = shapeSize(index!.shape);
        const rows = reshape(g, [count, ...table!.shape.slice(1)]);
        const flat = reshape(index!, [count]);
        if (untrained === null) return scatterAdd(zeros(table!), flat, rows);
        const trained = cast(not(equal(flat, intConstant(untrained))), 'float32');
        return scatterAdd(
          zeros(table!),
          flat,
          mul(rows, reshape(trained, [count, ...table!.shape.slice(1).map(() => 1)])),
        );
      },
      indices,
    ],
  },
  scatterAdd: {
    type: (inputs, _, op) => {
      const [base, index, rows] = inputs as [Value, Value, Value];
      expectDtype(op, [index], 'int32');
      const fits =
        index.shape.length === 1 &&
        dimEquals(index.shape[0]!, rows.shape[0] ?? -1) &&
        shapeEquals(rows.shape.slice(1), base.shape.slice(1));
      if (!fits) throw shapeError(op, inputs, 'base [R, ...], indices [N] and rows [N, ...]');
      return { shape: base.shape, dtype: expectDtype(op, [base, rows], 'float32') };
    },
    derivative: [(g) => g, indices, (g, _, [, index]) => gather(g, index!)],
  },
  takeAlong: {
    type: (inputs, _, op) => {
      const [x, index] = inputs as [Value, Value];
      expectDtype(op, [index], 'int32');
      if (x.shape.length === 0 || !shapeEquals(x.shape.slice(0, -1), index.shape))
        throw shapeError(op, inputs, 'x [..., N] and indices [...]');
      return { shape: index.shape, dtype: x.dtype };
    },
    derivative: [
      // g at the chosen places, 0 elsewhere
      (g, _, [x, index]) => {
        const chosen = equal(reshape(index!, [...index!.shape, 1]), iota(x!.shape.at(-1)!));
        return where(chosen, reshape(g, [...g.shape, 1]), scalarConstant(0));
      },
      indices,
    ],
  },
};

const make = maker(gatherOps);

/**
 * Rows of a table: [R, ...] and int32 [*] → [*, ...]. Indices run from 0 to R − 1. Lookups of the row `untrained` pass it
 * no gradient, as PyTorch's `padding_idx` has it.
 */
export function gather(table: Value, index: Value, untrained: number | null = null): Value {
  return make('gather', [table, index], { untrained });
}

/** base [R, ...] with rows [N, ...] added at indices [N]; a row that is named twice gets both. */
export function scatterAdd(base: Value, index: Value, rows: Value): Value {
  return make('scatterAdd', [base, index, rows], {});
}

/** One element of the last axis for each position: x [..., N] and int32 [...] → [...]. */
export function takeAlong(x: Value, index: Value): Value {
  return make('takeAlong', [x, index], {});
}

/** Zeros of a value's shape. */
export function zeros(like: Value): Value {
  return expand(
    constant(
      float32(
        like.shape.map(() => 1),
        [0],
      ),
    ),
    like.shape,
  );
}

/** Whether a value is zeros of any shape: a zero constant, or one that was expanded. */
export function isZero(value: Value | undefined): boolean {
  if (value?.op === 'expand') return isZero(value.inputs[0]);
  return value?.literal !== undefined && value.literal.data.length > 0 && value.literal.data.every((x) => x === 0);
}
