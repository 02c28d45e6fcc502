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
  /** [D] of the layer, at this position: before it, after attention, what the MLP gives, after it. */
  readonly residualPre: Float32Array;
  readonly residualMid: Float32Array;
  readonly mlpOut: Float32Array;
  readonly residualPost: Float32Array;
  /** [D] What the MLP reads: in a pre-norm model the norm of `residualMid`, else `residualMid` itself. */
  readonly mlpInput: Float32Array;
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

const ofLayer = ['residualPre', 'residualMid', 'mlp.mlpOut', 'residualPost'] as const;

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
  const layer = path.replace(/\.\w+$/, '');
  const [residualPre, residualMid, mlpOut, residualPost] = ofLayer.map(
    (name) => found[`${layer}.${name}`]!.data as Float32Array,
  ) as [Float32Array, Float32Array, Float32Array, Float32Array];
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
    attentionOut: of('attentionOut'),
    residualPre,
    residualMid,
    mlpOut,
    residualPost,
    mlpInput: found[`${layer}.mlpInput`]!.data as Float32Array,
    norm: normOf(pass, layer),
  };
}

const norms: Readonly<Record<string, 'layer' | 'rms'>> = { layerNorm: 'layer', rmsNorm: 'rms' };

/** The norm that reads a layer's stream after its attention; none in a post-norm model, where the stream is what a norm made. */
function normBeforeMlp({ graph }: Pass, layer: string): Value | undefined {
  const rows = withoutReshape(findValue(graph, `${layer}.residualMid`));
  return reachable([findValue(graph, `${layer}.mlp.mlpOut`)]).find(({ op, inputs }) => norms[op] && inputs[0] === rows);
}

function normOf(pass: Pass, layer: string): HeadSteps['norm'] {
  const before = normBeforeMlp(pass, layer);
  const norm = before ?? withoutReshape(findValue(pass.graph, `${layer}.residualMid`));
  const kind = norms[norm.op];
  if (kind === undefined) {
    throw new QkvError('graph', { where: `${layer}.residualMid`, got: norm.op, expected: 'a norm before or after it' });
  }
  return { kind, placement: before ? 'pre' : 'post' };
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
    const layer = path.replace(/\.\w+$/, '');
    const length = sideOf(pass, path) === 'source' ? pass.sourceLength : pass.length;
    const names = [`${path}.context`, `${path}.attentionOut`, ...ofLayer.map((name) => `${layer}.${name}`)];
    for (const name of names) {
      const value = findValue(graph, name);
      outputs[name] = pick(reshape(value, [dimMul(batch, length), value.shape.at(-1)!]), queryPosition);
    }
    const read = normBeforeMlp(pass, layer) ?? findValue(graph, `${layer}.residualMid`);
    const width = read.shape.at(-1)!;
    outputs[`${layer}.mlpInput`] = pick(reshape(read, [dimMul(batch, length), width]), queryPosition);
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
