import { findValue } from '../graph/graph.ts';
import { mean } from '../ops/reduce.ts';
import { placesOf } from './attention.ts';
import type { Edits } from './edits.ts';
import type { Inspection } from './inspection.ts';
import type { Reading } from './reading.ts';

/** How much of each token's input is in each position after the last layer, by attention alone. */
export interface Rollout {
  /** Of an encoder: [S, S]; each row adds up to 1. */
  readonly encoder?: Float32Array;
  /** Of a decoder: [T, T + S], first its own tokens, then those of the source where there are some. */
  readonly decoder?: Float32Array;
}

/**
 * Attention rollout (Abnar and Zuidema 2020, "Quantifying Attention Flow in Transformers", section 3): with Ā the mean of a
 * layer's heads, R ← (½ Ā + ½ I) R from the identity on: half for the residual stream, half for attention. A decoder
 * layer with cross-attention C takes a second such step, R ← ½ R + ½ C [0 | R_encoder], over both texts.
 */
export async function attentionRollout(inspection: Inspection, reading: Reading, edits: Edits = {}): Promise<Rollout> {
  const places = placesOf(inspection.pass);
  const found = await inspection.run(
    {
      label: 'mean attention',
      outputs: ({ graph }) => Object.fromEntries(places.map(({ name }) => [name, mean(findValue(graph, name), [1])])),
    },
    [{ reading, edits }],
  );
  const weightsOf = (kind: 'encoder' | 'decoder' | 'cross'): Float32Array[] =>
    places.filter((place) => place.kind === kind).map(({ name }) => found[name]!.data as Float32Array);
  const [encoderMaps, decoderMaps, crossMaps] = [weightsOf('encoder'), weightsOf('decoder'), weightsOf('cross')];
  const sourceLength = encoderMaps.length === 0 ? 0 : (reading.sourceIds ?? reading.ids).length;
  let encoder = identity(sourceLength, sourceLength);
  for (const map of encoderMaps) encoder = halfway(encoder, product(map, encoder, sourceLength));
  if (decoderMaps.length === 0) return { encoder };

  const length = reading.ids.length;
  const width = length + sourceLength;
  // what the encoder's rows are made of, as rows over both texts
  const memory = new Float32Array(sourceLength * width);
  for (let s = 0; s < sourceLength; s++) {
    memory.set(encoder.subarray(s * sourceLength, (s + 1) * sourceLength), s * width + length);
  }
  let decoder = identity(length, width);
  decoderMaps.forEach((map, layer) => {
    decoder = halfway(decoder, product(map, decoder, length));
    const cross = crossMaps[layer];
    if (cross) decoder = halfway(decoder, product(cross, memory, sourceLength));
  });
  return { ...(encoderMaps.length > 0 && { encoder }), decoder };
}

function identity(rows: number, columns: number): Float32Array {
  const data = new Float32Array(rows * columns);
  for (let i = 0; i < rows; i++) data[i * columns + i] = 1;
  return data;
}

function halfway(a: Float32Array, b: Float32Array): Float32Array {
  return a.map((x, i) => (x + b[i]!) / 2);
}

/** [N, M] · [M, K] → [N, K] */
function product(a: Float32Array, b: Float32Array, inner: number): Float32Array {
  const [rows, columns] = [a.length / inner, b.length / inner];
  const result = new Float32Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    const row = result.subarray(i * columns, (i + 1) * columns);
    for (let j = 0; j < inner; j++) {
      const factor = a[i * inner + j]!;
      if (factor === 0) continue;
      const from = b.subarray(j * columns, (j + 1) * columns);
      for (let k = 0; k < columns; k++) row[k]! += factor * from[k]!;
    }
  }
  return result;
}
