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
import { type Rotation, rotate } from './rope.ts';
import type { Scope } from './scope.ts';
import type { Sequences } from './sequences.ts';

/** Keys and values of the positions before, [B, G, P, K] each. */
export interface KeyValue {
  readonly key: Value;
  readonly value: Value;
}

/** How a call uses them: as before its own, as all there are (`isComplete`), or as the first part of its `present` (`isJoined`). */
export interface PastKeyValue extends KeyValue {
  readonly isComplete?: boolean;
  readonly isJoined?: boolean;
}

export interface AttentionOptions {
  readonly width: number;
  /** Heads of the queries, H. */
  readonly heads: number;
  /**
   * Heads of keys and values, G, each shared by H/G query heads: H where it is left out, 1 is multi-query attention
   * (Shazeer 2019), numbers between grouped-query attention (Ainslie et al. 2023).
   */
  readonly keyValueHeads?: number;
  /** K, the width of a head: width/H where it is left out. */
  readonly headSize?: number;
  readonly bias: boolean;
  readonly dropout: number;
  readonly init: Init;
  /** Of the query's projection, where it differs: a model without 1/√K may start with smaller queries. */
  readonly queryInit?: Init;
  readonly outInit?: Init;
  /** Factor of the scores; 1/√K where it is left out. */
  readonly scale?: number;
}

export interface AttentionInputs {
  readonly query: Sequences;
  /** Where keys and values come from: the queries' own sequences, or the encoder's output (cross-attention). */
  readonly memory?: Sequences;
  /** Keys and values that were computed before. */
  readonly past?: PastKeyValue;
  /** Added to the scores; broadcasts to [B, H, T, S]. */
  readonly scoreBias?: Value;
  /** Turns queries and keys by their positions; those of the past are turned already. */
  readonly rotation?: Rotation;
}

/**
 * MultiHead(Q, K, V) = Concat(head₁ … head_h) W^O with head_i = softmax(Q_i K_iᵀ / √K) V_i (Vaswani et al. 2017,
 * section 3.2). Gives the output rows [B·T, D] and `present`, the keys and values [B, G, T or S, K] of this call, for later
 * calls to add to their past. The past is not copied: its scores and the new ones meet in one softmax, and each part of
 * the weights goes to its own values. A joined past is: `present` then is [B, G, P + T, K] and all that is attended to.
 * Names `query` [B, H, T, K], `key`, `value` [B, G, T or S, K] (after the rotation), `scores` (scaled, before the mask) and
 * `weights` [B, H, T, P + S], `context` [B, T, H·K] and `attentionOut` [B, T, D].
 */
export function attention(
  scope: Scope,
  inputs: AttentionInputs,
  options: AttentionOptions,
): { readonly rows: Value; readonly present: KeyValue } {
  const { query, memory = query, past, scoreBias, rotation } = inputs;
  const { width, heads, keyValueHeads = heads, bias, init, queryInit = init, outInit = init } = options;
  const headSize = options.headSize ?? width / heads;
  const inner = heads * headSize;
  const project = (name: string, from: Sequences, count: number, projectInit = init): Value => {
    const rows = linear(scope.at(name), from.rows, { from: width, to: count * headSize, init: projectInit, bias });
    return splitHeads(rows, from, count, headSize);
  };
  const turned = (x: Value): Value => (rotation ? rotate(x, rotation) : x);

  const q = scope.name('query', turned(project('q', query, heads, queryInit)));
  const own: KeyValue = past?.isComplete
    ? past
    : { key: turned(project('k', memory, keyValueHeads)), value: project('v', memory, keyValueHeads) };
  const present: KeyValue = past?.isJoined
    ? { key: concat([past.key, own.key], 2), value: concat([past.value, own.value], 2) }
    : own;
  const parts = past && !past.isComplete && !past.isJoined ? [past, present] : [present];
  scope.name('key', present.key);
  scope.name('value', present.value);

  // queries that share a key are rows of one product
  const grouped = stackGroups(q, keyValueHeads);
  const alpha = options.scale ?? 1 / Math.sqrt(headSize);
  const scores = scope.name(
    'scores',
    concat(
      parts.map(({ key }) => unstackGroups(matmul(grouped, key, { transposeB: true, alpha }), query.length, heads)),
      3,
    ),
  );
  const weights = scope.name('weights', softmax(scoreBias ? add(scores, scoreBias) : scores));
  const dropped = scope.dropout('weights', weights, options.dropout);
  let seen: Dim = 0;
  const contexts = parts.map(({ value }) => {
    const start = seen;
    seen = dimAdd(seen, value.shape[2]!);
    return unstackGroups(
      matmul(stackGroups(slice(dropped, 3, start, seen), keyValueHeads), value),
      query.length,
      heads,
    );
  });
  const context = mergeHeads(addAll(contexts), query);
  scope.name('context', reshape(context, [query.batch, query.length, inner]));
  const rows = linear(scope.at('out'), context, { from: inner, to: width, init: outInit, bias });
  scope.name('attentionOut', reshape(rows, [query.batch, query.length, width]));
  return { rows, present };
}

/** [B·T, H·K] → [B, H, T, K] */
function splitHeads(rows: Value, { batch, length }: Sequences, heads: number, headSize: number): Value {
  return transpose(reshape(rows, [batch, length, heads, headSize]), [0, 2, 1, 3]);
}

/** [B, H, T, N] → [B, G, H/G·T, N] */
function stackGroups(x: Value, groups: number): Value {
  const [batch, heads, length, size] = x.shape as [Dim, number, Dim, Dim];
  return heads === groups ? x : reshape(x, [batch, groups, dimMul(heads / groups, length), size]);
}

/** [B, G, H/G·T, N] → [B, H, T, N] */
function unstackGroups(x: Value, length: Dim, heads: number): Value {
  const [batch, , , size] = x.shape as [Dim, number, Dim, Dim];
  return reshape(x, [batch, heads, length, size]);
}

/** [B, H, T, K] → [B·T, H·K] */
function mergeHeads(context: Value, { batch, length }: Sequences): Value {
  const [, heads, , headSize] = context.shape as [Dim, Dim, Dim, Dim];
  return reshape(transpose(context, [0, 2, 1, 3]), [dimMul(batch, length), dimMul(heads, headSize)]);
}
