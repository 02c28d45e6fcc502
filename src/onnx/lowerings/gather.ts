import type { GatherOps } from '../../ops/gather.ts';
import type { LoweringTable } from '../lowering.ts';
import * as onnx from '../operators.gen.ts';

export const gatherLowerings: LoweringTable<GatherOps> = {
  gather: (cx, _, [table, index]) => onnx.gather(cx.b, table!, index!, { axis: 0 }),
  scatterAdd: (cx, value, [base, index, rows]) => {
    const column = cx.once(`scatter index ${value.inputs[1]!.id}`, () =>
      onnx.cast(cx.b, onnx.unsqueeze(cx.b, index!, cx.longs([1])), { to: 'int64' }),
    );
    return onnx.scatterND(cx.b, base!, column, rows!, { reduction: 'add' });
  },
  takeAlong: (cx, _, [x, index]) => {
    const column = onnx.unsqueeze(cx.b, index!, cx.longs([-1]));
    return onnx.squeeze(cx.b, onnx.gatherElements(cx.b, x!, column, { axis: -1 }), cx.longs([-1]));
  },
};
