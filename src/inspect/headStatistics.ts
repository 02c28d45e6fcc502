import { type Dim, dimMul } from '../base/dim.ts';
import { float32, type HostTensor } from '../base/tensor.ts';
import { findValue } from '../graph/graph.ts';
import type { Value } from '../graph/value.ts';
import { div, log, maximum, mul, neg } from '../ops/elementwise.ts';
import { dimSize, input, scalarConstant } from '../ops/leaf.ts';
import { matmul } from '../ops/matmul.ts';
import { sum } from '../ops/reduce.ts';
import { reshape } from '../ops/shape.ts';
import { type AttentionPlace, isOfSource, placesOf } from './attention.ts';
import type { Edits } from './edits.ts';
import type { Inspection } from './inspection.ts';
import type { Pass } from './pass.ts';
import type { Reading } from './reading.ts';

/**
 * How one head looks, as means over the queries t of a text. The scores are TransformerLens' (`detect_head` with the error
 * measure "mul"): the share of all weight that lies where a pattern says. In cross-attention `previous` and `self` compare
 * positions of two texts, and `induction` and `duplicate`, for which there is no earlier, are 0.
 */
export interface HeadStatistics {
  readonly place: AttentionPlace;
  readonly head: number;
  /** −Σ_s w ln w, nats. */
  readonly entropy: number;
  /** Σ_s w |t − s|, in tokens. */
  readonly distance: number;
  /** Weight on s = t − 1 (nothing at the first query), on s = 0, on s = t. */
  readonly previous: number;
  readonly first: number;
  readonly self: number;
  /** Weight on tokens s ≤ t that follow an earlier one equal to t's (Olsson et al. 2022): token s − 1 = token t, s − 1 < t. */
  readonly induction: number;
  /** Weight on earlier tokens equal to t's. */
  readonly duplicate: number;
}

const measures = ['distance', 'previous', 'first', 'self', 'induction', 'duplicate'] as const;
const kinds = ['encoder', 'decoder', 'cross'] as const;

/** Of every head of every place; the maps themselves are not kept. */
export async function headStatistics(
  inspection: Inspection,
  reading: Reading,
  edits: Edits = {},
): Promise<HeadStatistics[]> {
  const places = placesOf(inspection.pass);
  const patterns = Object.fromEntries(
    places.map((place) => [`pattern.${place.kind}`, patternsOf(inspection, reading, place)]),
  );
  const task = { label: 'head statistics', outputs: statistics };
  const found = await inspection.run(task, [{ reading, edits }], patterns);
  return places.flatMap((place) =>
    Array.from({ length: place.heads }, (_, head) => {
      const of = (i: number): number => found[`${place.path}.measures`]!.data[head * measures.length + i]!;
      const values = Object.fromEntries(measures.map((name, i) => [name, of(i)])) as Record<
        (typeof measures)[number],
        number
      >;
      return { place, head, entropy: found[`${place.path}.entropy`]!.data[head]!, ...values };
    }),
  );
}

/** All measures but the entropy are sums of the weights times a pattern [measures, T·S]. */
function statistics(pass: Pass): Record<string, Value> {
  const outputs: Record<string, Value> = {};
  const places = placesOf(pass);
  for (const kind of kinds) {
    const [first] = places.filter((place) => place.kind === kind);
    if (!first) continue;
    const [, , queries, keys] = findValue(pass.graph, first.name).shape as [Dim, Dim, Dim, Dim];
    const pattern = input(`pattern.${kind}`, 'float32', [measures.length, queries, keys]);
    const columns = reshape(pattern, [measures.length, dimMul(queries, keys)]);
    for (const { path, name, heads, kind: own } of places) {
      if (own !== kind) continue;
      const weights = findValue(pass.graph, name);
      const rows = reshape(weights, [dimMul(pass.batch, heads), dimMul(queries, keys)]);
      outputs[`${path}.measures`] = div(matmul(rows, columns, { transposeB: true }), dimSize(queries));
      const surprise = neg(mul(rows, log(maximum(rows, scalarConstant(1e-30)))));
      outputs[`${path}.entropy`] = div(sum(surprise, [1]), dimSize(queries));
    }
  }
  return outputs;
}

function patternsOf({ model }: Inspection, { ids, sourceIds }: Reading, place: AttentionPlace): HostTensor {
  const queries = isOfSource(model, place) ? sourceIds! : ids;
  const isCross = place.kind === 'cross';
  const keys = isCross ? sourceIds! : queries;
  const [T, S] = [queries.length, keys.length];
  const data = new Float32Array(measures.length * T * S);
  for (let t = 0; t < T; t++) {
    for (let s = 0; s < S; s++) {
      const values: Record<(typeof measures)[number], number> = {
        distance: Math.abs(t - s),
        previous: Number(s === t - 1),
        first: Number(s === 0),
        self: Number(s === t),
        induction: Number(!isCross && s > 0 && s <= t && keys[s - 1] === queries[t]),
        duplicate: Number(!isCross && s < t && keys[s] === queries[t]),
      };
      measures.forEach((name, i) => {
        data[(i * T + t) * S + s] = values[name];
      });
    }
  }
  return float32([measures.length, T, S], data);
}
