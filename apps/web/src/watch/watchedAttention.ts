import { QkvError } from '../../../../src/base/errors.ts';
import { attentionMaps } from '../../../../src/inspect/attention.ts';
import { Inspection } from '../../../../src/inspect/inspection.ts';
import type { Reading } from '../../../../src/inspect/reading.ts';
import { tokenReader } from '../../../../src/tokenizer/readableTokens.ts';
import type { LiveWeights } from '../../../../src/train/liveModel.ts';
import type { WatchedMap, WatchedText } from './events.ts';
import { readingOfText, readingOfValidation } from './watchedReading.ts';

/** Takes all attention maps of one text from a model in training. */
export class WatchedAttention {
  readonly #given: { readonly text?: string; readonly target?: string };
  #opened: { readonly inspection: Inspection; readonly reading: Reading } | undefined;

  /** Without a text one of the validation part is taken. */
  constructor(given: { readonly text?: string; readonly target?: string } = {}) {
    this.#given = given;
  }

  /** The maps one behind the other, and what they are. @throws QkvError `usage` where there is no text to look at */
  async capture(live: LiveWeights): Promise<{ readonly text: WatchedText; readonly frame: Float32Array }> {
    this.#opened ??= {
      inspection: new Inspection({ ...live, model: live.task.model }),
      reading: this.#readingFor(live.task),
    };
    const { inspection, reading } = this.#opened;
    const layers = await attentionMaps(inspection, reading);
    const read = tokenReader(live.task.tokenizer);
    const maps: WatchedMap[] = [];
    let size = 0;
    for (const { path, kind, layer, weights } of layers) {
      const shape = weights.shape as readonly [number, number, number];
      maps.push({ path, kind, layer, shape, offset: size });
      size += shape[0] * shape[1] * shape[2];
    }
    const frame = new Float32Array(size);
    for (const [i, { weights }] of layers.entries()) frame.set(weights.data as Float32Array, maps[i]!.offset);
    return { text: { source: read(reading.sourceIds ?? []), target: read(reading.ids), maps }, frame };
  }

  #readingFor(task: LiveWeights['task']): Reading {
    const { text, target } = this.#given;
    const reading = text === undefined ? readingOfValidation(task) : readingOfText(task, text, target);
    if (reading && reading.ids.length > 0 && reading.sourceIds?.length !== 0) return reading;
    throw new QkvError('usage', {
      where: text === undefined ? 'validation data' : '--watch-text',
      got: 'no tokens',
      expected: 'a text whose attention is shown',
    });
  }
}
