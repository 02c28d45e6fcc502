import { type Dim, type Shape, shapeSize } from '../base/dim.ts';
import type { Value } from '../graph/value.ts';
import { add, cast, div, equal, mul } from './elementwise.ts';
import { dimSize } from './leaf.ts';
import { expectDtype, maker, normalAxis, type OpTable } from './record.ts';
import { expand, reshape } from './shape.ts';

export interface Reduction {
  readonly axes: readonly number[];
  readonly keepDims: boolean;
}

export interface ReduceOps {
  sum: Reduction;
  mean: Reduction;
  max: Reduction;
  argmax: { readonly axis: number };
  cumsum: { readonly axis: number; readonly exclusive: boolean; readonly reverse: boolean };
}

function reducedShape(shape: Shape, { axes, keepDims }: Reduction): Shape {
  return keepDims ? shape.map((dim, i) => (axes.includes(i) ? 1 : dim)) : shape.filter((_, i) => !axes.includes(i));
}

/** A reduced value back over x's shape, ready to be combined with x. */
function spread(reduced: Value, x: Value, attrs: Reduction): Value {
  return reshape(reduced, reducedShape(x.shape, { ...attrs, keepDims: true }));
}

export const reduceOps: OpTable<ReduceOps> = {
  sum: {
    type: (inputs, attrs, op) => ({
      shape: reducedShape(inputs[0]!.shape, attrs),
      dtype: expectDtype(op, inputs, 'float32', 'int32'),
    }),
    derivative: [(g, _, [x], attrs) => expand(spread(g, x!, attrs), x!.shape)],
  },
  mean: {
    type: (inputs, attrs, op) => ({
      shape: reducedShape(inputs[0]!.shape, attrs),
      dtype: expectDtype(op, inputs, 'float32'),
    }),
    derivative: [
      (g, _, [x], attrs) => {
        const count: Dim = shapeSize(attrs.axes.map((axis) => x!.shape[axis]!));
        return expand(div(spread(g, x!, attrs), dimSize(count)), x!.shape);
      },
    ],
  },
  max: {
    type: (inputs, attrs, op) => ({
      shape: reducedShape(inputs[0]!.shape, attrs),
      dtype: expectDtype(op, inputs, 'float32', 'int32'),
    }),
    // the gradient goes to the largest elements, in equal shares where several are largest
    derivative: [
      (g, y, [x], attrs) => {
        const largest = cast(equal(x!, spread(y, x!, attrs)), 'float32');
        return mul(div(spread(g, x!, attrs), sum(largest, attrs.axes, true)), largest);
      },
    ],
  },
  argmax: {
    type: (inputs, { axis }, op) => {
      expectDtype(op, inputs, 'float32');
      return { shape: inputs[0]!.shape.filter((_, i) => i !== axis), dtype: 'int32' };
    },
    derivative: [{ none: 'the result is an integer' }],
  },
  cumsum: {
    type: (inputs, _, op) => ({ shape: inputs[0]!.shape, dtype: expectDtype(op, inputs, 'float32', 'int32') }),
    derivative: [(g, _, __, { axis, exclusive, reverse }) => cumsum(g, axis, { exclusive, reverse: !reverse })],
  },
};

const make = maker(reduceOps);

function reduction(op: 'sum' | 'mean' | 'max', x: Value, axes: readonly number[], keepDims: boolean): Value {
  const normal = [...new Set(axes.map((axis) => normalAxis(op, axis, x.shape.length)))].sort((a, b) => a - b);
  return normal.length === 0 ? x : make(op, [x], { axes: normal, keepDims });
}

export function sum(x: Value, axes: readonly number[], keepDims = false): Value {
  return reduction('sum', x, axes, keepDims);
}

export function mean(x: Value, axes: readonly number[], keepDims = false): Value {
  return reduction('mean', x, axes, keepDims);
}

export function max(x: Value, axes: readonly number[], keepDims = false): Value {
  return reduction('max', x, axes, keepDims);
}

/** int32 index of the first largest element along an axis, which disappears. */
export function argmax(x: Value, axis: number): Value {
  return make('argmax', [x], { axis: normalAxis('argmax', axis, x.shape.length) });
}

export function cumsum(x: Value, axis: number, options: { exclusive?: boolean; reverse?: boolean } = {}): Value {
  const { exclusive = false, reverse = false } = options;
  return make('cumsum', [x], { axis: normalAxis('cumsum', axis, x.shape.length), exclusive, reverse });
}

/** The sum of several values of one shape. */
export function addAll(values: readonly Value[]): Value {
  return values.reduce((a, b) => add(a, b));
}
