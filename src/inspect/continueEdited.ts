import { QkvError } from '../base/errors.ts';
import { deriveSeed, type Seed, uniform01 } from '../base/random.ts';
import type { Cancellation } from '../generate/options.ts';
import { argmax, topK as keepBest, temperature as scaleBy } from '../generate/processors.ts';
import { drawToken } from '../generate/sample.ts';
import type { Edits } from './edits.ts';
import type { Inspection } from './inspection.ts';
import { outputRows, pickRows, requireCount } from './predictions.ts';
import type { Reading } from './reading.ts';
import { wordHeadGraph } from './wordHead.ts';

export interface ContinueEditedOptions {
  readonly edits?: Edits;
  readonly maxNewTokens: number;
  /** 0, the default: always the likeliest. */
  readonly temperature?: number;
  readonly topK?: number;
  readonly seed?: Seed;
  /** Tokens that are never written, such as padding. */
  readonly bannedIds?: readonly number[];
  readonly signal?: Cancellation;
}

/**
 * Continues a text, or a translation from what there is of it, under edits, a token at a time, up to the end that the model
 * puts, which is given as well. Each token is one full pass over all before it, without a cache: edits such as a mean over
 * positions change what was computed for earlier tokens. For long texts without edits `generate` is what to use.
 *
 * @throws QkvError `usage` for an encoder
 */
export async function* continueEdited(
  inspection: Inspection,
  reading: Reading,
  { edits = {}, maxNewTokens, temperature = 0, topK, seed = 0, bannedIds = [], signal }: ContinueEditedOptions,
): AsyncGenerator<number> {
  const { model } = inspection;
  if (model.kind === 'encoder') {
    throw new QkvError('usage', {
      where: 'continueEdited',
      got: `a ${model.family} model, which reads and does not write`,
      expected: 'a model that continues a text or translates',
    });
  }
  requireCount('maxNewTokens', maxNewTokens);
  if (topK !== undefined) requireCount('topK', topK);
  if (!(temperature >= 0 && Number.isFinite(temperature))) {
    throw new QkvError('usage', { where: 'temperature', got: `${temperature}`, expected: 'a number from 0 on' });
  }
  const ids = [...reading.ids];
  for (let step = 0; step < maxNewTokens && ids.length < model.maxLength; step++) {
    signal?.throwIfAborted();
    const [rows] = await outputRows(inspection, [{ reading: { ...reading, ids }, edits }]);
    const last = pickRows(rows!, [ids.length - 1]);
    const trace = () => wordHeadGraph(model, last.shape[1]!, (logits) => ({ logits }));
    const { logits } = await inspection.runGraph('logits', trace, { rows: last });
    const scores = logits!.data as Float32Array;
    for (const id of bannedIds) scores[id] = Number.NEGATIVE_INFINITY;
    if (temperature > 0) {
      scaleBy(scores, temperature);
      if (topK !== undefined) keepBest(scores, topK);
    }
    const drawn = () => drawToken(scores, uniform01(deriveSeed(seed, 'continueEdited', step), 1)[0]!);
    const token = temperature > 0 ? drawn() : argmax(scores);
    yield token;
    if (model.eosIds.includes(token)) return;
    ids.push(token);
  }
}
