import { dimEquals } from '../../base/dim.ts';
import type { Value } from '../../graph/value.ts';
import { gemm } from '../lowerings/matmul.ts';
import type { Pattern } from './fusion.ts';

/**
 * A B + C for two matrices and a C that broadcasts to the product: one Gemm, whose C costs nothing. C is a bias, the
 * residual stream, or another product, so that the gradients of queries, keys and values add up on their way.
 */
export const addIntoGemm: Pattern = (value, isPrivate) => {
  if (value.op !== 'add') return undefined;
  const fits = (product: Value, other: Value): boolean =>
    product.op === 'matmul' &&
    isPrivate(product) &&
    product.inputs.every((operand) => operand.shape.length === 2) &&
    product.shape.every((dim, axis) => dimEquals(dim, value.shape[axis]!)) &&
    other.shape.length <= 2;
  const [a, b] = value.inputs as [Value, Value];
  // the later of two products takes the earlier one as its C: it is computed by then
  const [product, other] = fits(b, a) ? [b, a] : [a, b];
  if (value.shape.length !== 2 || !fits(product, other)) return undefined;
  return {
    inside: [product],
    inputs: [...product.inputs, other],
    emit: (cx, [left, right, c]) => gemm(cx, product, left!, right!, c),
  };
};
