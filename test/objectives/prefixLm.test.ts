import { describe, expect, it } from 'vitest';
import { prefixLm, prefixMask } from '../../src/objectives/prefixLm.ts';
import { boundOf, keyOf } from './sample.ts';

describe('prefix language modelling', () => {
  const ids = [10, 11, 12, 13, 14];

  it('predicts what is behind the prefix alone', () => {
    const seen = new Set<number>();
    for (let seed = 0; seed < 100; seed++) {
      const { prefix, inputs, labels } = prefixLm(ids, keyOf('prefix', seed));
      seen.add(prefix);
      expect(Array.from(inputs)).toEqual([10, 11, 12, 13]);
      expect(Array.from(labels)).toEqual([11, 12, 13, 14].map((id) => (id - 10 < prefix ? -100 : id)));
    }
    expect([...seen].sort()).toEqual([1, 2, 3, 4]);
  });

  it('has prefixes of every length alike, a function of the key', () => {
    const counts = new Float64Array(5);
    for (let seed = 0; seed < 8000; seed++) counts[prefixLm(ids, keyOf('even', seed)).prefix]!++;
    expect(counts[0]).toBe(0);
    for (const n of counts.slice(1)) expect(Math.abs(n - 2000)).toBeLessThan(boundOf(8000, 0.25));
    expect(prefixLm(ids, keyOf('same'))).toEqual(prefixLm(ids, keyOf('same')));
  });

  it('lets everyone see the prefix, and else no one what is behind', () => {
    // Figure 4 of the T5 paper, on the right
    expect(Array.from(prefixMask(4, 2))).toEqual([1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 1]);
    expect(Array.from(prefixMask(3, 1))).toEqual([1, 0, 0, 1, 1, 0, 1, 1, 1]);
  });

  it('needs two tokens', () => {
    expect(() => prefixLm([1], keyOf('bad'))).toThrow('from 2');
  });
});
