import { type Dim, dimAdd } from '../base/dim.ts';
import type { Value } from '../graph/value.ts';
import { and, cast, lessEqual, mul, sub } from '../ops/elementwise.ts';
import { iota, scalarConstant } from '../ops/leaf.ts';
import { reshape, slice } from '../ops/shape.ts';

/*
 * A mask is boolean, true where a query may look at a key, and of a shape that broadcasts to [B, H, T, S]. It acts as a
 * bias on the scores: 0 where allowed, else a number so low that its softmax is 0. A query that may look nowhere looks
 * everywhere alike, as in the reference implementation; nothing becomes NaN.
 */
const FORBIDDEN = -1e30;

/** bool or int32 [B, S], true (1) at real tokens → bool [B, 1, 1, S]. */
export function paddingMask(attentionMask: Value): Value {
  const [batch, length] = attentionMask.shape as [Dim, Dim];
  return reshape(cast(attentionMask, 'bool'), [batch, 1, 1, length]);
}

/** bool or int32 [B, T, S], true (1) where a query sees a key → bool [B, 1, T, S]. */
export function pairMask(visible: Value): Value {
  const [batch, queries, keys] = visible.shape as [Dim, Dim, Dim];
  return reshape(cast(visible, 'bool'), [batch, 1, queries, keys]);
}

/** Key positions int32 [S] not after query positions int32 [T] → bool [1, 1, T, S]. */
export function causalMask(queryPositions: Value, keyPositions: Value): Value {
  const queries = reshape(queryPositions, [1, 1, queryPositions.shape[0]!, 1]);
  const keys = reshape(keyPositions, [1, 1, 1, keyPositions.shape[0]!]);
  return lessEqual(keys, queries);
}

/** The causal mask of a whole sequence: bool [1, 1, T, T]. */
export function fullCausalMask(length: Dim): Value {
  return causalMask(iota(length), iota(length));
}

export function bothMasks(a: Value | undefined, b: Value | undefined): Value | undefined {
  return a && b ? and(a, b) : (a ?? b);
}

/** The bias on the scores: (1 − allowed) · −1e30. */
export function maskBias(mask: Value): Value {
  return mul(sub(scalarConstant(1), cast(mask, 'float32')), scalarConstant(FORBIDDEN));
}

/** int32 [length]: first, first + 1, … */
export function positionsFrom(first: Dim, length: Dim): Value {
  const end = dimAdd(first, length);
  return slice(iota(end), 0, first, end);
}

/**
 * The bias of decoding `length` positions after `past` others: of who may see whom, where `visible` int32 [B, T, P + T] says
 * that, else of the order and of a padding mask int32 [B, P + T]. Nothing where everything may be seen.
 */
export function decodingBias(
  past: Dim,
  length: Dim,
  { mask, visible }: { readonly mask?: Value | undefined; readonly visible?: Value | undefined },
): Value | undefined {
  if (visible) return maskBias(pairMask(visible));
  // one new position sees all that came before: there is nothing to mask
  const causal = length === 1 ? undefined : causalMask(positionsFrom(past, length), iota(dimAdd(past, length)));
  const allowed = bothMasks(causal, mask && paddingMask(mask));
  return allowed && maskBias(allowed);
}
