import { describe, expect, it } from 'vitest';
import { Corpus, exampleOrder } from '../../src/data/corpus.ts';
import { DocumentBlocks } from '../../src/data/documentBlocks.ts';
import { memoryTokens, type TokenStore } from '../../src/data/tokenStore.ts';

/** Sources of documents of one token each, their number. */
function sources(...sizes: number[]): Promise<TokenStore> {
  return memoryTokens((writer) => {
    let next = 0;
    for (const size of sizes) {
      for (let i = 0; i < size; i++) {
        writer.sentence([next++]);
        writer.endDocument();
      }
      writer.endSource();
    }
  }, '');
}

const sorted = (values: Iterable<number>): number[] => [...values].sort((a, b) => a - b);
const range = (start: number, end: number): number[] => Array.from({ length: end - start }, (_, i) => start + i);

describe('Corpus', () => {
  it('draws each document once, the sources spread evenly', async () => {
    const corpus = new Corpus(await sources(2, 6), { seed: 1 });
    expect([...corpus.draw(0)]).toEqual([2, 0, 3, 4, 5, 1, 6, 7]);
    expect(corpus.isConstant).toBe(true);
  });

  it('draws by weight: a share anew in each epoch, whole numbers exactly', async () => {
    const corpus = new Corpus(await sources(10_000, 10), { seed: 1, weights: [0.25, 2] });
    const epochs = [0, 1].map((epoch) => [...corpus.draw(epoch)]);
    for (const drawn of epochs) {
      const first = drawn.filter((document) => document < 10_000);
      expect(new Set(first).size).toBe(first.length);
      // five standard deviations of a binomial distribution: 5 · √(10,000 · 1/4 · 3/4)
      expect(Math.abs(first.length - 2500)).toBeLessThan(217);
      expect(sorted(drawn.filter((document) => document >= 10_000))).toEqual(
        sorted([...range(10_000, 10_010), ...range(10_000, 10_010)]),
      );
    }
    const both = epochs[0]!.filter((document) => document < 10_000 && epochs[1]!.includes(document)).length;
    expect(Math.abs(both - 625)).toBeLessThan(122);
    expect([...corpus.draw(1)]).toEqual(epochs[1]);
    expect(corpus.isConstant).toBe(false);
  });

  it('holds a share of the documents out, which training never sees', async () => {
    const store = await sources(5000, 5000);
    const part = (is: 'train' | 'validation', seed = 1) =>
      new Corpus(store, { seed, part: { heldOut: 0.1, is } }).draw(0);
    const [train, validation] = [part('train'), part('validation')];
    expect(sorted([...train, ...validation])).toEqual(range(0, 10_000));
    expect(Math.abs(validation.length - 1000)).toBeLessThan(150);
    expect([...part('validation', 2)]).not.toEqual([...validation]);
  });
});

describe('exampleOrder', () => {
  it.each([null, 1, 10, 100, 1000])('is a permutation by seed and epoch, buffer %s', (buffer) => {
    const order = exampleOrder(1, 0, 100, buffer);
    expect(sorted(order)).toEqual(range(0, 100));
    expect(exampleOrder(1, 0, 100, buffer)).toEqual(order);
    if (buffer !== 1) expect(exampleOrder(1, 1, 100, buffer)).not.toEqual(order);
  });

  it('keeps what is read together near each other', () => {
    const order = exampleOrder(1, 0, 10_000, 100);
    // the example that leaves at place i has come by then
    expect(order.every((example, i) => example < i + 100)).toBe(true);
    const apart = order.reduce((sum, example, i) => sum + Math.abs(example - i), 0) / order.length;
    expect(apart).toBeGreaterThan(20);
    expect(apart).toBeLessThan(120);
  });
});

describe('DocumentBlocks', () => {
  const lengths = [3, 1, 7, 2, 12, 5];
  const made = (): Promise<TokenStore> =>
    memoryTokens((writer) => {
      let next = 0;
      for (const length of lengths) {
        writer.sentence(range(next, (next += length)));
        writer.endDocument();
      }
      writer.endSource();
    }, '');

  it.each([0, 1, 3])('cuts the documents of an epoch into blocks from token %i on', async (offset) => {
    const store = await made();
    const documents = Uint32Array.of(4, 0, 2, 2, 5);
    const row = [...documents].flatMap((document) => store.document(document).flatMap((ids) => [...ids]));
    for (const size of [1, 4, 5, 30]) {
      const blocks = new DocumentBlocks(store, documents, size, () => offset);
      expect(blocks.count).toBe(Math.floor((row.length - offset - 1) / size));
      const all = range(0, blocks.count);
      const { inputs, labels } = blocks.batch(all);
      expect([...inputs]).toEqual(row.slice(offset, offset + blocks.count * size));
      expect([...labels]).toEqual(row.slice(offset + 1, offset + 1 + blocks.count * size));
    }
  });

  it('refuses fewer tokens than a block', async () => {
    const store = await made();
    expect(() => new DocumentBlocks(store, Uint32Array.of(0), 3)).toThrow(
      'got 3 tokens, expected more than blockSize = 3',
    );
  });
});
