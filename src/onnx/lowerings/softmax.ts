import type { SoftmaxOps } from '../../ops/softmax.ts';
import type { LoweringTable } from '../lowering.ts';
import * as onnx from '../operators.gen.ts';

export const softmaxLowerings: LoweringTable<SoftmaxOps> = {
  softmax: (cx, _, [x]) => onnx.softmax(cx.b, x!, { axis: -1 }),
  logSoftmax: (cx, _, [x]) => onnx.logSoftmax(cx.b, x!, { axis: -1 }),
};
