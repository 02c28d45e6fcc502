import type { Dim } from '../base/dim.ts';
import { dimAdd, dimMul } from '../base/dim.ts';
import type { Value } from '../graph/value.ts';
import { add } from '../ops/elementwise.ts';
import { matmul } from '../ops/matmul.ts';
import { addAll } from '../ops/reduce.ts';
import { concat, reshape, slice, transpose } from '../ops/shape.ts';
import { softmax } from '../ops/softmax.ts';
import type { Init } from './init.ts';
import { linear } from './linear.ts';
import type { Scope } from './scope.ts';
import type { Sequences } from './sequences.ts';

/** Keys and values of the positions before, [B, H, P, K] each. */
export interface KeyValue {
  readonly key: Value;
  readonly value: Value;
}

export interface AttentionOptions {
  readonly width: number;
  readonly heads: number;
  readonly bias: boolean;
  readonly dropout: number;
  readonly init: Init;
  readonly outInit?: Init;
  /** Factor of the scores; 1/√K, K the width of a head, where it is left out. */
  readonly scale?: number;
}

export interface AttentionInputs {
  readonly query: Sequences;
  /** Where keys and values come from: the queries' own sequences, or the encoder's output (cross-attention). */
  readonly memory?: Sequences;
  /** Keys and values that were computed before: they count as before those of this call, or, with `isComplete`, as all. */
  readonly past?: KeyValue & { readonly isComplete?: boolean };
  /** Added to the scores; broadcasts to [B, H, T, S]. */
  readonly scoreBias?: Value;
}

/**
 * MultiHead(Q, K, V) = Concat(head₁ … head_h) W^O with head_i = softmax(Q_i K_iᵀ / √K) V_i (Vaswani et al. 2017,
 * section 3.2). Gives the output rows [B·T, D] and `present`, the keys and values [B, H, T or S, K] of this call, for later
 * calls to add to their past. The past is never copied: its scores and the new ones meet in one softmax, and each part of
 * the weights goes to its own values.
 * Names `query`, `key`, `value` [B, H, T or S, K], `scores` (scaled, before the mask) and `weights` [B, H, T, P + S],
 * `context` [B, T, D] and `attentionOut` [B, T, D].
 */
export function attention(
  scope: Scope,
  inputs: AttentionInputs,
  options: AttentionOptions,
): { readonly rows: Value; readonly present: KeyValue } {
  const { query, memory = query, past, scoreBias } = inputs;
  const { width, heads, bias, init, outInit = init } = options;
  const headSize = width / heads;
  const project = (name: string, from: Sequences): Value =>
    splitHeads(linear(scope.at(name), from.rows, { from: width, to: width, init, bias }), from, heads, headSize);

  const q = scope.name('query', project('q', query));
  const present: KeyValue = past?.isComplete ? past : { key: project('k', memory), value: project('v', memory) };
  const parts = past && !past.isComplete ? [past, present] : [present];
  scope.name('key', present.key);
  scope.name('value', present.value);

  const scores = scope.name(
    'scores',
    concat(
      parts.map(({ key }) => matmul(q, key, { transposeB: true, alpha: options.scale ?? 1 / Math.sqrt(headSize) })),
      3,
    ),
  );
  const weights = scope.name('weights', softmax(scoreBias ? add(scores, scoreBias) : scores));
  const dropped = scope.dropout('weights', weights, options.dropout);
  let seen: Dim = 0;
  const contexts = parts.map(({ value }) => {
    const start = seen;
    seen = dimAdd(seen, value.shape[2]!);
    return matmul(slice(dropped, 3, start, seen), value);
  });
  const context = mergeHeads(addAll(contexts), query);
  scope.name('context', reshape(context, [query.batch, query.length, width]));
  const rows = linear(scope.at('out'), context, { from: width, to: width, init: outInit, bias });
  scope.name('attentionOut', reshape(rows, [query.batch, query.length, width]));
  return { rows, present };
}

/** [B·T, H·K] → [B, H, T, K] */
function splitHeads(rows: Value, { batch, length }: Sequences, heads: number, headSize: number): Value {
  return transpose(reshape(rows, [batch, length, heads, headSize]), [0, 2, 1, 3]);
}

/** [B, H, T, K] → [B·T, H·K] */
function mergeHeads(context: Value, { batch, length }: Sequences): Value {
  const [, heads, , headSize] = context.shape as [Dim, Dim, Dim, Dim];
  return reshape(transpose(context, [0, 2, 1, 3]), [dimMul(batch, length), dimMul(heads, headSize)]);
}
