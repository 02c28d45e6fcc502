import type { ShapeOps } from '../../ops/shape.ts';
import type { LoweringTable } from '../lowering.ts';
import * as onnx from '../operators.gen.ts';

export const shapeLowerings: LoweringTable<ShapeOps> = {
  reshape: (cx, value, [x], { shape }) => cx.reshape(x!, value.inputs[0]!.shape, shape),
  transpose: (cx, _, [x], { permutation }) => onnx.transpose(cx.b, x!, { perm: permutation }),
  expand: (cx, _, [x], { shape }) => onnx.expand(cx.b, x!, cx.shape(shape)),
  slice: (cx, _, [x], { axis, start, end }) => onnx.slice(cx.b, x!, cx.extent(start), cx.extent(end), cx.longs([axis])),
  concat: (cx, _, inputs, { axis }) => onnx.concat(cx.b, inputs, { axis }),
  pad: (cx, value, [x], { axis, before, after, value: fill }) => {
    const one = { dtype: value.dtype, shape: [] };
    const filler =
      value.dtype === 'float32'
        ? cx.float(fill)
        : cx.constant({ ...one, data: value.dtype === 'bool' ? Uint8Array.of(fill) : Int32Array.of(fill) });
    return onnx.pad(cx.b, x!, cx.shape([before, after]), filler, cx.longs([axis]));
  },
};
