import { type Dim, dimMul, dimSub } from '../base/dim.ts';
import { QkvError } from '../base/errors.ts';
import { int32 } from '../base/tensor.ts';
import { findValue } from '../graph/graph.ts';
import { reachable, type Value } from '../graph/value.ts';
import { cast, minimum } from '../ops/elementwise.ts';
import { gather } from '../ops/gather.ts';
import { dimSize, input } from '../ops/leaf.ts';
import { reshape } from '../ops/shape.ts';
import { type AttentionPlace, isOfSource, placeOf, placesOf } from './attention.ts';
import type { Edits } from './edits.ts';
import type { Inspection } from './inspection.ts';
import { type Pass, sideOf } from './pass.ts';
import type { Reading } from './reading.ts';

/**
 * One sublayer of a layer, at one position: it reads the stream and adds to it. Pre-norm: after = before + f(norm(before));
 * post-norm: after = norm(before + f(before)).
 */
export interface Sublayer {
  readonly name: 'attention' | 'crossAttention' | 'mlp';
  /** [D] The residual stream before it. */
  readonly before: Float32Array;
  /** What it reads: in a pre-norm model the norm of `before`, else `before` itself. */
  readonly input: Float32Array;
  /** What it adds, f(input). */
  readonly out: Float32Array;
  /** before + out. */
  readonly sum: Float32Array;
  /** The residual stream after it: in a post-norm model the norm of `sum`, else `sum` itself. */
  readonly after: Float32Array;
}

/** The numbers of one query in one head, in the order of the formula: softmax(q Kᵀ · scale + bias) V, then W^O and the layer. */
export interface HeadSteps {
  readonly place: AttentionPlace;
  readonly head: number;
  readonly position: number;
  readonly headSize: number;
  /** What q·k is multiplied by: 1/√d_k but in T5 (1) and where a configuration says otherwise, times the edits' factor. */
  readonly scale: number;
  /** [K], after the rotation of rotary positions. */
  readonly query: Float32Array;
  /** [S, K] */
  readonly keys: Float32Array;
  readonly values: Float32Array;
  /** [S] q·k, then q·k·scale, then with masks (−1e30) and any bias of positions, then softmax. */
  readonly products: Float32Array;
  readonly scaled: Float32Array;
  readonly masked: Float32Array;
  readonly weights: Float32Array;
  /** [K] Σ weights · values. */
  readonly context: Float32Array;
  /** [H·K] the contexts of all heads, then [D] after W^O. */
  readonly concat: Float32Array;
  readonly attentionOut: Float32Array;
  /** The layer at this position, in its order: self-attention, cross-attention where it has one, MLP. */
  readonly sublayers: readonly Sublayer[];
  /** The layer's norms: (x − mean) / deviation, or x / root mean square; before each part of the layer, or after each sum. */
  readonly norm: { readonly kind: 'layer' | 'rms'; readonly placement: 'pre' | 'post' };
}

export interface HeadQuery {
  /** The attention, as `AttentionPlace.path`. */
  readonly path: string;
  readonly head: number;
  /** Of the query. */
  readonly position: number;
  readonly edits?: Edits;
}

/** The sublayers that a layer can have, in their order, each with the name of what it adds. */
const outs = { attention: 'attentionOut', crossAttention: 'attentionOut', mlp: 'mlpOut' } as const;
const parts = ['before', 'input', 'out', 'sum'] as const;

/** Follows one query through one head and its layer. One program serves every place, head and position. */
export async function headSteps(
  inspection: Inspection,
  reading: Reading,
  { path, head, position, edits = {} }: HeadQuery,
): Promise<HeadSteps> {
  const { pass, model } = inspection;
  const place = placeOf(pass, path);
  const { heads, keyValueHeads, headSize } = place;
  const length = isOfSource(model, place) ? reading.sourceIds!.length : reading.ids.length;
  checkIndex('head', head, heads);
  checkIndex('position', position, length);
  const found = await inspection.run({ label: 'steps', outputs: allSteps }, [{ reading, edits }], {
    queryRow: int32([1], [head * length + position]),
    keyHead: int32([1], [Math.floor((head * keyValueHeads) / heads)]),
    queryPosition: int32([1], [position]),
  });
  const of = (name: string): Float32Array => found[`${path}.${name}`]!.data as Float32Array;
  const layer = layerOf(path);
  const sublayers = sublayersOf(pass, layer);
  const ofLayer = (name: string): Float32Array => found[`${layer}.${name}`]!.data as Float32Array;
  const [query, keys, concat] = [of('query'), of('key'), of('context')];
  return {
    place,
    head,
    position,
    headSize,
    scale: scaleOf(findValue(pass.graph, `${path}.scores`)) * (edits.scoreFactor ?? 1),
    query,
    keys,
    values: of('value'),
    products: Float32Array.from({ length: keys.length / headSize }, (_, s) => {
      let product = 0;
      for (let k = 0; k < headSize; k++) product += query[k]! * keys[s * headSize + k]!;
      return product;
    }),
    scaled: of('scores'),
    masked: of('maskedScores'),
    weights: of('weights'),
    context: concat.slice(head * headSize, (head + 1) * headSize),
    concat,
    attentionOut: ofLayer(`${path.slice(layer.length + 1)}.out`),
    sublayers: sublayers.map(({ name }, i) => {
      const next = sublayers[i + 1];
      return {
        name,
        before: ofLayer(`${name}.before`),
        input: ofLayer(`${name}.input`),
        out: ofLayer(`${name}.out`),
        sum: ofLayer(`${name}.sum`),
        after: ofLayer(next ? `${next.name}.before` : 'residualPost'),
      };
    }),
    norm: normOf(pass, layer),
  };
}

const norms: Readonly<Record<string, 'layer' | 'rms'>> = { layerNorm: 'layer', rmsNorm: 'rms' };

type SublayerValues = { readonly name: Sublayer['name'] } & Readonly<Record<(typeof parts)[number], Value>>;

/**
 * The sublayers of a layer as values of its graph, by how they are wired: of the streams between them not all have names. The sum
 * is where what a sublayer gives meets the stream before it; a norm of that stream makes a pre-norm sublayer.
 */
function sublayersOf({ graph }: Pass, layer: string): SublayerValues[] {
  const values = reachable([findValue(graph, `${layer}.residualPost`)]);
  return Object.entries(outs).flatMap(([name, outName]): SublayerValues[] => {
    const out = graph.names.get(`${layer}.${name}.${outName}`);
    if (!out) return [];
    const isOut = (value: Value): boolean => withoutReshape(value) === withoutReshape(out);
    const sum = values.find(({ op, inputs }) => op === 'add' && inputs.some(isOut));
    const before = sum?.inputs.find((value) => !isOut(value));
    if (!sum || !before) {
      const where = `${layer}.${name}.${outName}`;
      throw new QkvError('graph', { where, got: 'no sum', expected: 'one with the residual stream' });
    }
    const stream = withoutReshape(before);
    const norm = values.find(({ op, inputs }) => norms[op] && withoutReshape(inputs[0]!) === stream);
    return [{ name: name as Sublayer['name'], before, input: norm ?? before, out, sum }];
  });
}

function normOf(pass: Pass, layer: string): HeadSteps['norm'] {
  const { before, input } = sublayersOf(pass, layer).at(-1)!;
  const placement = input === before ? 'post' : 'pre';
  const norm = placement === 'pre' ? input : withoutReshape(findValue(pass.graph, `${layer}.residualPost`));
  const kind = norms[norm.op];
  if (kind !== undefined) return { kind, placement };
  const expected = 'a norm before or after each sublayer';
  throw new QkvError('graph', { where: `${layer}.residualPost`, got: norm.op, expected });
}

/** The layer that an attention is of. */
function layerOf(path: string): string {
  return path.replace(/\.\w+$/, '');
}

function withoutReshape(value: Value): Value {
  return value.op === 'reshape' ? withoutReshape(value.inputs[0]!) : value;
}

/** The steps of every place, each cut at the row that is asked for, or at its last where it has fewer. */
function allSteps(pass: Pass): Record<string, Value> {
  const { graph, batch } = pass;
  const outputs: Record<string, Value> = {};
  const index = (name: string): Value => input(name, 'int32', [1]);
  const [queryRow, keyHead, queryPosition] = [index('queryRow'), index('keyHead'), index('queryPosition')];
  const pick = (rows: Value, wanted: Value): Value =>
    gather(rows, minimum(wanted, cast(dimSize(dimSub(rows.shape[0]!, 1)), 'int32')));
  /** [B, T, N] or [B·T, N] → [1, N], of the text that a path belongs to. */
  const pickToken = (path: string, value: Value): Value => {
    const length = sideOf(pass, path) === 'source' ? pass.sourceLength : pass.length;
    return pick(reshape(value, [dimMul(batch, length), value.shape.at(-1)!]), queryPosition);
  };
  for (const { path, heads, keyValueHeads, headSize } of placesOf(pass)) {
    const at = (name: string): Value => findValue(graph, `${path}.${name}`);
    const [, , queries, keys] = at('weights').shape as [Dim, Dim, Dim, Dim];
    const rows = dimMul(dimMul(batch, heads), queries);
    outputs[`${path}.query`] = pick(reshape(at('query'), [rows, headSize]), queryRow);
    for (const name of ['scores', 'maskedScores', 'weights']) {
      outputs[`${path}.${name}`] = pick(reshape(at(name), [rows, keys]), queryRow);
    }
    for (const name of ['key', 'value']) {
      const stacked = reshape(at(name), [dimMul(batch, keyValueHeads), keys, headSize]);
      outputs[`${path}.${name}`] = pick(stacked, keyHead);
    }
    outputs[`${path}.context`] = pickToken(path, at('context'));
  }
  for (const layer of new Set(placesOf(pass).map(({ path }) => layerOf(path)))) {
    for (const sublayer of sublayersOf(pass, layer)) {
      for (const part of parts) outputs[`${layer}.${sublayer.name}.${part}`] = pickToken(layer, sublayer[part]);
    }
    outputs[`${layer}.residualPost`] = pickToken(layer, findValue(graph, `${layer}.residualPost`));
  }
  return outputs;
}

/** The factor of the product of queries and keys. */
function scaleOf(scores: Value): number {
  let value = scores;
  while (value.op !== 'matmul') value = value.inputs[0]!;
  return value.attrs['alpha'] as number;
}

function checkIndex(where: string, index: number, count: number): void {
  if (Number.isInteger(index) && index >= 0 && index < count) return;
  throw new QkvError('usage', { where, got: `${index}`, expected: `from 0 to ${count - 1}` });
}
