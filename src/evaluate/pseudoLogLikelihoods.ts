import { QkvError } from '../base/errors.ts';
import { pseudoLikelihoodRows } from '../eval/pseudoLikelihood.ts';
import type { EncoderModel, Model } from '../models/model.ts';
import { targetWordsTask } from '../predict/headTasks.ts';
import { EncoderSession, type EncoderText } from '../predict/session.ts';
import { encodeTexts } from '../pretrained/encodeTexts.ts';
import { maskOf } from '../pretrained/fillMask.ts';
import type { Asked, Subject } from './evaluation.ts';

/** Of each token of a text that is not special, when it is masked. */
export interface MaskedTokens {
  readonly ids: readonly number[];
  /** −log P, in nats. */
  readonly losses: readonly number[];
  /** The most probable word in its place. */
  readonly best: readonly number[];
}

/** A text, and where it comes from. */
export interface PlacedText {
  readonly where: string;
  readonly text: string;
}

/** Ids of rows that are made at once, at most. */
const MOST_IDS = 2 ** 22;

/**
 * Each token of each text masked by turns (`pseudoLikelihoodRows`); texts that are too long are cut, and counted.
 *
 * @throws QkvError `data` for a text without a token, and one with a mask
 */
export async function pseudoLogLikelihoods(
  { runtime, model, parameters, tokenizer }: Subject,
  texts: readonly PlacedText[],
  { length, mask = 'token', running }: Asked,
): Promise<{ readonly texts: MaskedTokens[]; readonly truncated: number }> {
  const encoder = encoderOf(model);
  const maskId = maskOf(tokenizer);
  const { unk: _, ...around } = tokenizer.specialIds;
  const specialIds = Object.values(around);
  let truncated = 0;
  const plain = texts.map(({ text }) => text);
  const encoded = encodeTexts(encoder, tokenizer.encodeWithOffsets, plain, {
    nameOf: (i) => texts[i]!.where,
    truncate: true,
    maxLength: length,
    onTruncate: () => truncated++,
  });
  for (const [i, { ids }] of encoded.entries()) {
    const isEmpty = ids.every((id) => specialIds.includes(id));
    if (!isEmpty && !ids.includes(maskId)) continue;
    const got = isEmpty ? 'a text without a token' : 'a text with a mask';
    throw new QkvError('data', { where: texts[i]!.where, got, expected: 'a sentence' });
  }
  using session = new EncoderSession(runtime, model, parameters);
  const found: MaskedTokens[] = [];
  for (let start = 0; start < encoded.length; ) {
    let [end, size] = [start, 0];
    while (end < encoded.length && (end === start || size + encoded[end]!.ids.length ** 2 <= MOST_IDS)) {
      size += encoded[end++]!.ids.length ** 2;
    }
    const part = encoded.slice(start, end).map(({ ids, words, segments }) => {
      // tokens put around have no word: each a number of its own
      const wordOf = words.map((word, i) => word ?? -1 - i);
      const rows = pseudoLikelihoodRows(ids, { maskId, specialIds, ...(mask === 'word-l2r' && { words: wordOf }) });
      return rows.map((row): EncoderText & { readonly target: number } => ({
        ids: row.ids,
        ...(segments && { segments }),
        positions: [row.position],
        targets: [row.target],
        target: row.target,
      }));
    });
    const before = start;
    const results = await session.run(targetWordsTask(encoder), part.flat(), { ...running, onProgress: undefined });
    let at = 0;
    for (const rows of part) {
      const own = results.slice(at, (at += rows.length));
      found.push({
        ids: rows.map(({ target }) => target),
        losses: own.map(({ losses }) => losses!.data[0]!),
        best: own.map(({ best }) => best!.data[0]!),
      });
    }
    start = end;
    running.onProgress(before + part.length);
  }
  return { texts: found, truncated };
}

function encoderOf(model: Model): EncoderModel {
  if (model.kind === 'encoder') return model;
  throw new QkvError('usage', {
    where: 'evaluateModel',
    got: `a ${model.family} model`,
    expected: 'one for masked words',
  });
}
