import type { NormOps } from '../../ops/norm.ts';
import type { LoweringContext, LoweringTable } from '../lowering.ts';
import type { OnnxValue } from '../modelBuilder.ts';
import * as onnx from '../operators.gen.ts';

export const normLowerings: LoweringTable<NormOps> = {
  layerNorm: (cx, value, [x, weight, bias], { epsilon }) => {
    const [y, mean, inverse] = onnx.layerNormalization(cx.b, x!, weight!, bias, { axis: -1, epsilon });
    const id = value.inputs[0]!.id;
    cx.remember(`mean ${id}`, mean);
    cx.remember(`inverseStd ${id} ${epsilon}`, inverse);
    return y;
  },
  rmsNorm: (cx, value, [x, weight], { epsilon }) => {
    if (cx.contrib) {
      const [y, inverse] = onnx.simplifiedLayerNormalization(cx.b, x!, weight!, { axis: -1, epsilon });
      cx.remember(`inverseRms ${value.inputs[0]!.id} ${epsilon}`, inverse);
      return y;
    }
    const inverse = inverseRms(cx, value.inputs[0]!.id, x!, epsilon);
    return onnx.mul(cx.b, onnx.mul(cx.b, x!, inverse), weight!);
  },
  inverseStd: (cx, value, [x], { epsilon }) =>
    cx.once(`inverseStd ${value.inputs[0]!.id} ${epsilon}`, () => {
      const centred = onnx.sub(cx.b, x!, onnx.reduceMean(cx.b, x!, cx.longs([-1]), { keepdims: true }));
      return inverseRoot(cx, centred, epsilon);
    }),
  inverseRms: (cx, value, [x], { epsilon }) => inverseRms(cx, value.inputs[0]!.id, x!, epsilon),
};

function inverseRms(cx: LoweringContext, id: number, x: OnnxValue, epsilon: number): OnnxValue {
  return cx.once(`inverseRms ${id} ${epsilon}`, () => inverseRoot(cx, x, epsilon));
}

/** 1 / √(mean(x²) + ε) over the last axis, kept as 1. */
function inverseRoot(cx: LoweringContext, x: OnnxValue, epsilon: number): OnnxValue {
  const meanSquare = onnx.reduceMean(cx.b, onnx.mul(cx.b, x, x), cx.longs([-1]), { keepdims: true });
  return onnx.reciprocal(cx.b, onnx.sqrt(cx.b, onnx.add(cx.b, meanSquare, cx.float(epsilon))));
}
