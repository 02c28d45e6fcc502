import { type Dim, dimAdd, dimSub, symbol } from '../base/dim.ts';
import type { Graph } from '../graph/graph.ts';
import type { Value } from '../graph/value.ts';
import type { CausalModel, EncoderDecoderModel, GenerativeModel } from '../models/model.ts';
import type { KeyValue } from '../nn/attention.ts';
import { type Scope, Trace } from '../nn/scope.ts';
import type { Sequences } from '../nn/sequences.ts';
import { log, sub } from '../ops/elementwise.ts';
import { input } from '../ops/leaf.ts';
import { max } from '../ops/reduce.ts';
import { reshape, slice } from '../ops/shape.ts';
import { logSoftmax, softmax } from '../ops/softmax.ts';
import { topIndices, topValues } from '../ops/topK.ts';

/**
 * What is wanted of the next token's scores, for N paths: `logits` [N, V] and their `normaliser` [N] = log Σ exp;
 * `logProbs` [N, V]; or only the `k` best, `topValues` (log-probabilities) and `topIds` [N, k].
 */
export type Wanted =
  | { readonly kind: 'logits' }
  | { readonly kind: 'logProbs' }
  | { readonly kind: 'top'; readonly k: number };

export function wantedText(wanted: Wanted): string {
  return wanted.kind === 'top' ? `top ${wanted.k}` : wanted.kind;
}

const [B, G, T, S, past] = ['B', 'G', 'T', 'S', 'past'].map(symbol) as [Dim, Dim, Dim, Dim, Dim];

/**
 * Encoder and the keys and values that each decoder layer's cross-attention makes of its output:
 * `source` and `sourceMask` int32 [B, S] → `memory.<i>.key` and `.value` [B, H, S, K].
 */
export function encoderGraph(model: EncoderDecoderModel): Graph {
  const trace = new Trace();
  const mask = input('sourceMask', 'int32', [B, S]);
  const memory = model.encode(trace.root, { ids: input('source', 'int32', [B, S]), mask });
  // Of the decoder nothing is fetched but what it makes of the memory, whatever its first token is.
  const { cross } = model.decode(trace.root, { ids: input('ids', 'int32', [B, 1]), memory, memoryMask: mask });
  return trace.graph(named('memory', cross));
}

/**
 * A decoder-only model over whole prompts, padded on the left: `ids`, `mask` and `positions` int32 [B, T] → the scores
 * after the last token, and `present.<i>.key` and `.value` [B, H, T, K].
 */
export function prefillGraph(model: CausalModel, wanted: Wanted): Graph {
  const trace = new Trace();
  const [ids, mask, positions] = ['ids', 'mask', 'positions'].map((name) => input(name, 'int32', [B, T])) as [
    Value,
    Value,
    Value,
  ];
  const out = model.forward(trace.root, { ids, mask, positions });
  const width = out.rows.shape[1]!;
  const last = reshape(slice(reshape(out.rows, [B, T, width]), 1, dimSub(T, 1), T), [B, width]);
  return trace.graph({ ...scores(model, trace.root, last, wanted), ...named('present', out.self) });
}

/**
 * One token for each of G paths of each of B inputs. The paths of an input are the queries of one sequence and share its
 * cache of P slots and its memory; `visible` int32 [B, G, P + G] says which slots a path has gone through, and that of the
 * new ones it sees its own; `keyPositions` int32 [P + G] are the positions of the slots and of the new ones.
 * `ids` and `positions` int32 [B, G], `past.<i>.key` and `.value` [B, H, P, K] → the scores for
 * N = B·G paths, and `present.<i>.key` and `.value` [B, H, G, K].
 */
export function stepGraph(model: GenerativeModel, wanted: Wanted): Graph {
  const trace = new Trace();
  const { layers, heads, headSize } = model.cache;
  const cached = (name: string, length: Dim): KeyValue[] =>
    Array.from({ length: layers }, (_, i) => ({
      key: input(`${name}.${i}.key`, 'float32', [B, heads, length, headSize]),
      value: input(`${name}.${i}.value`, 'float32', [B, heads, length, headSize]),
    }));
  const common = {
    ids: input('ids', 'int32', [B, G]),
    positions: input('positions', 'int32', [B, G]),
    past: { layers: cached('past', past), length: past },
    visible: input('visible', 'int32', [B, G, dimAdd(past, G)]),
  };
  const out: Sequences & { readonly self: readonly KeyValue[] } =
    model.kind === 'causal'
      ? model.forward(trace.root, common)
      : model.decode(trace.root, {
          ...common,
          keyPositions: input('keyPositions', 'int32', [dimAdd(past, G)]),
          memory: cached('memory', S),
          memoryMask: input('memoryMask', 'int32', [B, S]),
        });
  return trace.graph({ ...scores(model, trace.root, out.rows, wanted), ...named('present', out.self) });
}

function named(name: string, layers: readonly KeyValue[]): Record<string, Value> {
  return Object.fromEntries(
    layers.flatMap(({ key, value }, i) => [
      [`${name}.${i}.key`, key],
      [`${name}.${i}.value`, value],
    ]),
  );
}

function scores(model: GenerativeModel, root: Scope, rows: Value, wanted: Wanted): Record<string, Value> {
  const logits = model.logits(root, rows);
  if (wanted.kind === 'logProbs') return { logProbs: logSoftmax(logits) };
  if (wanted.kind === 'top') {
    const logProbs = logSoftmax(logits);
    return { topValues: topValues(logProbs, wanted.k), topIds: topIndices(logProbs, wanted.k) };
  }
  // log Σ exp(z) = max(z) − log(max(softmax(z)))
  return { logits, normaliser: sub(max(logits, [1]), log(max(softmax(logits), [1]))) };
}
