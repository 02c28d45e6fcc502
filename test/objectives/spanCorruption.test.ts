import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  type CorruptedText,
  type SpanCorruptionOptions,
  spanCorruption,
  spanCorruptionLengths,
} from '../../src/objectives/spanCorruption.ts';
import { keyOf } from './sample.ts';

const options: SpanCorruptionOptions = { firstSentinelId: 32_099, eosId: 1 };
const text = (length: number): number[] => Array.from({ length }, (_, i) => 100 + i);
const isSentinel = (id: number): boolean => id <= 32_099 && id > 31_999;

/** The text again: each sentinel of the source replaced with what follows it in the target. */
function restored({ source, target }: CorruptedText): number[] {
  expect([source.at(-1), target.at(-1)]).toEqual([1, 1]);
  const spans = new Map<number, number[]>();
  let span: number[] = [];
  for (const id of target.slice(0, -1)) {
    if (isSentinel(id)) spans.set(id, (span = []));
    else span.push(id);
  }
  return Array.from(source.slice(0, -1)).flatMap((id) => (isSentinel(id) ? spans.get(id)! : [id]));
}

describe('span corruption', () => {
  it('has the lengths of the released code', () => {
    const { t5Lengths } = JSON.parse(readFileSync('fixtures/objectives/expected.json', 'utf8'));
    expect(t5Lengths.length).toBeGreaterThan(50);
    for (const [source, noiseDensity, meanSpanLength, tokens, target] of t5Lengths) {
      const lengths = spanCorruptionLengths(source, { noiseDensity, meanSpanLength });
      expect(lengths).toEqual({ tokens, source, target });
    }
  });

  it('fills a source of every length exactly', () => {
    for (let length = 3; length <= 600; length++) {
      const { tokens, source, target } = spanCorruptionLengths(length);
      expect(source).toBe(length);
      const corrupted = spanCorruption(text(tokens), options, keyOf('full', length));
      expect([corrupted.source.length, corrupted.target.length]).toEqual([length, target]);
    }
  });

  it('takes 85 of 568 tokens in 28 spans: the paper’s 512 and 114', () => {
    const { source, target } = spanCorruption(text(568), options, keyOf('paper'));
    expect([source.length, target.length]).toEqual([512, 114]);
    expect(target.filter(isSentinel)).toHaveLength(28);
  });

  it('reconstructs the text, sentinels in order, no span next to another', () => {
    for (let seed = 0; seed < 300; seed++) {
      const length = 2 + ((seed * 37) % 500);
      const settings = [{}, { noiseDensity: 0.5 }, { noiseDensity: 0.9, meanSpanLength: 1.5 }, { meanSpanLength: 10 }];
      const corrupted = spanCorruption(text(length), { ...options, ...settings[seed % 4] }, keyOf('back', seed));
      expect(restored(corrupted)).toEqual(text(length));
      const inOrder = (ids: Int32Array) => Array.from(ids.filter(isSentinel));
      expect(inOrder(corrupted.source)).toEqual(inOrder(corrupted.source).map((_, i) => 32_099 - i));
      expect(inOrder(corrupted.target)).toEqual(inOrder(corrupted.source));
      corrupted.source.forEach((id, i) => {
        if (isSentinel(id)) expect(isSentinel(corrupted.source[i - 1]!)).toBe(false);
      });
    }
  });

  it('makes every mask equally often', () => {
    // 10 tokens, 4 of noise in 2 spans: 3 ways to cut the noise, 5 to cut the rest
    const counts = new Map<string, number>();
    for (let seed = 0; seed < 15_000; seed++) {
      const even = { ...options, noiseDensity: 0.4, meanSpanLength: 2 };
      const mask = spanCorruption(text(10), even, keyOf('even', seed)).source.join();
      counts.set(mask, (counts.get(mask) ?? 0) + 1);
    }
    expect(counts.size).toBe(15);
    // χ² of 14 degrees of freedom exceeds 56 with probability 6·10⁻⁷.
    let chi = 0;
    for (const n of counts.values()) chi += (n - 1000) ** 2 / 1000;
    expect(chi).toBeLessThan(56);
  });

  it('is a function of the key', () => {
    const of = (seed: number) => spanCorruption(text(100), options, keyOf('same', seed));
    expect(of(1)).toEqual(of(1));
    expect(of(2)).not.toEqual(of(1));
  });

  it('refuses what cannot be', () => {
    const run = (length: number, over: object) => () =>
      spanCorruption(text(length), { ...options, ...over }, keyOf('bad'));
    expect(run(568, { sentinels: 27 })).toThrow('27 for 28 spans in 568 tokens');
    expect(run(1, {})).toThrow('from 2');
    expect(run(10, { noiseDensity: -1 })).toThrow('noiseDensity');
    expect(run(10, { meanSpanLength: 0 })).toThrow('meanSpanLength');
    expect(run(10, { density: 0.5 })).toThrow('got density');
    expect(() => spanCorruptionLengths(2)).toThrow('sourceLength');
  });
});
