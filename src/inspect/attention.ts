import { symbol } from '../base/dim.ts';
import { QkvError } from '../base/errors.ts';
import { type HostTensor, int32 } from '../base/tensor.ts';
import { fetch, type Graph } from '../graph/graph.ts';
import type { GenerativeModel } from '../models/model.ts';
import { Trace } from '../nn/scope.ts';
import { input } from '../ops/leaf.ts';
import type { Runtime, Tensors } from '../runtime/runtime.ts';

/** What is looked at: a model that a runtime can run. A `GenerationSession` is one. */
export interface Inspected {
  readonly runtime: Runtime;
  readonly model: GenerativeModel;
  /** By path. */
  readonly parameters: Tensors;
}

/** The attention of one layer: how much of its attention each query gives to each key, for every head. */
export interface LayerAttention {
  /** The value's name in the graph, e.g. `decoder.layers.1.crossAttention.weights`. */
  readonly name: string;
  /** Who looks at whom: source at source, target at target before it, target at source. */
  readonly kind: 'encoder' | 'decoder' | 'cross';
  readonly layer: number;
  /** Tokens of the T rows and the S columns. */
  readonly queryIds: readonly number[];
  readonly keyIds: readonly number[];
  /** float32 [H, T, S]; the S weights of a query add up to 1. */
  readonly weights: HostTensor;
}

/** The weights of one head, or their mean over the heads: [T, S] row-major. */
export function headWeights({ weights }: LayerAttention, head: number | 'mean'): Float32Array {
  const [heads, queries, keys] = weights.shape as [number, number, number];
  const size = queries * keys;
  const data = weights.data as Float32Array;
  if (head !== 'mean') {
    if (!Number.isInteger(head) || head < 0 || head >= heads) {
      throw new QkvError('usage', { where: 'head', got: `${head}`, expected: `mean, or one from 0 to ${heads - 1}` });
    }
    return data.slice(head * size, (head + 1) * size);
  }
  return Float32Array.from({ length: size }, (_, i) => {
    let sum = 0;
    for (let h = 0; h < heads; h++) sum += data[h * size + i]!;
    return sum / heads;
  });
}

/**
 * Every attention map of one full pass: of an encoder-decoder model over a source and a target (its start token is put
 * before it), of a decoder over `targetIds` alone, with `sourceIds` null; by kind, then by layer. The row of a target token
 * is the attention with which the token after it is chosen.
 */
export async function captureAttention(
  { runtime, model, parameters }: Inspected,
  sourceIds: readonly number[] | null,
  targetIds: readonly number[],
): Promise<LayerAttention[]> {
  if ((model.kind === 'causal') !== (sourceIds === null)) {
    throw new QkvError('usage', {
      where: 'captureAttention',
      got: sourceIds === null ? 'no source' : 'a source',
      expected: model.kind === 'causal' ? 'a text alone: this model is a decoder' : 'a source and a target',
    });
  }
  const ids = model.kind === 'causal' ? [...targetIds] : [model.startId, ...targetIds];
  checkIds('target', ids, model.vocabSize, model.maxLength);
  if (sourceIds && model.kind === 'encoder-decoder') {
    checkIds('source', sourceIds, model.sourceVocabSize, model.maxLength);
  }
  const places = attentionPlaces(model);
  const graph = fetch(
    fullPass(model),
    places.map(({ name }) => name),
  );
  using program = await runtime.compile(graph, { label: 'attention maps' });
  const inputs: Record<string, HostTensor> = { ids: int32([1, ids.length], ids) };
  if (sourceIds) inputs['source'] = int32([1, sourceIds.length], [...sourceIds]);
  const feeds = Object.fromEntries(program.feeds.map((name) => [name, inputs[name] ?? parameters[name]!]));
  const [outputs] = await runtime.run([{ program, feeds }]);
  return places.map((place) => {
    const { dtype, shape, data } = outputs![place.name]!;
    const queryIds = place.kind === 'encoder' ? sourceIds! : ids;
    const keyIds = place.kind === 'decoder' ? ids : sourceIds!;
    return { ...place, queryIds, keyIds, weights: { dtype, shape: shape.slice(1), data } };
  });
}

type Place = Pick<LayerAttention, 'name' | 'kind' | 'layer'>;

/** The attention maps that a model has: by kind, then by layer. */
export function attentionPlaces(model: GenerativeModel): Place[] {
  const names = [...fullPass(model).names.keys()];
  const order = ['encoder', 'decoder', 'cross'];
  return names
    .flatMap((name): Place[] => {
      const found = /^(?:(encoder|decoder)\.)?layers\.(\d+)\.(attention|crossAttention)\.weights$/.exec(name);
      if (!found) return [];
      const kind = found[3] === 'crossAttention' ? 'cross' : found[1] === 'encoder' ? 'encoder' : 'decoder';
      return [{ name, kind, layer: Number(found[2]) }];
    })
    .sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind) || a.layer - b.layer);
}

function fullPass(model: GenerativeModel): Graph {
  const trace = new Trace();
  const [batch, target] = [symbol('B'), symbol('T')];
  const ids = input('ids', 'int32', [batch, target]);
  if (model.kind === 'causal') model.forward(trace.root, { ids });
  else {
    const memory = model.encode(trace.root, { ids: input('source', 'int32', [batch, symbol('S')]) });
    model.decode(trace.root, { ids, memory });
  }
  return trace.graph({});
}

function checkIds(where: string, ids: readonly number[], vocabSize: number, maxLength: number): void {
  if (ids.length === 0 || ids.length > maxLength) {
    throw new QkvError('usage', { where, got: `${ids.length} tokens`, expected: `from 1 to ${maxLength}` });
  }
  const wrong = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabSize);
  if (wrong !== undefined) {
    throw new QkvError('usage', { where, got: `token ${wrong}`, expected: `one from 0 to ${vocabSize - 1}` });
  }
}
