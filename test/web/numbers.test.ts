import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { changes, tokenDiff } from '../../apps/web/src/views/numbers/changes.ts';
import {
  formatDifference,
  formatNumber,
  formatPercent,
  formatShort,
} from '../../apps/web/src/views/numbers/formatNumber.ts';
import { idsCodec } from '../../apps/web/src/views/predict/idsCodec.ts';
import { keysShown, strongestKey } from '../../apps/web/src/views/steps/keysShown.ts';
import type { Choice, Token } from '../../apps/web/src/worker/contract.ts';

const token = (id: number): Token => ({ id, text: `t${id}`, word: id, isSpecial: false });
const choice = (id: number, probability: number): Choice => ({ token: token(id), logit: 0, probability });

describe('numbers of the page', () => {
  it('are written as a person reads them', () => {
    expect([0.41251, -3.0004, 12.345, 123.45, -1234.5].map(formatNumber)).toEqual([
      '0.413',
      '−3.000',
      '12.35',
      '123.5',
      '−1235',
    ]);
    expect([0, -0, 2.4e-5, -3.1e-12, 123456, -1e30].map(formatNumber)).toEqual([
      '0',
      '0',
      '2.4·10⁻⁵',
      '−3.1·10⁻¹²',
      '1.2·10⁵',
      '−∞',
    ]);
    expect([1, 0.99951, 0.994, 0.25, 0.0834, 0.0001, 0].map(formatPercent)).toEqual([
      '>99.9%',
      '>99.9%',
      '99.4%',
      '25%',
      '8.3%',
      '<0.1%',
      '<0.1%',
    ]);
    expect([0.5, -0.25].map(formatDifference)).toEqual(['+0.500', '−0.250']);
    expect([1, 2.828427, -0.5].map(formatShort)).toEqual(['1', '2.83', '−0.5']);
  });

  it('have what is likeliest on either side, that of now first', () => {
    expect(changes([choice(1, 0.6), choice(2, 0.3)], [choice(2, 0.5), choice(3, 0.4)])).toEqual([
      { token: token(2), before: 0.3, after: 0.5 },
      { token: token(3), before: null, after: 0.4 },
      { token: token(1), before: 0.6, after: null },
    ]);
  });

  it('leave out the keys that are looked at least, never the one that is picked', () => {
    const weights = Float32Array.of(0.1, 0.4, 0.05, 0.3, 0.15);
    expect(strongestKey(weights)).toBe(1);
    expect(keysShown(weights, 2, 2, false)).toEqual([1, 2, 3]);
    expect(keysShown(weights, 2, 2, true)).toEqual([0, 1, 2, 3, 4]);
    expect(keysShown(weights, 0, 5, false)).toEqual([0, 1, 2, 3, 4]);
  });

  it('tell two texts apart by as few tokens as can be', () => {
    const texts = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 12 });
    fc.assert(
      fc.property(texts, texts, (a, b) => {
        const parts = tokenDiff(a.map(token), b.map(token));
        const idsOf = (...kinds: string[]): number[] =>
          parts.filter(({ kind }) => kinds.includes(kind)).flatMap(({ tokens }) => tokens.map(({ id }) => id));
        expect(idsOf('same', 'gone')).toEqual(a);
        expect(idsOf('same', 'new')).toEqual(b);
        expect(idsOf('same')).toHaveLength(longestCommon(a, b));
        for (const [i, { kind }] of parts.entries()) expect(kind).not.toBe(parts[i + 1]?.kind);
      }),
    );
  });

  it('are ids in an address, or none', () => {
    expect(idsCodec.parse(idsCodec.format([1, 403, 7])!)).toEqual([1, 403, 7]);
    expect(idsCodec.parse(idsCodec.format(null))).toBeNull();
    for (const text of ['1,', 'a', '1;2', '-1', '1.5', ',']) expect(idsCodec.parse(text), text).toBeUndefined();
  });
});

/** Length of the longest common subsequence, from the front (the page goes from the back). */
function longestCommon(a: readonly number[], b: readonly number[]): number {
  const table = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0));
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      table[i]![j] = a[i - 1] === b[j - 1] ? table[i - 1]![j - 1]! + 1 : Math.max(table[i - 1]![j]!, table[i]![j - 1]!);
    }
  }
  return table[a.length]![b.length]!;
}
