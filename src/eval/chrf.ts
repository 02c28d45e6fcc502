import { QkvError } from '../base/errors.ts';
import { clippedMatches, countNgrams, type NgramCounts, totalCount } from './ngrams.ts';
import { checkOptions, pairSegments, type References, referenceCount, splitWords } from './segments.ts';

export interface ChrfOptions {
  /** Longest word n-gram: 0 for chrF (default), 2 for chrF++. */
  readonly wordOrder?: number;
  /** Longest character n-gram. Default 6. */
  readonly charOrder?: number;
  /** How many times more recall counts than precision. Default 2. */
  readonly beta?: number;
  /** Ignore case. Default false. */
  readonly lowercase?: boolean;
}

export interface ChrfScore {
  /** 0 to 100. */
  readonly score: number;
  /** What has to be equal for two scores to be comparable, in sacreBLEU's notation. */
  readonly signature: string;
}

/** Counts of one n-gram order. */
interface OrderStats {
  hyp: number;
  ref: number;
  matches: number;
}

/**
 * Corpus chrF (Popović 2015, https://aclanthology.org/W15-3049) and, with `wordOrder: 2`, chrF++ (Popović 2017,
 * https://aclanthology.org/W17-4770), as sacreBLEU 2.6 defines their details.
 *
 *     chrF = 100 · (1 + β²) · P · R / (β² · P + R)
 *
 * P and R are the means of precision and recall over the n-gram orders that both sides have, each over the whole corpus.
 * Characters are code points, whitespace left out. Of several references for a segment, the one with the best score counts.
 * `references[i]` is the reference of `hypotheses[i]`, or the list of its references.
 * Throws `data` on unequal numbers of segments and `usage` on an unknown option or value.
 */
export function chrf(hypotheses: readonly string[], references: References, options: ChrfOptions = {}): ChrfScore {
  checkOptions('chrf', options, ['wordOrder', 'charOrder', 'beta', 'lowercase']);
  const { wordOrder = 0, charOrder = 6, beta = 2, lowercase = false } = options;
  checkNumber('wordOrder', wordOrder, Number.isInteger(wordOrder) && wordOrder >= 0, 'an integer of at least 0');
  checkNumber('charOrder', charOrder, Number.isInteger(charOrder) && charOrder >= 1, 'an integer of at least 1');
  checkNumber('beta', beta, Number.isFinite(beta) && beta > 0, 'a positive number');
  const segments = pairSegments('chrf', hypotheses, references);

  const ngramsOf = (line: string): NgramCounts[] => {
    const text = lowercase ? line.toLowerCase() : line;
    const characters = [...splitWords(text).join('')];
    return [...countNgrams(characters, charOrder, ''), ...countNgrams(chrfWords(text), wordOrder, ' ')];
  };
  const corpus = Array.from({ length: charOrder + wordOrder }, (): OrderStats => ({ hyp: 0, ref: 0, matches: 0 }));
  for (const segment of segments) {
    const hypNgrams = ngramsOf(segment.hypothesis);
    let best: OrderStats[] = [];
    let bestScore = -1;
    for (const reference of segment.references) {
      const stats = matchStats(hypNgrams, ngramsOf(reference));
      const score = fScore(stats, beta);
      if (score > bestScore) [best, bestScore] = [stats, score];
    }
    for (const [n, sum] of corpus.entries()) {
      sum.hyp += best[n]!.hyp;
      sum.ref += best[n]!.ref;
      sum.matches += best[n]!.matches;
    }
  }
  return {
    score: fScore(corpus, beta),
    signature: [
      `nrefs:${referenceCount(segments)}`,
      `case:${lowercase ? 'lc' : 'mixed'}`,
      'eff:yes',
      `nc:${charOrder}`,
      `nw:${wordOrder}`,
      'space:no',
      'version:2.6.0-qkv',
    ].join('|'),
  };
}

function checkNumber(option: string, value: number, ok: boolean, expected: string): void {
  if (!ok) throw new QkvError('usage', { where: `chrf: ${option}`, got: String(value), expected });
}

function matchStats(hypNgrams: readonly NgramCounts[], refNgrams: readonly NgramCounts[]): OrderStats[] {
  return hypNgrams.map((hyp, n) => {
    const ref = refNgrams[n]!;
    // A reference too short for this order says nothing about it: the hypothesis is not charged for its n-grams.
    return { hyp: ref.size === 0 ? 0 : totalCount(hyp), ref: totalCount(ref), matches: clippedMatches(hyp, ref) };
  });
}

function fScore(stats: readonly OrderStats[], beta: number): number {
  const used = stats.filter(({ hyp, ref }) => hyp > 0 && ref > 0);
  if (used.every(({ matches }) => matches === 0)) return 0;
  let precision = 0;
  let recall = 0;
  for (const { hyp, ref, matches } of used) {
    precision += matches / hyp;
    recall += matches / ref;
  }
  precision /= used.length;
  recall /= used.length;
  return (100 * (1 + beta ** 2) * precision * recall) / (beta ** 2 * precision + recall);
}

const PUNCTUATION = new Set('!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~');

/** Words with one ASCII punctuation mark split off: the last character if it is one, else the first. So `(hi)` gives `(hi` and `)`. */
function chrfWords(line: string): string[] {
  return splitWords(line).flatMap((word) => {
    const first = String.fromCodePoint(word.codePointAt(0)!);
    if (first === word) return [word];
    const last = word.at(-1)!;
    if (PUNCTUATION.has(last)) return [word.slice(0, -1), last];
    return PUNCTUATION.has(first) ? [first, word.slice(1)] : [word];
  });
}
