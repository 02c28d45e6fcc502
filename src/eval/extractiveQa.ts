import { QkvError } from '../base/errors.ts';
import { checkPaired } from './checkPaired.ts';
import { clippedMatches, countNgrams } from './ngrams.ts';
import { precisionRecallF1 } from './precisionRecall.ts';
import { checkChoice, checkOptions, splitWords, trim } from './segments.ts';
import { treebankWords } from './treebankWords.ts';

export interface SquadOptions {
  /**
   * Default `1.1`, where every question has an answer. In `2.0` a question without answers is right when the prediction is
   * empty, and so is an answer of which nothing is left when articles and punctuation are taken off.
   */
  readonly version?: '1.1' | '2.0';
}

/** Means over the questions, 0 to 100. */
export interface QaScores {
  readonly exactMatch: number;
  /** Overlap of the words of prediction and answer. */
  readonly f1: number;
}

/** One question's, 0 to 1. */
type AnswerScore = (prediction: string, answer: string) => QaScores;

/**
 * Exact match and F1 of answers cut from a text, as the official scripts of SQuAD 1.1 and 2.0 define them
 * (https://rajpurkar.github.io/SQuAD-explorer): lower case, without punctuation (ASCII) and articles (English); F1 of the
 * bags of words. `answers[i]` are the accepted answers to question i; the best one counts.
 *
 * @throws QkvError `data` on no questions, unequal numbers of them, and in 1.1 on a question without an answer
 */
export function squad(
  predictions: readonly string[],
  answers: readonly (readonly string[])[],
  options: SquadOptions = {},
): QaScores {
  checkOptions('squad', options, ['version']);
  const { version = '1.1' } = options;
  checkChoice('squad: version', version, ['1.1', '2.0']);
  if (version === '1.1') return meanOfBest('squad', predictions, answers, (p, a) => squadAnswer(p, a, 0));
  const kept = answers.map((accepted) => {
    const some = accepted.filter((answer) => normalizeAnswer(answer) !== '');
    return some.length > 0 ? some : [''];
  });
  return meanOfBest('squad', predictions, kept, (p, a) => squadAnswer(p, a, 1));
}

/**
 * Exact match and F1 of Chinese answers cut from a text, as the official script of CMRC 2018 defines them
 * (https://github.com/ymcui/cmrc2018): lower case, without its list of punctuation marks; Chinese characters one by one and
 * what stands between them in words; F1 of the longest run of tokens that both have. `answers[i]` are the accepted answers
 * to question i; the best one counts.
 *
 * The script cuts what is not Chinese with NLTK into sentences and these into words. Here it is one sentence: the two only
 * differ where an answer has a full stop inside its English, which then stays at its word.
 *
 * @throws QkvError `data` on no questions, unequal numbers of them, and a question without an answer
 */
export function cmrc2018(predictions: readonly string[], answers: readonly (readonly string[])[]): QaScores {
  return meanOfBest('cmrc2018', predictions, answers, cmrcAnswer);
}

function meanOfBest(
  where: string,
  predictions: readonly string[],
  answers: readonly (readonly string[])[],
  score: AnswerScore,
): QaScores {
  checkPaired(where, predictions, answers, ['predictions', 'answers']);
  let [exactMatch, f1] = [0, 0];
  for (const [i, prediction] of predictions.entries()) {
    if (answers[i]!.length === 0) {
      const hint = where === 'squad' ? "Questions without an answer are scored with version: '2.0'" : 'Leave it out';
      throw new QkvError('data', { where: `${where}: answers[${i}]`, got: 'none', expected: 'at least one', hint });
    }
    const scores = answers[i]!.map((answer) => score(prediction, answer));
    exactMatch += Math.max(...scores.map((one) => one.exactMatch));
    f1 += Math.max(...scores.map((one) => one.f1));
  }
  return { exactMatch: (100 * exactMatch) / predictions.length, f1: (100 * f1) / predictions.length };
}

/** `bothEmpty`: the F1 of nothing and nothing, in which the two versions differ. */
function squadAnswer(prediction: string, answer: string, bothEmpty: number): QaScores {
  const [normalPrediction, normalAnswer] = [normalizeAnswer(prediction), normalizeAnswer(answer)];
  const exactMatch = Number(normalPrediction === normalAnswer);
  const [words, wanted] = [splitWords(normalPrediction), splitWords(normalAnswer)];
  if (words.length === 0 && wanted.length === 0) return { exactMatch, f1: bothEmpty };
  const matched = clippedMatches(countNgrams(words, 1, '')[0]!, countNgrams(wanted, 1, '')[0]!);
  return { exactMatch, f1: precisionRecallF1({ matched, predicted: words.length, actual: wanted.length }).f1 };
}

/** Python's `\b`: letters and numbers of all scripts make words, combining marks do not. */
const ARTICLES = /(?<![\p{L}\p{N}_])(?:a|an|the)(?![\p{L}\p{N}_])/gu;

function normalizeAnswer(text: string): string {
  const bare = text.toLowerCase().replace(/[!-/:-@[-`{-~]/g, '');
  return splitWords(bare.replace(ARTICLES, ' ')).join(' ');
}

/** The script's list also has ……, which it compares with single characters and so never finds. */
const CMRC_PUNCTUATION = /[-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』]/g;

function cmrcAnswer(prediction: string, answer: string): QaScores {
  const [barePrediction, bareAnswer] = [bareCmrc(prediction), bareCmrc(answer)];
  const [segments, wanted] = [mixedSegments(barePrediction), mixedSegments(bareAnswer)];
  const matched = longestCommonRun(segments, wanted);
  return {
    exactMatch: Number(barePrediction === bareAnswer),
    f1: precisionRecallF1({ matched, predicted: segments.length, actual: wanted.length }).f1,
  };
}

function bareCmrc(text: string): string {
  return trim(text.toLowerCase()).replace(CMRC_PUNCTUATION, '');
}

/** Chinese characters (U+4E00 to U+9FA5) one by one, and the words between them. */
function mixedSegments(text: string): string[] {
  const parts = text.split(/([\u4e00-\u9fa5])/u);
  return parts.flatMap((part, i) => (i % 2 === 1 ? [part] : treebankWords(part)));
}

/** Length of the longest run of consecutive tokens that occurs in both. */
function longestCommonRun(a: readonly string[], b: readonly string[]): number {
  let longest = 0;
  // run[j]: length of the common run that ends at the current token of a and at b[j − 1]
  let run = new Int32Array(b.length + 1);
  for (const token of a) {
    const next = new Int32Array(b.length + 1);
    for (let j = 1; j <= b.length; j++) {
      if (token === b[j - 1]) longest = Math.max(longest, (next[j] = run[j - 1]! + 1));
    }
    run = next;
  }
  return longest;
}
