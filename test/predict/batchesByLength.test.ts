import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { batchesByLength } from '../../src/predict/batchesByLength.ts';

describe('batchesByLength', () => {
  it('has every text once, within the limits, and no more padding than batches in order of length', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 120 }),
        fc.integer({ min: 1, max: 9 }),
        (lengths, size) => {
          const batches = batchesByLength(lengths, { size, tokens: 200 });
          expect(batches.flat().sort((a, b) => a - b)).toEqual(lengths.map((_, i) => i));
          const padded = (batch: readonly number[]): number =>
            Math.max(...batch.map((i) => lengths[i]!)) * batch.length;
          for (const batch of batches) {
            expect(batch.length).toBeLessThanOrEqual(size);
            expect(batch.length === 1 || padded(batch) <= 200).toBe(true);
          }
          const cost = (all: readonly number[][]): number => all.reduce((sum, batch) => sum + padded(batch) + 48, 0);
          const sorted = lengths.map((_, i) => i).sort((a, b) => lengths[b]! - lengths[a]!);
          for (let every = 1; every <= Math.min(size, 3); every++) {
            const plain = Array.from({ length: Math.ceil(sorted.length / every) }, (_, i) =>
              sorted.slice(i * every, (i + 1) * every),
            );
            expect(cost(batches)).toBeLessThanOrEqual(cost(plain));
          }
        },
      ),
    );
  });

  it('keeps equal lengths together where they are many', () => {
    const lengths = Array.from({ length: 60 }, (_, i) => (i % 2 === 0 ? 30 : 10));
    const batches = batchesByLength(lengths, { size: 32, tokens: 4096 });
    expect(batches.map((batch) => batch.map((i) => lengths[i]))).toEqual([Array(30).fill(30), Array(30).fill(10)]);
  });
});
