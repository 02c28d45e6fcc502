import { type Shape, shapeSize } from '../../base/dim.ts';
import type { Value } from '../../graph/value.ts';
import type { ReduceOps } from '../../ops/reduce.ts';
import type { LoweringContext, LoweringTable } from '../lowering.ts';
import type { OnnxValue } from '../modelBuilder.ts';
import * as onnx from '../operators.gen.ts';

export const reduceLowerings: LoweringTable<ReduceOps> = {
  sum: (cx, value, [x], { axes, keepDims }) => {
    const input = value.inputs[0]!;
    const rows = input.shape[0]!;
    const overRows = input.dtype === 'float32' && axes.length === 1 && axes[0] === 0 && input.shape.length === 2;
    // A column sum is a product with a row of ones, which runs at the speed of memory on all threads; ReduceSum does not.
    if (overRows && rows !== 0 && input.shape[1] !== 0) {
      const total = onnx.matMul(cx.b, ones(cx, [1, rows]), x!);
      return keepDims ? total : cx.reshape(total, [1, input.shape[1]!], [input.shape[1]!]);
    }
    return onnx.reduceSum(cx.b, x!, cx.longs(axes), { keepdims: keepDims });
  },
  mean: (cx, value, [x], { axes, keepDims }) =>
    (keepDims && cx.recall(`mean ${lastAxisKey(value, axes)}`)) ||
    onnx.reduceMean(cx.b, x!, cx.longs(axes), { keepdims: keepDims }),
  max: (cx, _, [x], { axes, keepDims }) => onnx.reduceMax(cx.b, x!, cx.longs(axes), { keepdims: keepDims }),
  argmax: (cx, _, [x], { axis }) => onnx.cast(cx.b, onnx.argMax(cx.b, x!, { axis, keepdims: false }), { to: 'int32' }),
  cumsum: (cx, _, [x], { axis, exclusive, reverse }) =>
    onnx.cumSum(cx.b, x!, cx.b.constant({ dtype: 'int32', shape: [], data: Int32Array.of(axis) }), {
      exclusive,
      reverse,
    }),
};

/** The mean over the last axis of a value that a layer norm has met is the layer norm's by-product. */
function lastAxisKey(value: Value, axes: readonly number[]): string {
  const x = value.inputs[0]!;
  return axes.length === 1 && axes[0] === x.shape.length - 1 ? `${x.id}` : 'none';
}

function ones(cx: LoweringContext, shape: Shape): OnnxValue {
  const size = shapeSize(shape);
  if (typeof size === 'number')
    return cx.constant({ dtype: 'float32', shape: shape as number[], data: new Float32Array(size).fill(1) });
  return cx.once(`ones ${size.key}`, () =>
    onnx.expand(cx.b, cx.constant({ dtype: 'float32', shape: [1, 1], data: Float32Array.of(1) }), cx.shape(shape)),
  );
}
