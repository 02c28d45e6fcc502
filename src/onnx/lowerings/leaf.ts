import type { LeafOps } from '../../ops/leaf.ts';
import type { LoweringTable } from '../lowering.ts';
import * as onnx from '../operators.gen.ts';

const declared = (): never => {
  throw new Error('qkv defect: inputs are declared before anything is lowered');
};

export const leafLowerings: LoweringTable<LeafOps> = {
  input: declared,
  parameter: declared,
  constant: (cx, value) => cx.constant(value.literal!),
  dimSize: (cx, _, __, { dim }) =>
    cx.once(`float ${typeof dim === 'number' ? dim : dim.key}`, () =>
      onnx.cast(cx.b, cx.extentScalar(dim), { to: 'float32' }),
    ),
  iota: (cx, _, __, { size }) => {
    if (typeof size === 'number')
      return cx.constant({ dtype: 'int32', shape: [size], data: Int32Array.from({ length: size }, (_v, i) => i) });
    const zero = cx.b.constant({ dtype: 'int32', shape: [], data: Int32Array.of(0) });
    const one = cx.b.constant({ dtype: 'int32', shape: [], data: Int32Array.of(1) });
    return onnx.range(cx.b, zero, onnx.cast(cx.b, cx.extentScalar(size), { to: 'int32' }), one);
  },
};
