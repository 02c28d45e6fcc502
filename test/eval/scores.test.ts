import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { QkvError } from '../../src/base/errors.ts';
import {
  type ClassificationOptions,
  classificationScores,
  type Label,
  multiLabelScores,
} from '../../src/eval/classification.ts';
import { pearson, spearman } from '../../src/eval/correlation.ts';
import { type EntityScheme, entitiesOf, entityScores } from '../../src/eval/entities.ts';
import { cmrc2018, squad } from '../../src/eval/extractiveQa.ts';
import { minimalPairsAccuracy } from '../../src/eval/minimalPairs.ts';
import { bitsPerByte, perplexity, type StridedWindow, stridedWindows } from '../../src/eval/perplexity.ts';
import type { AveragedScores, LabelScores, PrecisionRecallF1 } from '../../src/eval/precisionRecall.ts';
import { pseudoLikelihoodRows } from '../../src/eval/pseudoLikelihood.ts';
import { type RougeScores, rouge } from '../../src/eval/rouge.ts';
import { treebankWords } from '../../src/eval/treebankWords.ts';

type Averaged<L> = Omit<AveragedScores<L>, 'byLabel'> & {
  readonly name: string;
  readonly byLabel: [L, LabelScores][];
  readonly accuracy: number;
};
interface Answers {
  readonly name: string;
  readonly predictions: string[];
  readonly answers: string[][];
  readonly exactMatch: number;
  readonly f1: number;
}
interface Expected {
  readonly classification: (Averaged<Label> &
    ClassificationOptions & { predicted: Label[]; actual: Label[]; matthews: number })[];
  readonly multiLabel: (Averaged<Label> & ClassificationOptions & { predicted: Label[][]; actual: Label[][] })[];
  readonly correlation: { name: string; x: number[]; y: number[]; pearson: number | null; spearman: number | null }[];
  readonly entities: (Averaged<string> & { scheme: EntityScheme; predicted: string[][]; actual: string[][] })[];
  readonly rouge: {
    name: string;
    hypotheses: string[];
    references: string[][];
    characters: boolean;
    scores: RougeScores;
  }[];
  readonly squad: (Answers & { version: '1.1' | '2.0' })[];
  readonly cmrc2018: Answers[];
  readonly treebankWords: [string, string[]][];
  readonly stridedWindows: { length: number; maxLength: number; stride: number; windows: StridedWindow[] }[];
}

const file = new URL('../../fixtures/metrics/scores.json', import.meta.url);
const expected = JSON.parse(readFileSync(file, 'utf8')) as Expected;

function expectClose(actual: PrecisionRecallF1, wanted: PrecisionRecallF1, what: string): void {
  for (const key of ['precision', 'recall', 'f1'] as const) {
    expect(actual[key], `${what}, ${key}`).toBeCloseTo(wanted[key], 12);
  }
}

function expectAveraged<L>(actual: AveragedScores<L> & { accuracy: number }, wanted: Averaged<L>): void {
  expect(actual.accuracy).toBeCloseTo(wanted.accuracy, 12);
  expect([...actual.byLabel.keys()]).toEqual(wanted.byLabel.map(([label]) => label));
  for (const [label, scores] of wanted.byLabel) {
    expectClose(actual.byLabel.get(label)!, scores, String(label));
    expect(actual.byLabel.get(label)!.support).toBe(scores.support);
  }
  for (const average of ['micro', 'macro', 'weighted'] as const) expectClose(actual[average], wanted[average], average);
}

function errorOf(call: () => unknown): QkvError {
  try {
    call();
  } catch (error) {
    if (error instanceof QkvError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('classification equals scikit-learn', () => {
  it.each(expected.classification)('$name', ({ predicted, actual, labels, ...wanted }) => {
    const scores = classificationScores(predicted, actual, labels ? { labels } : {});
    expectAveraged(scores, wanted);
    expect(scores.matthews).toBeCloseTo(wanted.matthews, 12);
  });

  it.each(expected.multiLabel)('several labels: $name', ({ predicted, actual, labels, ...wanted }) => {
    expectAveraged(multiLabelScores(predicted, actual, labels ? { labels } : {}), wanted);
  });

  it('takes typed arrays', () => {
    expect(classificationScores(Int32Array.of(1, 0), [1, 1]).byLabel.get(1)?.recall).toBe(0.5);
  });

  it('refuses what cannot be compared', () => {
    expect(errorOf(() => classificationScores([], [])).message).toContain('predicted: got none');
    expect(errorOf(() => classificationScores([1], [1, 0])).message).toContain('actual: got 2 items, expected 1');
    expect(errorOf(() => classificationScores(['1'], [1])).message).toContain('predicted: got "1", expected a number');
    expect(errorOf(() => classificationScores([Number.NaN], [1])).code).toBe('data');
    expect(errorOf(() => classificationScores([2], [1], { labels: [0, 1] })).message).toContain('expected one of 0, 1');
    expect(errorOf(() => multiLabelScores([['b']], [['a']], { labels: ['a'] })).message).toContain('got "b"');
    expect(errorOf(() => classificationScores([1], [1], { average: 'macro' } as object)).code).toBe('usage');
  });
});

describe('correlation equals scipy', () => {
  it.each(expected.correlation)('$name', ({ x, y, ...wanted }) => {
    for (const [actual, value] of [
      [pearson(x, y), wanted.pearson],
      [spearman(x, y), wanted.spearman],
      [pearson(y, x), wanted.pearson],
    ] as const) {
      if (value === null) expect(actual).toBeNaN();
      else expect(actual).toBeCloseTo(value, 12);
    }
  });

  it('refuses what has no correlation', () => {
    expect(errorOf(() => pearson([1], [1])).message).toContain('expected at least two');
    expect(errorOf(() => pearson([1, 2], [1])).code).toBe('data');
    expect(errorOf(() => spearman([1, 2], [1, Number.NaN])).message).toContain('actual[1]: got NaN');
    expect(errorOf(() => spearman([1, Number.POSITIVE_INFINITY], [1, 2])).message).toContain('predicted[1]');
  });
});

describe('entities equal seqeval', () => {
  it.each(expected.entities)('$name, $scheme', ({ predicted, actual, scheme, ...wanted }) => {
    expectAveraged(entityScores(predicted, actual, { scheme }), wanted);
  });

  it('gives the entities', () => {
    const tags = ['B-PER', 'I-PER', 'O', 'I-LOC'];
    expect(entitiesOf(tags)).toEqual([
      { type: 'PER', start: 0, end: 2 },
      { type: 'LOC', start: 3, end: 4 },
    ]);
    expect(entitiesOf(tags, 'iob2')).toEqual([{ type: 'PER', start: 0, end: 2 }]);
    expect(entitiesOf(tags, 'iobes')).toEqual([]);
  });

  it('is 0 without any entity', () => {
    const { accuracy, micro, macro, weighted } = entityScores([['O', 'O'], []], [['O', 'O'], []]);
    const none = { precision: 0, recall: 0, f1: 0 };
    expect([accuracy, micro, macro, weighted]).toEqual([1, none, none, none]);
  });

  it('refuses tags that are none', () => {
    for (const tag of ['PER', 'X-PER', 'B-', 'BPER', '', 'O-PER', 'b-PER']) {
      expect(errorOf(() => entityScores([[tag]], [['O']])).message, tag).toContain('expected O, or one of B, I, E, S');
    }
    expect(errorOf(() => entityScores([['O']], [['S-PER']], { scheme: 'iob2' })).message).toContain('one of B, I and');
    expect(errorOf(() => entityScores([['O']], [['O', 'O']])).message).toContain('actual[0]: got 2 tags, expected 1');
    expect(errorOf(() => entityScores([['O']], [['O']], { scheme: 'IOB2' as 'iob2' })).code).toBe('usage');
  });
});

describe('ROUGE equals rouge-score', () => {
  it.each(expected.rouge)('$name', ({ hypotheses, references, characters, scores }) => {
    const tokenize = (text: string): string[] => [...text].filter((char) => !/\s/.test(char));
    const actual = rouge(hypotheses, references, characters ? { tokenize } : {});
    for (const kind of ['rouge1', 'rouge2', 'rougeL', 'rougeLsum'] as const) {
      expectClose(actual[kind], scores[kind], kind);
    }
  });

  it('refuses options that it does not have', () => {
    expect(errorOf(() => rouge(['a'], ['a'], { stem: true } as object)).message).toContain("unknown option 'stem'");
    expect(errorOf(() => rouge(['a'], ['a', 'b'])).code).toBe('data');
  });
});

describe('question answering equals the official scripts', () => {
  it.each(expected.squad)('SQuAD $version: $name', ({ predictions, answers, version, exactMatch, f1 }) => {
    const scores = squad(predictions, answers, { version });
    expect(scores.exactMatch).toBeCloseTo(exactMatch, 10);
    expect(scores.f1).toBeCloseTo(f1, 10);
  });

  it.each(expected.cmrc2018)('CMRC 2018: $name', ({ predictions, answers, exactMatch, f1 }) => {
    const scores = cmrc2018(predictions, answers);
    expect(scores.exactMatch).toBeCloseTo(exactMatch, 10);
    expect(scores.f1).toBeCloseTo(f1, 10);
  });

  it('words are NLTK’s', () => {
    for (const [line, words] of expected.treebankWords) expect(treebankWords(line), line).toEqual(words);
  });

  it('refuses questions without an answer, and other numbers of them', () => {
    expect(errorOf(() => squad(['a'], [[]])).message).toContain("version: '2.0'");
    expect(errorOf(() => cmrc2018(['a'], [[]])).code).toBe('data');
    expect(errorOf(() => squad(['a'], [])).message).toContain('answers: got 0 items, expected 1');
    expect(errorOf(() => squad(['a'], [['a']], { version: '2' as '2.0' })).code).toBe('usage');
  });
});

describe('likelihoods', () => {
  it('perplexity and bits per byte of a uniform guess', () => {
    const losses = new Array<number>(6).fill(Math.log(8));
    expect(perplexity(losses)).toBeCloseTo(8, 12);
    expect(bitsPerByte(losses, 9)).toBeCloseTo(2, 12); // 6 tokens of 3 bits for 9 bytes
    expect(perplexity(Float32Array.of(0, 2))).toBeCloseTo(Math.E, 6);
    expect(errorOf(() => perplexity([])).code).toBe('data');
    expect(errorOf(() => perplexity([1, Number.NaN])).message).toContain('perplexity[1]: got NaN');
    for (const bytes of [0, -1, 1.5, Number.NaN]) expect(errorOf(() => bitsPerByte([1], bytes)).code).toBe('usage');
  });

  it.each(expected.stridedWindows)(
    'windows over $length tokens, $maxLength by $stride, equal lm-evaluation-harness',
    ({ length, windows, ...options }) => {
      expect(stridedWindows(length, options)).toEqual(windows);
    },
  );

  it('every token but the first is a target once, with enough tokens before it', () => {
    for (let length = 2; length < 40; length++) {
      for (const [maxLength, stride] of [
        [1, 1],
        [5, 5],
        [8, 3],
        [8, 1],
      ] as const) {
        const targets: number[] = [];
        for (const { start, end, firstTarget } of stridedWindows(length, { maxLength, stride })) {
          expect(end - start).toBeLessThanOrEqual(maxLength);
          if (firstTarget > 1) expect(firstTarget - start).toBeGreaterThan(maxLength - stride);
          for (let t = firstTarget; t <= end; t++) targets.push(t);
        }
        expect(targets).toEqual(Array.from({ length: length - 1 }, (_, i) => i + 1));
      }
    }
  });

  it('refuses windows that leave gaps', () => {
    expect(errorOf(() => stridedWindows(9, { maxLength: 4, stride: 5 })).message).toContain('from 1 to 4');
    expect(errorOf(() => stridedWindows(9, { maxLength: 4, stride: 0 })).code).toBe('usage');
    expect(errorOf(() => stridedWindows(9, { maxLength: 0, stride: 1 })).code).toBe('usage');
    expect(errorOf(() => stridedWindows(1, { maxLength: 4, stride: 4 })).code).toBe('data');
  });

  it('minimal pairs: a tie is wrong', () => {
    expect(minimalPairsAccuracy([-1, -2, -3, -5], [-2, -2, -1, -Infinity])).toBe(0.5);
    expect(errorOf(() => minimalPairsAccuracy([-1], [Number.NaN])).message).toContain('unacceptable[0]: got NaN');
    expect(errorOf(() => minimalPairsAccuracy([-1], [])).code).toBe('data');
  });

  it('pseudo-likelihood: each token masked by turns', () => {
    // [CLS] the souvenir(so ##uven ##ir) [SEP], the example of Kauf and Ivanova
    const ids = [101, 7, 21, 22, 23, 102];
    const options = { maskId: 103, specialIds: [101, 102] };
    expect(pseudoLikelihoodRows(ids, options)).toEqual([
      { ids: [101, 103, 21, 22, 23, 102], position: 1, target: 7 },
      { ids: [101, 7, 103, 22, 23, 102], position: 2, target: 21 },
      { ids: [101, 7, 21, 103, 23, 102], position: 3, target: 22 },
      { ids: [101, 7, 21, 22, 103, 102], position: 4, target: 23 },
    ]);
    expect(pseudoLikelihoodRows(ids, { ...options, words: [-1, 0, 1, 1, 1, -1] }).map((row) => row.ids)).toEqual([
      [101, 103, 21, 22, 23, 102],
      [101, 7, 103, 103, 103, 102],
      [101, 7, 21, 103, 103, 102],
      [101, 7, 21, 22, 103, 102],
    ]);
    expect(errorOf(() => pseudoLikelihoodRows(ids, { ...options, words: [0] })).message).toContain(
      'words: got 1 items',
    );
    expect(errorOf(() => pseudoLikelihoodRows([101, 103], options)).message).toContain('ids[1]: got maskId');
    expect(errorOf(() => pseudoLikelihoodRows([101, 102], options)).code).toBe('data');
  });
});
