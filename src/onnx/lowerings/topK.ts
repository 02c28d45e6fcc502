import type { Value } from '../../graph/value.ts';
import type { TopKOps } from '../../ops/topK.ts';
import type { LoweringContext, LoweringTable } from '../lowering.ts';
import type { OnnxValue } from '../modelBuilder.ts';
import * as onnx from '../operators.gen.ts';

export const topKLowerings: LoweringTable<TopKOps> = {
  topValues: (cx, value, [x], { k }) => select(cx, value, x!, k)[0],
  topIndices: (cx, value, [x], { k }) => onnx.cast(cx.b, select(cx, value, x!, k)[1], { to: 'int32' }),
};

/** One TopK for both: whichever is written first leaves the other's half behind. */
function select(cx: LoweringContext, { inputs }: Value, x: OnnxValue, k: number): [OnnxValue, OnnxValue] {
  const key = `top ${k} of ${inputs[0]!.id}`;
  const known = [cx.recall(`${key} values`), cx.recall(`${key} indices`)];
  if (known[0] && known[1]) return known as [OnnxValue, OnnxValue];
  const made = onnx.topK(cx.b, x, cx.longs([k]), { axis: -1, largest: true, sorted: true });
  cx.remember(`${key} values`, made[0]);
  cx.remember(`${key} indices`, made[1]);
  return made;
}
