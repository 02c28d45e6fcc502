import type { Wanted } from './graphs.ts';
import type { ResolvedOptions } from './options.ts';
import { badWords, forceToken, minNewTokens, noRepeatNgram, repetitionPenalty } from './processors.ts';

/** The processors that greedy choice, sampling and beam search share, in their order in `generate` of transformers. */
export function processRow(
  row: Float32Array,
  history: readonly number[],
  generated: number,
  options: ResolvedOptions,
): void {
  if (options.repetitionPenalty !== 1) repetitionPenalty(row, history, options.repetitionPenalty);
  if (options.noRepeatNgramSize > 0) noRepeatNgram(row, history, options.noRepeatNgramSize);
  if (options.badWordsIds.length > 0) badWords(row, history, options.badWordsIds);
  minNewTokens(row, generated, options.minNewTokens, options.eosIds);
  const forced = forcedToken(generated, options);
  if (forced !== null) forceToken(row, forced);
}

/** The token that must come after `generated` others, if any. */
export function forcedToken(generated: number, options: ResolvedOptions): number | null {
  if (generated === options.maxNewTokens - 1 && options.forcedEosId !== null) return options.forcedEosId;
  return generated === 0 ? options.forcedBosId : null;
}

/** Tokens that may not come after `generated` others, whatever these are. */
export function bannedTokens(generated: number, options: ResolvedOptions): Set<number> {
  const banned = new Set(options.badWordsIds.filter((word) => word.length === 1).map(([token]) => token!));
  if (generated < options.minNewTokens) for (const token of options.eosIds) banned.add(token);
  return banned;
}

/** Beyond so many, the best tokens are no longer few: whole rows come from the engine. */
const MOST_CANDIDATES = 64;

/**
 * How much of each row a step needs to choose `count` tokens: the best ones, and as many as are banned; or the whole row,
 * where processors look at the path so far.
 */
export function wantedScores(
  count: number,
  rows: 'logits' | 'logProbs',
  options: ResolvedOptions,
  vocabSize: number,
): Wanted {
  const singles = options.badWordsIds.filter((word) => word.length === 1).length;
  const k = Math.min(vocabSize, count + singles + (options.minNewTokens > 0 ? options.eosIds.length : 0));
  const looksBack =
    options.repetitionPenalty !== 1 || options.noRepeatNgramSize > 0 || singles < options.badWordsIds.length;
  return looksBack || k > MOST_CANDIDATES ? { kind: rows } : { kind: 'top', k };
}
