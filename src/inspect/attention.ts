import { QkvError } from '../base/errors.ts';
import type { HostTensor } from '../base/tensor.ts';
import { findValue } from '../graph/graph.ts';
import type { Model } from '../models/model.ts';
import type { Edits } from './edits.ts';
import { type Inspected, Inspection } from './inspection.ts';
import { type Pass, tracePass } from './pass.ts';
import { type Reading, readingOf } from './reading.ts';

/** One attention of a model. */
export interface AttentionPlace {
  /** Its values are `<path>.query`, `<path>.weights` …, e.g. `decoder.layers.1.crossAttention`. */
  readonly path: string;
  /** The name of its weights. */
  readonly name: string;
  /** Who looks at whom: an encoder's text at itself, a decoder's at what stands before, target at source. */
  readonly kind: 'encoder' | 'decoder' | 'cross';
  readonly layer: number;
  readonly heads: number;
  /** Heads of keys and values, each for `heads / keyValueHeads` of the queries'. */
  readonly keyValueHeads: number;
  /** d_k */
  readonly headSize: number;
}

/** The attention of one layer: how much of its attention each query gives to each key, for every head. */
export interface LayerAttention extends AttentionPlace {
  /** Tokens of the T rows and the S columns. */
  readonly queryIds: readonly number[];
  readonly keyIds: readonly number[];
  /** float32 [H, T, S]; the S weights of a query add up to 1. */
  readonly weights: HostTensor;
}

/** The weights of one head, or their mean over the heads: [T, S] row-major. */
export function headWeights({ weights }: Pick<LayerAttention, 'weights'>, head: number | 'mean'): Float32Array {
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
 * before it), of a decoder or an encoder alone over `targetIds`, with `sourceIds` null; by kind, then by layer. The row of a
 * decoder's token is the attention with which the token after it is chosen.
 */
export async function captureAttention(
  inspected: Inspected,
  sourceIds: readonly number[] | null,
  targetIds: readonly number[],
): Promise<LayerAttention[]> {
  using inspection = new Inspection(inspected);
  return await attentionMaps(inspection, readingOf(inspected.model, sourceIds, targetIds));
}

/** The attention maps of a reading under some edits: of the places asked for, or of all. */
export async function attentionMaps(
  inspection: Inspection,
  reading: Reading,
  { edits = {}, paths }: { readonly edits?: Edits; readonly paths?: readonly string[] | undefined } = {},
): Promise<LayerAttention[]> {
  const places = placesOf(inspection.pass).filter(({ path }) => !paths || paths.includes(path));
  for (const path of paths ?? []) placeOf(inspection.pass, path);
  if (places.length === 0) return [];
  const outputs = await inspection.run(
    {
      label: `weights of ${paths ? places.map(({ path }) => path).join(', ') : 'all'}`,
      outputs: ({ graph }) => Object.fromEntries(places.map(({ name }) => [name, findValue(graph, name)])),
    },
    [{ reading, edits }],
  );
  return places.map((place) => {
    const { dtype, shape, data } = outputs[place.name]!;
    const queryIds = isOfSource(inspection.model, place) ? reading.sourceIds! : reading.ids;
    const keyIds = place.kind === 'cross' ? reading.sourceIds! : queryIds;
    return { ...place, queryIds, keyIds, weights: { dtype, shape: shape.slice(1), data } };
  });
}

/** The attention maps that a model has: by kind, then by layer. */
export function attentionPlaces(model: Model): AttentionPlace[] {
  return placesOf(tracePass(model, { givenPositions: false }));
}

export function placesOf({ model, graph }: Pass): AttentionPlace[] {
  const order = ['encoder', 'decoder', 'cross'];
  return [...graph.names]
    .flatMap(([name, { shape }]): AttentionPlace[] => {
      const found = /^((?:(encoder|decoder)\.)?layers\.(\d+)\.(attention|crossAttention))\.weights$/.exec(name);
      if (!found) return [];
      const [, path, stack, layer, attention] = found as unknown as [string, string, string?, string?, string?];
      const isEncoder = stack === 'encoder' || model.kind === 'encoder';
      const kind = attention === 'crossAttention' ? 'cross' : isEncoder ? 'encoder' : 'decoder';
      const [, keyValueHeads, , headSize] = findValue(graph, `${path}.key`).shape as [unknown, number, unknown, number];
      return [{ path, name, kind, layer: Number(layer), heads: shape[1] as number, keyValueHeads, headSize }];
    })
    .sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind) || a.layer - b.layer);
}

/** @throws QkvError `usage` for a path that is no attention of the model */
export function placeOf(pass: Pass, path: string): AttentionPlace {
  const places = placesOf(pass);
  const place = places.find((one) => one.path === path);
  if (place) return place;
  const expected = `one of ${places.map((one) => one.path).join(', ')}`;
  throw new QkvError('usage', { where: 'attention', got: path, expected });
}

/** Whether a place's queries are those of the source. */
export function isOfSource({ kind }: Model, place: AttentionPlace): boolean {
  return kind === 'encoder-decoder' && place.kind === 'encoder';
}
