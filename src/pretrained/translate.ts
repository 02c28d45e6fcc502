import { QkvError } from '../base/errors.ts';
import { generate } from '../generate/generate.ts';
import type { GenerateOptions } from '../generate/options.ts';
import type { GenerationSession } from '../generate/session.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';

export interface TranslateOptions {
  readonly generate?: GenerateOptions;
  /** Sentences that are worked on together; 32 by default. */
  readonly batchSize?: number;
  /** Cut sources that are longer than the model can read; otherwise one is an error. */
  readonly truncate?: boolean;
  /** Called with the index of each source that is cut. */
  readonly onTruncate?: (i: number) => void;
  /** Called with the number of sentences done. */
  readonly onProgress?: (done: number) => void;
}

export interface Translation {
  readonly text: string;
  /** Tokens of the target, the end token included. */
  readonly ids: readonly number[];
  /** Mean log-probability of a token, of beams with their length penalty; absent for an empty sentence. */
  readonly score?: number;
}

/**
 * Translates sentences with an encoder-decoder model; the results are in the order of the sentences. Sentences of similar
 * length are batched together, which changes no result. An empty sentence gives an empty translation.
 *
 * @throws QkvError `usage` for a model of another kind, a sentence that is too long, and options that do not fit.
 */
export async function translate(
  session: GenerationSession,
  tokenizer: Tokenizer,
  sentences: readonly string[],
  { generate: options = {}, batchSize = 32, truncate = false, onTruncate, onProgress }: TranslateOptions = {},
): Promise<Translation[]> {
  const { model } = session;
  if (model.kind !== 'encoder-decoder') {
    throw new QkvError('usage', {
      where: 'translate',
      got: `a ${model.family} model, which continues texts`,
      expected: 'an encoder-decoder model',
    });
  }
  const results: Translation[] = sentences.map(() => ({ text: '', ids: [] }));
  const sources = sentences.map((sentence, index) => {
    if (sentence.trim() === '') return { index, ids: [] };
    const { ids } = tokenizer.encode(sentence);
    if (ids.length <= model.maxLength) return { index, ids };
    if (truncate) {
      onTruncate?.(index);
      return { index, ids: tokenizer.encode(sentence, { maxLength: model.maxLength }).ids };
    }
    throw new QkvError('usage', {
      where: `sentence ${index + 1} (${JSON.stringify(sentence.slice(0, 40))}…)`,
      got: `${ids.length} tokens`,
      expected: `at most ${model.maxLength}, the positions of the model`,
      hint: 'Split it into sentences, or truncate',
    });
  });
  const waiting = sources.filter(({ ids }) => ids.length > 0).sort((a, b) => a.ids.length - b.ids.length);
  let done = sources.length - waiting.length;
  for (let start = 0; start < waiting.length; start += batchSize) {
    const batch = waiting.slice(start, start + batchSize);
    const found = await generate(
      session,
      batch.map(({ ids }) => ids),
      options,
    );
    for (const [i, { index }] of batch.entries()) {
      const { ids, tokenScores, score } = found[i]![0]!;
      const mean = tokenScores.reduce((sum, one) => sum + one, 0) / tokenScores.length;
      results[index] = { text: tokenizer.decode(ids, { skipSpecialTokens: true }), ids, score: score ?? mean };
    }
    done += batch.length;
    onProgress?.(done);
  }
  return results;
}
