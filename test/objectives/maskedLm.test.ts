import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type MaskedLmOptions, maskedLm, maskingEpoch } from '../../src/objectives/maskedLm.ts';
import { boundOf, keyOf } from './sample.ts';

const [CLS, SEP, MASK] = [2, 3, 4];
const options: MaskedLmOptions = { vocabSize: 1000, maskId: MASK, specialIds: new Set([0, 1, CLS, SEP, MASK]) };

/** [CLS] 98 ordinary tokens [SEP] */
const text = (seed: number): number[] => [
  CLS,
  ...Array.from({ length: 98 }, (_, i) => 5 + ((seed * 131 + i * 17) % 995)),
  SEP,
];

function count(trials: number, over: Partial<MaskedLmOptions> = {}) {
  const counts = { tokens: 0, chosen: 0, masked: 0, kept: 0, wrong: 0 };
  for (let seed = 0; seed < trials; seed++) {
    const ids = text(seed);
    const { inputs, labels } = maskedLm(ids, { ...options, ...over }, keyOf('count', seed));
    for (const [i, id] of ids.entries()) {
      counts.tokens++;
      if (labels[i] === -100) {
        if (inputs[i] !== id) counts.wrong++;
        continue;
      }
      counts.chosen++;
      if (labels[i] !== id) counts.wrong++;
      if (options.specialIds.has(id)) counts.wrong++;
      if (inputs[i] === MASK) counts.masked++;
      else if (inputs[i] === id) counts.kept++;
      else if (options.specialIds.has(inputs[i]!)) counts.wrong++;
    }
  }
  return counts;
}

describe('masked language modelling', () => {
  it('chooses 15%, of these 80% [MASK], 10% random, 10% kept', () => {
    const counts = count(4000);
    expect(counts).toMatchObject({ tokens: 400_000, chosen: 60_000, wrong: 0 });
    expect(Math.abs(counts.masked - 48_000)).toBeLessThan(boundOf(60_000, 0.8));
    // a random token is the old one in 1 of 995 cases
    const kept = 0.1 + 0.1 / 995;
    expect(Math.abs(counts.kept - kept * 60_000)).toBeLessThan(boundOf(60_000, kept));
  });

  it('has the rates of the collator of transformers', () => {
    const { maskingCounts } = JSON.parse(readFileSync('fixtures/objectives/expected.json', 'utf8'));
    const counts = count(2000);
    for (const name of ['masked', 'kept'] as const) {
      const [ours, theirs] = [counts[name] / counts.chosen, maskingCounts[name] / maskingCounts.chosen];
      const deviation = Math.sqrt(theirs * (1 - theirs) * (1 / counts.chosen + 1 / maskingCounts.chosen));
      expect(Math.abs(ours - theirs)).toBeLessThan(5 * deviation);
    }
    const chosen = maskingCounts.chosen - 0.15 * maskingCounts.tokens;
    expect(Math.abs(chosen)).toBeLessThan(boundOf(maskingCounts.tokens, 0.15));
    expect(counts.chosen / counts.tokens).toBe(0.15);
  });

  it('takes each rate as an option', () => {
    const counts = count(1000, { rate: 0.4, maskShare: 0.5, randomShare: 0 });
    expect(counts.chosen).toBe(40_000);
    expect(Math.abs(counts.masked - 20_000)).toBeLessThan(boundOf(40_000, 0.5));
    expect(counts.kept).toBe(counts.chosen - counts.masked);
    expect(count(10, { rate: 0 })).toMatchObject({ chosen: 0, wrong: 0 });
    expect(count(10, { rate: 1 })).toMatchObject({ chosen: 980 });
  });

  it('chooses every position and draws every token alike', () => {
    const positions = new Float64Array(100);
    const drawn = new Float64Array(20);
    for (let seed = 0; seed < 4000; seed++) {
      const small = { ...options, vocabSize: 20, maskShare: 0, randomShare: 1 };
      const { inputs, labels } = maskedLm(text(seed), small, keyOf('even', seed));
      labels.forEach((label, i) => {
        if (label === -100) return;
        positions[i]!++;
        drawn[inputs[i]!]!++;
      });
    }
    expect([positions[0], positions[99]]).toEqual([0, 0]);
    for (const n of positions.slice(1, 99)) expect(Math.abs(n - 60_000 / 98)).toBeLessThan(boundOf(4000, 15 / 98));
    expect(Array.from(drawn.slice(0, 5))).toEqual([0, 0, 0, 0, 0]);
    for (const n of drawn.slice(5)) expect(Math.abs(n - 4000)).toBeLessThan(boundOf(60_000, 1 / 15));
  });

  it('predicts at least one token, at most maxPredictions, and none of special ones alone', () => {
    expect(maskedLm([CLS, 9, SEP], options, keyOf('one')).labels).toEqual(Int32Array.of(-100, 9, -100));
    const few = maskedLm(text(1), { ...options, maxPredictions: 7 }, keyOf('few'));
    expect(few.labels.filter((label) => label !== -100)).toHaveLength(7);
    expect(maskedLm([CLS, SEP], options, keyOf('none')).inputs).toEqual(Int32Array.of(CLS, SEP));
    // Python's round(0.15 · 30) = round(4.5) = 4
    const thirty = maskedLm(text(2).slice(0, 30), options, keyOf('half'));
    expect(thirty.labels.filter((label) => label !== -100)).toHaveLength(4);
  });

  it('is a function of the key; static masks return after the copies, dynamic ones do not', () => {
    const mask = (epoch: number, copies?: number) =>
      maskedLm(text(1), options, keyOf('mask', maskingEpoch(epoch, copies), 1)).inputs;
    expect(mask(3)).toEqual(mask(3));
    expect(mask(13, 10)).toEqual(mask(3, 10));
    expect(new Set(Array.from({ length: 20 }, (_, epoch) => mask(epoch, 10).join())).size).toBe(10);
    expect(new Set(Array.from({ length: 20 }, (_, epoch) => mask(epoch).join())).size).toBe(20);
  });

  it('masks all of a word or nothing of it, and no word across a special token', () => {
    const thirds = (ids: ArrayLike<number>) => Uint8Array.from(ids, (_, i) => (i % 3 === 1 ? 1 : 0));
    for (let seed = 0; seed < 300; seed++) {
      const { labels } = maskedLm(text(seed), { ...options, wordStarts: thirds }, keyOf('words', seed));
      const chosen = Array.from(labels, (label) => label !== -100);
      for (let i = 1; i < 97; i += 3) expect(new Set(chosen.slice(i, i + 3)).size).toBe(1);
      // 15 wanted; the last word has 2 tokens
      expect([14, 15]).toContain(chosen.filter(Boolean).length);
    }
    // the second half of a word that [SEP] cuts is a word of its own
    const cut = [CLS, 10, SEP, 11, SEP];
    const whole = (ids: ArrayLike<number>) => Uint8Array.from(ids, (_, i) => (i === 1 ? 1 : 0));
    const { labels } = maskedLm(cut, { ...options, wordStarts: whole, maxPredictions: 1 }, keyOf('cut'));
    expect(labels.filter((label) => label !== -100)).toHaveLength(1);
  });

  it("chooses ALBERT's n-grams with p(n) ∝ 1/n", () => {
    const trials = 20_000;
    const chosenSets = (ids: number[], over: Partial<MaskedLmOptions>): Record<string, number> => {
      const counts: Record<string, number> = {};
      for (let seed = 0; seed < trials; seed++) {
        const { labels } = maskedLm(ids, { ...options, ...over }, keyOf('ngram', seed));
        const set = labels.filter((label) => label !== -100).join(' ');
        counts[set] = (counts[set] ?? 0) + 1;
      }
      return counts;
    };
    // Two of four: a pair begins at one of the first three words with 1/3; else the two are drawn one by one.
    const two = chosenSets([CLS, 10, 11, 12, 13, SEP], { rate: 2 / 6, maxNgram: 2 });
    const exact = { '10 11': 7, '11 12': 7, '12 13': 8, '10 12': 4, '10 13': 5, '11 13': 5 };
    expect(Object.keys(two).sort()).toEqual(Object.keys(exact).sort());
    for (const [set, p] of Object.entries(exact)) {
      expect(Math.abs(two[set]! - (p / 36) * trials), set).toBeLessThan(boundOf(trials, p / 36));
    }
    // Three of 3 + 1, with n = 1, 2, 3 at 6/11, 3/11, 2/11; no n-gram crosses the special token. All orders and lengths
    // counted, the three in a row have 247/792.
    const three = chosenSets([CLS, 10, 11, 12, SEP, 13, SEP], { rate: 3 / 7, maxNgram: 3 });
    expect(Math.abs(three['10 11 12']! - (247 / 792) * trials)).toBeLessThan(boundOf(trials, 247 / 792));
  });

  it('refuses impossible options', () => {
    const run = (over: object) => () => maskedLm(text(1), { ...options, ...over }, keyOf('bad'));
    expect(run({ rate: 1.5 })).toThrow('maskedLm: rate');
    expect(run({ maskShare: 0.8, randomShare: 0.3 })).toThrow('maskShare + randomShare');
    expect(run({ maxPredictions: 0 })).toThrow('maxPredictions');
    expect(run({ maxNgram: 1.5 })).toThrow('maxNgram');
    expect(run({ vocabSize: 5 })).toThrow('more tokens than the special ones');
    expect(run({ mask: 1 })).toThrow('mask, expected vocabSize');
    expect(() => maskingEpoch(1, 0)).toThrow('copies');
  });
});
