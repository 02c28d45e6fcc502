import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type BatchPosition,
  BucketBatches,
  type BucketBatchesOptions,
  type PairBatch,
  type TokenPair,
} from '../../src/data/bucketBatches.ts';
import { readLines } from '../../src/data/files.node.ts';
import { readPairsTsv } from '../../src/data/pairs.ts';

const options = { seed: 1, batchTokens: 2048, maxLength: 40, padId: 0, startId: 1 } satisfies BucketBatchesOptions;

/** The Tatoeba pairs with a token a word and a token a Chinese character, and an end token. */
const pairs: TokenPair[] = [];
beforeAll(async () => {
  const ids = (tokens: string[]): number[] => [...tokens.map((token) => 3 + (token.codePointAt(0)! % 997)), 2];
  for await (const pair of readPairsTsv(readLines('data/tatoeba-en-zh/train.tsv'))) {
    pairs.push({ source: ids(pair.source.split(' ')), target: ids([...pair.target]) });
  }
});

function epochOf(batches: BucketBatches, epoch: number): PairBatch[] {
  return Array.from({ length: batches.count(epoch) }, (_, batchIndex) => batches.at({ epoch, batchIndex }));
}

describe('BucketBatches on real pairs', () => {
  it('has every pair that fits exactly once an epoch, within the budget', () => {
    const batches = new BucketBatches(pairs, { ...options, maxLength: 25 });
    const tooLong = pairs.flatMap(({ source, target }, i) => (Math.max(source.length, target.length) > 25 ? [i] : []));
    expect(batches.dropped).toEqual({
      count: tooLong.length,
      first: tooLong[0],
      longest: Math.max(...tooLong.map((i) => Math.max(pairs[i]!.source.length, pairs[i]!.target.length))),
    });
    expect(tooLong.length).toBeGreaterThan(10);
    for (const epoch of [0, 1]) {
      const seen = epochOf(batches, epoch).flatMap((batch) => {
        expect(batch.size * (batch.sourceLength + batch.targetLength)).toBeLessThanOrEqual(2048);
        return Array.from(batch.indices);
      });
      const kept = pairs.flatMap(({ source, target }, i) => (Math.max(source.length, target.length) <= 25 ? [i] : []));
      expect(seen.sort((a, b) => a - b)).toEqual(kept);
    }
  });

  it('is a function of (seed, epoch)', () => {
    const order = (seed: number, epoch: number): string =>
      epochOf(new BucketBatches(pairs, { ...options, seed }), epoch)
        .map((batch) => batch.indices.join())
        .join(';');
    expect(order(1, 3)).toBe(order(1, 3));
    expect(order(1, 3)).not.toBe(order(1, 4));
    expect(order(1, 3)).not.toBe(order(2, 3));
    // Not only the order of the batches is new in each epoch, also which pairs meet in one.
    const batches = new BucketBatches(pairs, options);
    const members = (epoch: number): string[] =>
      epochOf(batches, epoch).map((batch) => batch.indices.toSorted().join());
    const before = new Set(members(0));
    expect(members(1).filter((batch) => before.has(batch))).toEqual([]);
  });

  it('goes on exactly from a position, over the end of an epoch', () => {
    const walk = (batches: BucketBatches, from: BatchPosition, steps: number): [BatchPosition, string[]] => {
      const seen: string[] = [];
      let position = from;
      for (let i = 0; i < steps; i++) {
        seen.push(batches.at(position).indices.join());
        position = batches.after(position);
      }
      return [position, seen];
    };
    const start = { epoch: 0, batchIndex: 0 };
    const perEpoch = new BucketBatches(pairs, options).count(0);
    const [end, whole] = walk(new BucketBatches(pairs, options), start, perEpoch + 20);
    expect(end).toEqual({ epoch: 1, batchIndex: 20 });
    const [middle, first] = walk(new BucketBatches(pairs, options), start, perEpoch - 5);
    const saved = JSON.parse(JSON.stringify(middle)) as BatchPosition;
    const [, second] = walk(new BucketBatches(pairs, options), saved, 25);
    expect([...first, ...second]).toEqual(whole);
  });

  it('pads little and mixes the lengths of successive batches', () => {
    const batches = epochOf(new BucketBatches(pairs, { ...options, lengthMultiple: 4 }), 0);
    const padded = batches.reduce((sum, b) => sum + b.size * (b.sourceLength + b.targetLength), 0);
    const real = batches.reduce((sum, b) => sum + b.sourceTokens + b.targetTokens, 0);
    // Rounding lengths up to a multiple of 4 adds 1.5 tokens a side on average, some 3 to the 18 of a pair: 85% at best.
    expect(real / padded).toBeGreaterThan(0.8);
    expect(new Set(batches.map((b) => `${b.sourceLength} ${b.targetLength}`)).size).toBeLessThan(30);
    for (const b of batches) {
      expect(b.sourceLength % 4).toBe(0);
      expect(b.targetLength % 4).toBe(0);
    }
    // In sorted order the padded length falls only where one of the 4 windows ends; in random order about half of the time.
    const total = (b: PairBatch): number => b.sourceLength + b.targetLength;
    const falls = batches.filter((b, i) => i > 0 && total(b) < total(batches[i - 1]!)).length;
    expect(falls).toBeGreaterThan(0.3 * batches.length);
  });
});

describe('BucketBatches', () => {
  it('pads ids, masks, labels and decoder inputs', () => {
    const batches = new BucketBatches(
      [
        { source: [5, 6, 2], target: [7, 2] },
        { source: [8, 2], target: [9, 10, 11, 2] },
      ],
      { seed: 1, batchTokens: 16, maxLength: 10, lengthMultiple: 4, padId: 0, startId: 1 },
    );
    expect(batches.count(0)).toBe(1);
    const batch = batches.at({ epoch: 0, batchIndex: 0 });
    // Rows are sorted by padded length (both 4 + 4 here), then by shuffled order.
    const rows = Array.from(batch.indices);
    const inOrder = (values: Int32Array): number[][] =>
      [0, 1].map((i) => Array.from(values.slice(4 * rows.indexOf(i)).slice(0, 4)));
    expect(batch).toMatchObject({ size: 2, sourceLength: 4, targetLength: 4, sourceTokens: 5, targetTokens: 6 });
    expect(inOrder(batch.sourceIds)).toEqual([
      [5, 6, 2, 0],
      [8, 2, 0, 0],
    ]);
    expect(inOrder(batch.sourceMask)).toEqual([
      [1, 1, 1, 0],
      [1, 1, 0, 0],
    ]);
    expect(inOrder(batch.labels)).toEqual([
      [7, 2, -100, -100],
      [9, 10, 11, 2],
    ]);
    expect(inOrder(batch.decoderIds)).toEqual([
      [1, 7, 2, 0],
      [1, 9, 10, 11],
    ]);
    expect(inOrder(batch.decoderMask)).toEqual([
      [1, 1, 0, 0],
      [1, 1, 1, 1],
    ]);
  });

  it('holds its promises for any lengths and options', () => {
    const side = fc.integer({ min: 1, max: 30 }).map((length) => new Array<number>(length).fill(5));
    fc.assert(
      fc.property(
        fc.array(fc.record({ source: side, target: side }), { minLength: 1, maxLength: 60 }),
        fc.record({
          seed: fc.nat(),
          batchTokens: fc.integer({ min: 60, max: 300 }),
          maxLength: fc.integer({ min: 5, max: 30 }),
          lengthMultiple: fc.integer({ min: 1, max: 9 }),
          sortWindow: fc.integer({ min: 1, max: 70 }),
        }),
        fc.nat({ max: 5 }),
        (list, chosen, epoch) => {
          const fits = list.flatMap((p, i) =>
            Math.max(p.source.length, p.target.length) <= chosen.maxLength ? [i] : [],
          );
          fc.pre(fits.length > 0);
          const batches = new BucketBatches(list, { ...chosen, padId: 0, startId: 1 });
          const epochs = epochOf(batches, epoch);
          expect(epochs.flatMap((b) => [...b.indices]).sort((a, b) => a - b)).toEqual(fits);
          expect(batches.dropped.count).toBe(list.length - fits.length);
          for (const b of epochs) {
            expect(b.size * (b.sourceLength + b.targetLength)).toBeLessThanOrEqual(chosen.batchTokens);
            expect(Math.max(b.sourceLength, b.targetLength)).toBeLessThanOrEqual(chosen.maxLength);
            expect(b.sourceMask.filter((x) => x === 1)).toHaveLength(b.sourceTokens);
            expect(b.labels.filter((x) => x !== -100)).toHaveLength(b.targetTokens);
          }
        },
      ),
      { seed: 1, numRuns: 200 },
    );
  });

  it('says what is wrong with data, budget and position', () => {
    const pair = { source: [5, 2], target: [6, 7, 2] };
    const make = (list: TokenPair[], more: Partial<BucketBatchesOptions> = {}) =>
      new BucketBatches(list, { ...options, ...more });
    expect(() => make([])).toThrow('pairs: got none');
    expect(() => make([pair], { maxLength: 2 })).toThrow('got 1, all with a side longer than 2 tokens');
    expect(() => make([pair], { batchTokens: 15 })).toThrow(
      'batchTokens: got 15, expected at least 16, what pair 0 takes alone',
    );
    expect(() => make([pair, { source: [], target: [1] }])).toThrow('pair 1: got an empty side');
    expect(() => make([pair], { lengthMultiple: 0 })).toThrow('lengthMultiple: got 0');
    expect(() => make([pair]).at({ epoch: 0, batchIndex: 1 })).toThrow('got batch 1, expected 0 to 0');
  });
});
