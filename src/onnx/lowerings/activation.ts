import type { ActivationOps } from '../../ops/activation.ts';
import type { LoweringTable } from '../lowering.ts';
import * as onnx from '../operators.gen.ts';

export const activationLowerings: LoweringTable<ActivationOps> = {
  relu: (cx, _, [x]) => onnx.relu(cx.b, x!),
  gelu: (cx, _, [x], { approximate }) => onnx.gelu(cx.b, x!, { approximate }),
  silu: (cx, _, [x]) =>
    cx.contrib ? onnx.quickGelu(cx.b, x!, { alpha: 1 }) : onnx.mul(cx.b, x!, onnx.sigmoid(cx.b, x!)),
};
