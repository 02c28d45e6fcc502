import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type SentencePair, type SentencePairsOptions, sentencePairs } from '../../src/objectives/sentencePairs.ts';
import type { Sentences } from '../../src/objectives/sentences.ts';
import { boundOf, keyOf } from './sample.ts';

const [CLS, SEP] = [-1, -2];

/** Sentences of every document; token = 1000 · document + its place, so a token says where it is from. */
function numbered(lengths: readonly (readonly number[])[]): Sentences[] {
  return lengths.map((sentences, d) => {
    let next = 1000 * d;
    return sentences.map((length) => Array.from({ length }, () => next++));
  });
}

/** 400 speeches of Shakespeare, a line a sentence, a word a token. */
const real = numbered(
  readFileSync('data/tinyshakespeare/input.txt', 'utf8')
    .split('\n\n')
    .map((speech) => speech.split('\n').map((line) => line.split(' ').length))
    .filter((speech) => speech.length > 3)
    .slice(0, 400),
);

function parts({ ids, segments }: SentencePair): { a: number[]; b: number[] } {
  const first = ids.indexOf(SEP);
  expect([ids[0], ids.at(-1)]).toEqual([CLS, SEP]);
  expect(Array.from(segments)).toEqual(Array.from(ids, (_, i) => (i <= first ? 0 : 1)));
  return { a: Array.from(ids.slice(1, first)), b: Array.from(ids.slice(first + 1, -1)) };
}

function pairsOf(
  documents: Sentences[],
  over: Partial<SentencePairsOptions>,
  seed: string | number = 0,
): SentencePair[] {
  const options = { objective: 'next-sentence', maxLength: 32, clsId: CLS, sepId: SEP, ...over } as const;
  return documents.flatMap((_, d) => sentencePairs(documents, d, options, keyOf('pairs', seed, d)));
}

const documentOf = (token: number): number => Math.floor(token / 1000);

describe('next sentence', () => {
  it('labels true pairs 0 and pairs of two documents 1', () => {
    for (const pair of pairsOf(real, {})) {
      const { a, b } = parts(pair);
      expect(pair.ids.length).toBeLessThanOrEqual(32);
      expect(Math.min(a.length, b.length)).toBeGreaterThan(0);
      for (const part of [a, b]) expect(part.at(-1)! - part[0]!).toBe(part.length - 1); // tokens in a row
      expect(documentOf(a[0]!) === documentOf(b[0]!)).toBe(pair.label === 0);
      if (pair.label === 0) expect(b[0]!).toBeGreaterThan(a.at(-1)!);
    }
  });

  it('has true next sentences in half of the pairs that have more than one sentence', () => {
    // 12 sentences of 10 tokens: with 29 of them a pair, three sentences make one
    const documents = numbered(Array.from({ length: 20 }, () => Array.from({ length: 12 }, () => 10)));
    let pairs = 0;
    let random = 0;
    for (let seed = 0; seed < 15; seed++) {
      for (const pair of pairsOf(documents, { shortShare: 0 }, seed)) {
        const { a } = parts(pair);
        if (a.at(-1)! % 1000 === 119) continue; // the last sentence alone has no next one
        pairs++;
        random += pair.label;
      }
    }
    expect(pairs).toBeGreaterThan(1500);
    expect(Math.abs(random - pairs / 2)).toBeLessThan(boundOf(pairs, 0.5));
  });

  it('draws the other documents alike, never the same', () => {
    const documents = numbered(Array.from({ length: 6 }, () => [5, 5]));
    const counts = new Float64Array(6);
    for (let seed = 0; seed < 1500; seed++) {
      const options = { objective: 'next-sentence', maxLength: 16, clsId: CLS, sepId: SEP, negativeShare: 1 } as const;
      const [pair] = sentencePairs(documents, 2, options, keyOf('other', seed));
      counts[documentOf(parts(pair!).b[0]!)]!++;
    }
    expect(counts[2]).toBe(0);
    for (const d of [0, 1, 3, 4, 5]) expect(Math.abs(counts[d]! - 300)).toBeLessThan(boundOf(1500, 0.2));
  });

  it('draws them from the peers of a document, where it has any', () => {
    const documents = numbered(Array.from({ length: 6 }, () => [5, 5]));
    const drawn = (index: number, peers: readonly number[]): Set<number> =>
      new Set(
        Array.from({ length: 200 }, (_, seed) => {
          const options = {
            objective: 'next-sentence',
            maxLength: 16,
            clsId: CLS,
            sepId: SEP,
            negativeShare: 1,
          } as const;
          const list = { length: 6, at: (i: number) => documents[i], peers: () => peers };
          return documentOf(parts(sentencePairs(list, index, options, keyOf('peers', seed))[0]!).b[0]!);
        }),
      );
    expect([...drawn(2, [0, 2, 4])].sort()).toEqual([0, 4]);
    expect([...drawn(4, [0, 2, 4])].sort()).toEqual([0, 2]);
    expect([...drawn(1, [1])].sort()).toEqual([0, 2, 3, 4, 5]);
  });

  it('puts back the sentences that a random one displaces: every sentence is used', () => {
    for (let seed = 0; seed < 20; seed++) {
      const documents = numbered([Array.from({ length: 9 }, () => 4), [50], [50]]);
      const options = { objective: 'next-sentence', maxLength: 64, clsId: CLS, sepId: SEP } as const;
      const own = sentencePairs(documents, 0, options, keyOf('back', seed))
        .flatMap((pair) => Object.values(parts(pair)).flat())
        .filter((token) => token < 1000);
      expect(own).toEqual(Array.from({ length: 36 }, (_, i) => i));
    }
  });

  it('cuts a tenth of the documents shorter', () => {
    const documents = numbered([Array.from({ length: 60 }, () => 1), [60], [60]]);
    let short = 0;
    for (let seed = 0; seed < 4000; seed++) {
      const options = { objective: 'next-sentence', maxLength: 43, clsId: CLS, sepId: SEP, negativeShare: 0 } as const;
      const [first] = sentencePairs(documents, 0, options, keyOf('short', seed));
      if (first!.ids.length < 43) short++;
    }
    // uniform on 2 … 40: one in 39 of the short ones is as long as the others
    const p = 0.1 * (38 / 39);
    expect(Math.abs(short - p * 4000)).toBeLessThan(boundOf(4000, p));
  });

  it('takes tokens off the longer side, at both ends alike', () => {
    const documents = numbered([[100, 10], [10]]);
    let front = 0;
    for (let seed = 0; seed < 200; seed++) {
      const options = { objective: 'next-sentence', maxLength: 43, clsId: CLS, sepId: SEP, negativeShare: 0 } as const;
      const [pair] = sentencePairs(documents, 0, { ...options, shortShare: 0 }, keyOf('cut', seed));
      // one sentence fills a pair, so its next is of the other document
      const { a, b } = parts(pair!);
      expect([a.length, b.length]).toEqual([30, 10]);
      front += a[0]!;
    }
    expect(Math.abs(front - 70 * 100)).toBeLessThan(boundOf(200 * 70, 0.5));
  });

  it('is a function of the key', () => {
    expect(pairsOf(real, {}, 1)).toEqual(pairsOf(real, {}, 1));
    expect(pairsOf(real, {}, 2)).not.toEqual(pairsOf(real, {}, 1));
  });

  it('refuses what cannot be', () => {
    const one = numbered([[5, 5]]);
    expect(() => pairsOf(one, {})).toThrow('at least 2');
    expect(() => pairsOf(real, { maxLength: 4 })).toThrow('maxLength');
    expect(() => pairsOf(real, { negativeShare: 2 })).toThrow('negativeShare');
    expect(() => pairsOf(real, { objective: 'nsp' as 'next-sentence' })).toThrow('sentence-order');
    expect(() => pairsOf(real, { short: 1 } as object)).toThrow('got short');
    expect(() => pairsOf([[[1], []], [[1]]], {})).toThrow('sentence 1 without tokens');
    expect(() => pairsOf([[], [[1]]], {})).toThrow('no sentences');
  });
});

describe('sentence order', () => {
  it('has the same two parts in either order, half of them swapped, nothing of another document', () => {
    let swapped = 0;
    let pairs = 0;
    for (let seed = 0; seed < 2; seed++) {
      for (const pair of pairsOf(real, { objective: 'sentence-order' }, seed)) {
        const { a, b } = parts(pair);
        expect(documentOf(a[0]!)).toBe(documentOf(b[0]!));
        expect(a[0]! > b[0]!).toBe(pair.label === 1);
        pairs++;
        swapped += pair.label;
      }
    }
    expect(pairs).toBeGreaterThan(1000);
    expect(Math.abs(swapped - pairs / 2)).toBeLessThan(boundOf(pairs, 0.5));
  });

  it('fills a pair with two sentences at least and needs one document only', () => {
    const pairs = pairsOf(numbered([[40, 40, 40]]), { objective: 'sentence-order' });
    expect(pairs).toHaveLength(1);
    expect(pairs[0]!.ids).toHaveLength(32);
  });
});
