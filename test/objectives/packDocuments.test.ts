import { describe, expect, it } from 'vitest';
import { deriveSeed, RandomStream } from '../../src/base/random.ts';
import { DocumentBlocks } from '../../src/data/documentBlocks.ts';
import { memoryTokens } from '../../src/data/tokenStore.ts';
import { documentMask, packDocuments, packedBlock } from '../../src/objectives/packDocuments.ts';

const END = 9;
const pack = (documents: number[][], blockSize: number, seesOthers?: boolean) =>
  Array.from(
    packDocuments(documents, { blockSize, endId: END, ...(seesOthers !== undefined && { seesOthers }) }),
    (block): Record<string, number[]> =>
      Object.fromEntries(Object.entries(block).map(([name, ids]) => [name, Array.from(ids as Int32Array)])),
  );

describe('packed documents', () => {
  const documents = [[1, 2], [3, 4, 5, 6], [7]];

  it('run into each other, an end token behind each', () => {
    // 1 2 9 3 4 5 6 9 7 9
    expect(pack(documents, 4)).toEqual([
      { inputs: [1, 2, 9, 3], labels: [2, 9, 3, 4], positions: [0, 1, 2, 3], documents: [0, 0, 0, 0] },
      { inputs: [4, 5, 6, 9], labels: [5, 6, 9, 7], positions: [0, 1, 2, 3], documents: [0, 0, 0, 0] },
    ]);
  });

  it('or each for itself: own positions, own number, no label across', () => {
    expect(pack(documents, 4, false)).toEqual([
      { inputs: [1, 2, 9, 3], labels: [2, 9, -100, 4], positions: [0, 1, 2, 0], documents: [0, 0, 0, 1] },
      { inputs: [4, 5, 6, 9], labels: [5, 6, 9, -100], positions: [0, 1, 2, 3], documents: [0, 0, 0, 0] },
    ]);
  });

  it('have every token as a label once', () => {
    const many = Array.from({ length: 40 }, (_, d) => Array.from({ length: (d * 7) % 23 }, (_, i) => 100 * d + i + 10));
    const stream = many.flatMap((document) => [...document, END]);
    for (const seesOthers of [true, false]) {
      const blocks = pack(many, 16, seesOthers);
      expect(blocks).toHaveLength(Math.floor((stream.length - 1) / 16));
      const inputs = blocks.flatMap((block) => block['inputs']!);
      expect(inputs).toEqual(stream.slice(0, inputs.length));
      const labels = blocks.flatMap((block) => block['labels']!);
      labels.forEach((label, i) => {
        expect(label).toBe(!seesOthers && stream[i] === END ? -100 : stream[i + 1]);
      });
    }
  });

  it('see what is before them in their own document', () => {
    expect(Array.from(documentMask([0, 0, 1]))).toEqual([1, 0, 0, 1, 1, 0, 0, 0, 1]);
    const causal = [1, 0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 1];
    expect(Array.from(documentMask(pack(documents, 4)[0]!['documents']!))).toEqual(causal);
  });

  it('refuse what cannot be', () => {
    expect(() => pack(documents, 0)).toThrow('blockSize');
    const wrong = { blockSize: 2, endId: 9, across: true } as { blockSize: number; endId: number };
    expect(() => Array.from(packDocuments(documents, wrong))).toThrow('got across');
  });
});

it('makes of a store, block by block, what it makes of the documents in their order', async () => {
  const stream = new RandomStream(deriveSeed(1, 'documents'));
  const documents = Array.from({ length: 40 }, () =>
    Array.from({ length: stream.below(30) + 1 }, () => stream.below(100)),
  );
  const endId = 100;
  const store = await memoryTokens((writer) => {
    for (const document of documents) {
      writer.sentence([...document, endId]);
      writer.endDocument();
    }
    writer.endSource();
  }, 'test');
  const order = Uint32Array.from(stream.permutation(40)).subarray(0, 30);
  const rows = Array.from(order, (i) => documents[i]!);
  const expected = [...packDocuments(rows, { blockSize: 16, endId, seesOthers: false })];
  const blocks = new DocumentBlocks(store, order, 16);
  const found = Array.from({ length: blocks.count }, (_, i) => {
    const { tokens, owners } = blocks.at(i);
    return packedBlock(tokens, owners);
  });
  expect(found).toEqual(expected);
  expect(found.length).toBeGreaterThan(10);
});
