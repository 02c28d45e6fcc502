import type { Value } from '../../graph/value.ts';
import type { MatmulAttributes, MatmulOps } from '../../ops/matmul.ts';
import type { LoweringContext, LoweringTable } from '../lowering.ts';
import type { OnnxValue } from '../modelBuilder.ts';
import * as onnx from '../operators.gen.ts';

export const matmulLowerings: LoweringTable<MatmulOps> = {
  matmul: (cx, value, [a, b], attrs) => {
    const { transposeA, transposeB, alpha } = attrs;
    const [rankA, rankB] = value.inputs.map((input) => input.shape.length) as [number, number];
    if (!transposeA && !transposeB && alpha === 1) return onnx.matMul(cx.b, a!, b!);
    if (rankA === 2 && rankB === 2) return gemm(cx, value, a!, b!, undefined);
    if (cx.contrib) return onnx.fusedMatMul(cx.b, a!, b!, { transA: transposeA, transB: transposeB, alpha });
    return plain(cx, [a!, rankA], [b!, rankB], attrs);
  },
};

/**
 * alpha · op(A) op(B) + C for the operands of a product of matrices. A weight's gradient, Aᵀ B, gets its A transposed first:
 * a pass over A once, whatever the number of products that read it, where Gemm would gather columns in every one.
 */
export function gemm(
  cx: LoweringContext,
  product: Value,
  a: OnnxValue,
  b: OnnxValue,
  c: OnnxValue | undefined,
): OnnxValue {
  const { transposeA, transposeB, alpha } = product.attrs as unknown as MatmulAttributes;
  if (!transposeA || transposeB) return onnx.gemm(cx.b, a, b, c, { transA: transposeA, transB: transposeB, alpha });
  const columns = cx.once(`transposed ${product.inputs[0]!.id}`, () => onnx.transpose(cx.b, a, { perm: [1, 0] }));
  return onnx.gemm(cx.b, columns, b, c, { alpha });
}

/** The same in standard operators: transpose, multiply, scale. */
function plain(
  cx: LoweringContext,
  [a, rankA]: [OnnxValue, number],
  [b, rankB]: [OnnxValue, number],
  attrs: MatmulAttributes,
): OnnxValue {
  const left = attrs.transposeA ? onnx.transpose(cx.b, a, { perm: swapLast(rankA) }) : a;
  const right = attrs.transposeB ? onnx.transpose(cx.b, b, { perm: swapLast(rankB) }) : b;
  const scaled = attrs.alpha === 1 ? left : onnx.mul(cx.b, left, cx.float(attrs.alpha));
  return onnx.matMul(cx.b, scaled, right);
}

function swapLast(rank: number): number[] {
  return [...Array(rank - 2).keys(), rank - 1, rank - 2];
}
