import { QkvError } from '../base/errors.ts';
import type { Model } from '../models/model.ts';

/** What a model reads in one full pass. */
export interface Reading {
  /** Of an encoder or a decoder alone the text; of an encoder-decoder model what its decoder reads, the start token first. */
  readonly ids: readonly number[];
  /** What the encoder of an encoder-decoder model reads. */
  readonly sourceIds?: readonly number[];
  /** The segment of each token, of an encoder that knows segments; 0 where it is left out. */
  readonly segments?: readonly number[];
}

/** Which of the two texts of a reading: of an encoder or a decoder alone all is `target`. */
export type Side = 'source' | 'target';

/** A translation as its model reads it: the start token before the target. `sourceIds` null: a text alone. */
export function readingOf(model: Model, sourceIds: readonly number[] | null, targetIds: readonly number[]): Reading {
  if ((model.kind === 'encoder-decoder') !== (sourceIds !== null)) {
    throw new QkvError('usage', {
      where: 'reading',
      got: sourceIds === null ? 'no source' : 'a source',
      expected: model.kind === 'encoder-decoder' ? 'a source and a target' : 'a text alone: this model has one stack',
    });
  }
  if (sourceIds === null) return { ids: [...targetIds] };
  return { ids: [(model as { readonly startId: number }).startId, ...targetIds], sourceIds: [...sourceIds] };
}

/** @throws QkvError `usage` for ids, lengths and segments that the model cannot read */
export function checkReading(model: Model, { ids, sourceIds, segments }: Reading): void {
  if ((model.kind === 'encoder-decoder') !== (sourceIds !== undefined)) {
    throw new QkvError('usage', {
      where: 'reading',
      got: sourceIds ? 'a source' : 'no source',
      expected: model.kind === 'encoder-decoder' ? 'a source and a target' : 'a text alone: this model has one stack',
    });
  }
  checkIds(sourceIds ? 'target' : 'text', ids, model.vocabSize, model.maxLength);
  if (sourceIds && model.kind === 'encoder-decoder') {
    checkIds('source', sourceIds, model.sourceVocabSize, model.maxLength);
  }
  if (!segments) return;
  const kinds = model.kind === 'encoder' ? Math.max(1, model.segments) : 1;
  const wrong = segments.find((segment) => !Number.isInteger(segment) || segment < 0 || segment >= kinds);
  if (segments.length !== ids.length || wrong !== undefined) {
    throw new QkvError('usage', {
      where: 'segments',
      got: wrong === undefined ? `${segments.length} segments` : `segment ${wrong}`,
      expected: wrong === undefined ? `${ids.length}, one for each token` : `from 0 to ${kinds - 1}`,
    });
  }
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
