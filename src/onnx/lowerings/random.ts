import type { RandomOps } from '../../ops/random.ts';
import type { LoweringContext, LoweringTable } from '../lowering.ts';
import type { OnnxValue } from '../modelBuilder.ts';
import { uint32 } from '../onnxTensor.ts';
import * as onnx from '../operators.gen.ts';
import { leafLowerings } from './leaf.ts';

export const randomLowerings: LoweringTable<RandomOps> = {
  hashBits: (cx, value, [key], { size }) => {
    const counter = leafLowerings.iota(cx, value, [], { size });
    const start = onnx.add(cx.b, onnx.mul(cx.b, counter, int(cx, 0x9e3779b9)), key!);
    // ONNX Runtime multiplies int32 and shifts uint32: the casts between them keep the bits
    const first = onnx.mul(cx.b, xorShift(cx, start, 16), int(cx, 0x85ebca6b));
    const second = onnx.mul(cx.b, xorShift(cx, first, 13), int(cx, 0xc2b2ae35));
    return xorShift(cx, second, 16);
  },
};

function int(cx: LoweringContext, value: number): OnnxValue {
  return cx.constant({ dtype: 'int32', shape: [], data: Int32Array.of(value | 0) });
}

/** x ⊕ (x ≫ by), the shift unsigned. */
function xorShift(cx: LoweringContext, x: OnnxValue, by: number): OnnxValue {
  const bits = onnx.cast(cx.b, x, { to: 'uint32' });
  const shifted = onnx.bitShift(cx.b, bits, cx.b.constant(uint32([], [by])), { direction: 'RIGHT' });
  return onnx.cast(cx.b, onnx.bitwiseXor(cx.b, bits, shifted), { to: 'int32' });
}
