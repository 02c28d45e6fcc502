import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { consecutiveBlocks, randomBlocks } from '../../src/data/blockBatches.ts';

const text = readFileSync('data/tinyshakespeare/input.txt', 'latin1');
const tokens = Uint16Array.from(text, (c) => c.charCodeAt(0));
const validation = tokens.subarray(1_003_854);
const counting = Int32Array.from({ length: 20 }, (_, i) => i);

describe('randomBlocks', () => {
  const options = { seed: 1337, step: 0, batchSize: 12, blockSize: 64 };

  it('cuts blocks of the text, labels one further', () => {
    const batch = randomBlocks(tokens, options);
    expect(batch).toMatchObject({ size: 12, blockSize: 64 });
    for (let row = 0; row < 12; row++) {
      const inputs = String.fromCharCode(...batch.inputs.subarray(row * 64, row * 64 + 64));
      const labels = String.fromCharCode(...batch.labels.subarray(row * 64, row * 64 + 64));
      expect(text).toContain(inputs + labels.at(-1));
      expect(labels.slice(0, -1)).toBe(inputs.slice(1));
    }
  });

  it('is a function of (seed, step, microBatch)', () => {
    const first = randomBlocks(tokens, options).inputs;
    expect(randomBlocks(tokens, options).inputs).toEqual(first);
    for (const other of [{ seed: 1 }, { step: 1 }, { microBatch: 1 }]) {
      expect(randomBlocks(tokens, { ...options, ...other }).inputs).not.toEqual(first);
    }
  });

  it('has every offset from 0 to N − T − 1 equally often', () => {
    const counts = new Float64Array(20);
    for (let step = 0; step < 2000; step++) {
      const { inputs } = randomBlocks(counting, { seed: 1, step, batchSize: 8, blockSize: 4 });
      for (let row = 0; row < 8; row++) counts[inputs[row * 4]!]!++;
    }
    expect(Array.from(counts.subarray(16))).toEqual([0, 0, 0, 0]);
    // χ² of 15 degrees of freedom exceeds 58 with probability 6·10⁻⁷.
    expect(counts.subarray(0, 16).reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0)).toBeLessThan(58);
  });

  it('takes a text of just more than a block, refuses a shorter one', () => {
    expect(
      Array.from(randomBlocks(counting.subarray(0, 5), { ...options, batchSize: 1, blockSize: 4 }).labels),
    ).toEqual([1, 2, 3, 4]);
    expect(() => randomBlocks(counting, { ...options, blockSize: 20 })).toThrow(
      'got 20 tokens, expected more than blockSize = 20',
    );
  });
});

describe('consecutiveBlocks', () => {
  it('covers the validation part of tiny Shakespeare as a whole', () => {
    const batches = [...consecutiveBlocks(validation, { batchSize: 64, blockSize: 64 })];
    const blocks = Math.floor((validation.length - 1) / 64);
    expect(blocks).toBe(1742);
    expect(batches.map((b) => b.size)).toEqual([...new Array<number>(27).fill(64), 14]);
    expect(batches.flatMap((b) => Array.from(b.inputs))).toEqual(Array.from(validation.subarray(0, blocks * 64)));
    expect(batches.flatMap((b) => Array.from(b.labels))).toEqual(Array.from(validation.subarray(1, blocks * 64 + 1)));
  });

  it('leaves out the remainder', () => {
    const labels = (length: number) =>
      [...consecutiveBlocks(counting.subarray(0, length), { batchSize: 2, blockSize: 4 })].flatMap((b) =>
        Array.from(b.labels),
      );
    expect(labels(8)).toEqual([1, 2, 3, 4]);
    expect(labels(9)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(() => labels(4)).toThrow('Give more text');
  });
});
