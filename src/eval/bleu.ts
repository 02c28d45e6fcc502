import { type BleuTokenizer, bleuTokenizers } from './bleuTokenizers.ts';
import { clippedMatches, countNgrams, maxCounts } from './ngrams.ts';
import { checkChoice, checkOptions, pairSegments, type References, referenceCount, trimEnd } from './segments.ts';

/**
 * What an order without any match counts as. `exp`: half the last such order's share, 1/(2ᵏ · total). `floor`: 0.1 matches.
 * `add-k`: one more match and one more n-gram in all orders above 1. `none`: zero, and so is the score.
 */
export type BleuSmoothing = 'exp' | 'floor' | 'add-k' | 'none';

export interface BleuOptions {
  /** Default `13a`. Use `zh` for Chinese. */
  readonly tokenize?: BleuTokenizer;
  /** Ignore case. Default false. */
  readonly lowercase?: boolean;
  /** Default `exp`. */
  readonly smooth?: BleuSmoothing;
  /** Average only over the orders that the hypotheses are long enough for: for scores of single sentences. Default false. */
  readonly effectiveOrder?: boolean;
}

export interface BleuScore {
  /** 0 to 100. */
  readonly score: number;
  /** Smoothed precision of the orders 1 to 4 in percent; all zero when no word matches. */
  readonly precisions: readonly number[];
  /** 0 to 1. */
  readonly brevityPenalty: number;
  /** Tokens in all hypotheses. */
  readonly hypLength: number;
  /** Tokens in all references; of several for a segment, the one closest in length to the hypothesis. */
  readonly refLength: number;
  /** What has to be equal for two scores to be comparable, in sacreBLEU's notation. */
  readonly signature: string;
}

const MAX_ORDER = 4;
const SMOOTHING: { readonly [name in BleuSmoothing]: string } = {
  exp: 'exp',
  floor: 'floor[0.10]',
  'add-k': 'add-k[1.00]',
  none: 'none',
};

/**
 * Corpus BLEU (Papineni et al. 2002, https://aclanthology.org/P02-1040), as sacreBLEU 2.6 defines its details
 * (Post 2018, https://aclanthology.org/W18-6319); smoothing after Chen and Cherry 2014, https://aclanthology.org/W14-3346.
 *
 *     BLEU = BP · exp(¼ Σₙ log pₙ)      pₙ = matches of order n / n-grams of order n, over the whole corpus
 *     BP   = min(1, exp(1 − refLength / hypLength))
 *
 * `references[i]` is the reference of `hypotheses[i]`, or the list of its references. Pass plain, untokenized text.
 * Throws `data` on unequal numbers of segments and `usage` on an unknown option or value.
 */
export function bleu(hypotheses: readonly string[], references: References, options: BleuOptions = {}): BleuScore {
  checkOptions('bleu', options, ['tokenize', 'lowercase', 'smooth', 'effectiveOrder']);
  const { tokenize = '13a', lowercase = false, smooth = 'exp', effectiveOrder = false } = options;
  checkChoice('bleu: tokenize', tokenize, Object.keys(bleuTokenizers));
  checkChoice('bleu: smooth', smooth, Object.keys(SMOOTHING));
  const segments = pairSegments('bleu', hypotheses, references);

  const tokensOf = (line: string) => bleuTokenizers[tokenize](trimEnd(lowercase ? line.toLowerCase() : line));
  const matches = [0, 0, 0, 0];
  const totals = [0, 0, 0, 0];
  let hypLength = 0;
  let refLength = 0;
  for (const segment of segments) {
    const hypTokens = tokensOf(segment.hypothesis);
    const refTokens = segment.references.map(tokensOf);
    const hypCounts = countNgrams(hypTokens, MAX_ORDER, ' ');
    const refCounts = refTokens.map((tokens) => countNgrams(tokens, MAX_ORDER, ' '));
    for (let n = 0; n < MAX_ORDER; n++) {
      const limits = refCounts.map((counts) => counts[n]!).reduce(maxCounts);
      matches[n]! += clippedMatches(hypCounts[n]!, limits);
      totals[n]! += Math.max(0, hypTokens.length - n);
    }
    hypLength += hypTokens.length;
    refLength += closestLength(
      hypTokens.length,
      refTokens.map((tokens) => tokens.length),
    );
  }

  const brevityPenalty = hypLength >= refLength ? 1 : hypLength === 0 ? 0 : Math.exp(1 - refLength / hypLength);
  const { precisions, order } = smoothedPrecisions(matches, totals, smooth, effectiveOrder);
  let logSum = 0;
  for (const precision of precisions.slice(0, order)) logSum += Math.log(precision);
  return {
    score: brevityPenalty * Math.exp(logSum / order),
    precisions,
    brevityPenalty,
    hypLength,
    refLength,
    signature: [
      `nrefs:${referenceCount(segments)}`,
      `case:${lowercase ? 'lc' : 'mixed'}`,
      `eff:${effectiveOrder ? 'yes' : 'no'}`,
      `tok:${tokenize}`,
      `smooth:${SMOOTHING[smooth]}`,
      'version:2.6.0-qkv',
    ].join('|'),
  };
}

/** The length nearest to `target`; the shorter one of two that are equally near. */
function closestLength(target: number, lengths: readonly number[]): number {
  return lengths.reduce((best, length) => {
    const gain = Math.abs(target - best) - Math.abs(target - length);
    return gain > 0 || (gain === 0 && length < best) ? length : best;
  });
}

/** Precisions in percent, and how many orders the mean is over. Without any match nothing is smoothed: the score is 0. */
function smoothedPrecisions(
  matches: readonly number[],
  totals: readonly number[],
  smooth: BleuSmoothing,
  effectiveOrder: boolean,
): { precisions: number[]; order: number } {
  const precisions = [0, 0, 0, 0];
  let order = MAX_ORDER;
  if (matches.every((count) => count === 0)) return { precisions, order };
  let halvings = 1;
  for (let n = 0; n < MAX_ORDER; n++) {
    const added = smooth === 'add-k' && n > 0 ? 1 : 0;
    const matched = matches[n]! + added;
    const total = totals[n]! + added;
    if (total === 0) break;
    if (effectiveOrder) order = n + 1;
    if (matched > 0) precisions[n] = (100 * matched) / total;
    else if (smooth === 'exp') precisions[n] = 100 / ((halvings *= 2) * total);
    else if (smooth === 'floor') precisions[n] = (100 * 0.1) / total;
  }
  return { precisions, order };
}
