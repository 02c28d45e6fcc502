import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { QkvError } from '../../src/base/errors.ts';
import { type BleuOptions, type BleuScore, bleu } from '../../src/eval/bleu.ts';
import { type ChrfOptions, chrf } from '../../src/eval/chrf.ts';

interface ExpectedBleu extends BleuScore {
  readonly options: BleuOptions;
}
interface ExpectedChrf {
  readonly options: ChrfOptions;
  readonly score: number;
  readonly signature: string;
}
interface Scores {
  readonly bleu: readonly ExpectedBleu[];
  readonly chrf: readonly ExpectedChrf[];
}
interface Expected {
  readonly sacrebleu: string;
  readonly corpora: Readonly<
    Record<'en' | 'de' | 'zh' | 'zh-several' | 'zh-three', Scores & { readonly segments: number }>
  >;
  readonly sentences: readonly (Scores & { readonly hypothesis: string; readonly references: readonly string[] })[];
}

const folder = new URL('../../fixtures/metrics/', import.meta.url);
const expected = JSON.parse(readFileSync(new URL('expected.json', folder), 'utf8')) as Expected;

/** Lines of [hypothesis, reference, …]. */
function corpus(name: string): { hypotheses: string[]; references: string[][] } {
  const text = gunzipSync(readFileSync(new URL(`${name}.jsonl.gz`, folder))).toString('utf8');
  const rows = text.split('\n').slice(0, -1);
  const segments = rows.map((row) => JSON.parse(row) as [string, ...string[]]);
  return { hypotheses: segments.map(([hyp]) => hyp), references: segments.map(([, ...refs]) => refs) };
}

const signatureOf = (score: { signature: string }) => score.signature.replace(/-qkv$/, '');

function expectBleu(actual: BleuScore, wanted: ExpectedBleu, what: string): void {
  expect(actual.score, what).toBeCloseTo(wanted.score, 9);
  expect(actual.brevityPenalty, what).toBeCloseTo(wanted.brevityPenalty, 12);
  expect([actual.hypLength, actual.refLength], what).toEqual([wanted.hypLength, wanted.refLength]);
  for (const [n, precision] of wanted.precisions.entries()) {
    expect(actual.precisions[n], `${what}, precision of order ${n + 1}`).toBeCloseTo(precision, 9);
  }
}

describe('BLEU and chrF of a corpus equal sacreBLEU', () => {
  for (const [name, scores] of Object.entries(expected.corpora)) {
    it(`${name}, ${scores.segments} segments`, () => {
      const { hypotheses, references } = corpus(name);
      expect(hypotheses).toHaveLength(scores.segments);
      for (const wanted of scores.bleu) {
        const actual = bleu(hypotheses, references, wanted.options);
        expectBleu(actual, wanted, JSON.stringify(wanted.options));
        expect(signatureOf(actual)).toBe(wanted.signature);
      }
      for (const wanted of scores.chrf) {
        const actual = chrf(hypotheses, references, wanted.options);
        expect(actual.score, JSON.stringify(wanted.options)).toBeCloseTo(wanted.score, 9);
        expect(signatureOf(actual)).toBe(wanted.signature);
      }
    });
  }

  it('defaults are 13a, mixed case, exp; chrF without words', () => {
    const { hypotheses, references } = corpus('de');
    const single = references.map((refs) => refs[0]!);
    expectBleu(bleu(hypotheses, single), expected.corpora.de.bleu[0]!, 'defaults');
    expect(chrf(hypotheses, single).score).toBeCloseTo(expected.corpora.de.chrf[0]!.score, 9);
  });
});

describe('BLEU and chrF of one sentence equal sacreBLEU', () => {
  for (const { hypothesis, references, bleu: bleuScores, chrf: chrfScores } of expected.sentences) {
    it(`${JSON.stringify(hypothesis)} | ${JSON.stringify(references)}`, () => {
      for (const wanted of bleuScores) {
        expectBleu(bleu([hypothesis], [references], wanted.options), wanted, JSON.stringify(wanted.options));
      }
      for (const wanted of chrfScores) {
        const actual = chrf([hypothesis], [references], wanted.options);
        expect(actual.score, JSON.stringify(wanted.options)).toBeCloseTo(wanted.score, 9);
      }
    });
  }
});

describe('wrong arguments', () => {
  const failure = (call: () => unknown): QkvError => {
    try {
      call();
    } catch (error) {
      if (error instanceof QkvError) return error;
      throw error;
    }
    throw new Error('nothing was thrown');
  };

  it('unequal numbers of segments', () => {
    for (const metric of [bleu, chrf]) {
      const error = failure(() => metric(['a', 'b'], ['a']));
      expect(error.code).toBe('data');
      expect(error.message).toContain('got references for 1 segments, expected 2');
    }
  });

  it('no hypothesis, or a hypothesis without a reference', () => {
    expect(failure(() => bleu([], [])).message).toContain('bleu: hypotheses: got none');
    expect(failure(() => chrf(['a', 'b'], [['a'], []])).message).toContain('chrf: references[1]: got none');
  });

  it('unknown options and values', () => {
    const options = (value: object) => value as BleuOptions & ChrfOptions;
    expect(failure(() => bleu(['a'], ['a'], options({ tokenizer: 'zh' }))).message).toContain("'tokenizer'");
    expect(failure(() => bleu(['a'], ['a'], options({ tokenize: 'intl' }))).message).toContain('13a, zh, char, none');
    expect(failure(() => bleu(['a'], ['a'], options({ smooth: 'toString' }))).code).toBe('usage');
    expect(failure(() => chrf(['a'], ['a'], options({ whitespace: true }))).message).toContain("'whitespace'");
    expect(failure(() => chrf(['a'], ['a'], { charOrder: 0 })).message).toContain('charOrder: got 0');
    expect(failure(() => chrf(['a'], ['a'], { wordOrder: -1 })).code).toBe('usage');
    expect(failure(() => chrf(['a'], ['a'], { beta: Number.NaN })).code).toBe('usage');
  });
});
