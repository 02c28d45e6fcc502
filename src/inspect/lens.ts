import { input } from '../ops/leaf.ts';
import type { Edits } from './edits.ts';
import type { Inspection } from './inspection.ts';
import { checkedPositions, requireCount, targetsOf } from './predictions.ts';
import type { Reading } from './reading.ts';
import { residualStreams } from './residualStreams.ts';
import { finish, streamShape } from './stream.ts';
import { type TunedLens, translate } from './tunedLens.ts';
import { scoreWords, type TokenChoice } from './wordHead.ts';

/** What the model would say after each layer. */
export interface Lens {
  /** Names of the residual streams: before the first layer, then after each. */
  readonly layers: readonly string[];
  readonly positions: readonly number[];
  /** [layer][position], the likeliest first. */
  readonly choices: readonly (readonly (readonly TokenChoice[])[])[];
  /** [layer][position]: entropy of the prediction, nats. */
  readonly entropy: readonly (readonly number[])[];
  /** [layer][position]: loss of the token that is known to come, nats; null where none is. */
  readonly loss: readonly (readonly (number | null)[])[];
}

export interface LensOptions {
  readonly edits?: Edits;
  /** Tokens for each; 5 when left out. */
  readonly top?: number;
  readonly positions?: readonly number[];
  /** Translators of the streams, for the tuned lens. */
  readonly tuned?: TunedLens | undefined;
}

/**
 * The logit lens (nostalgebraist 2020): the residual stream after each layer, read as if it were the last one. In a pre-norm
 * model it goes through the last norm, with its own mean and variance, in a post-norm one it is normed already; then
 * through the output layer, of an encoder with the masked-LM head before it. Of an encoder-decoder model it is the
 * decoder's. With `tuned` the tuned lens (Belrose et al. 2023): each stream h becomes h + h A + b before.
 *
 * @throws QkvError `usage` for an encoder without a masked-LM head
 */
export async function lens(
  inspection: Inspection,
  reading: Reading,
  { edits = {}, top = 5, positions, tuned }: LensOptions = {},
): Promise<Lens> {
  requireCount('top', top);
  const chosen = checkedPositions(reading, positions);
  const { layers, streams } = await residualStreams(inspection, reading, edits, chosen);
  const translated = tuned ? await translate(inspection, tuned, layers, streams) : streams;
  const { pass } = inspection;
  const trace = () => {
    const stream = input('residual', 'float32', streamShape(pass));
    return { outputs: { rows: finish(pass, stream) }, names: new Map() };
  };
  const { rows } = await inspection.runGraph('last norm', trace, { residual: translated });
  const known = targetsOf(inspection.model, reading);
  const targets = layers.flatMap(() => chosen.map((position) => known[position]!));
  const scores = await scoreWords(inspection, rows!, { top, targets });
  const byLayer = <T>(all: readonly T[]): T[][] =>
    layers.map((_, i) => all.slice(i * chosen.length, (i + 1) * chosen.length));
  return {
    layers,
    positions: chosen,
    choices: byLayer(scores.choices),
    entropy: byLayer(scores.entropy),
    loss: byLayer(scores.loss),
  };
}
