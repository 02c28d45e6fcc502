import { expect, it } from 'vitest';
import { memoryTokens, type TokenStore } from '../../src/data/tokenStore.ts';
import { SentenceGroups } from '../../src/objectives/sentenceGroups.ts';

/** Documents of sentences of these lengths, whose tokens count up. */
async function storeOf(documents: readonly (readonly number[])[]): Promise<TokenStore> {
  let token = 0;
  return memoryTokens((writer) => {
    for (const sentences of documents) {
      for (const length of sentences) writer.sentence(Array.from({ length }, () => token++));
      writer.endDocument();
    }
    writer.endSource();
  }, 'test');
}

const sizesOf = (groups: SentenceGroups): number[][] =>
  Array.from({ length: groups.count }, (_, i) => groups.at(i).map(({ length }) => length));

it('cuts documents between sentences, and sentences that are too long', async () => {
  const store = await storeOf([[2, 2, 3], [9, 1, 1, 4], [4]]);
  const groups = new SentenceGroups(store, Uint32Array.of(0, 1, 2), 4);
  expect(sizesOf(groups)).toEqual([[2, 2], [3], [4], [4], [1, 1, 1], [4], [4]]);
  expect(Array.from({ length: groups.count }, (_, i) => groups.sizeOf(i))).toEqual([4, 3, 4, 4, 3, 4, 4]);
  const tokens = Array.from({ length: groups.count }, (_, i) => groups.at(i).flatMap((piece) => Array.from(piece)));
  expect(tokens.flat()).toEqual(Array.from({ length: 26 }, (_, i) => i));
});

it('follows the order of the documents', async () => {
  const store = await storeOf([[3], [1, 1], [2]]);
  const groups = new SentenceGroups(store, Uint32Array.of(2, 0), 10);
  expect(Array.from({ length: groups.count }, (_, i) => Array.from(groups.at(i)[0]!))).toEqual([
    [5, 6],
    [0, 1, 2],
  ]);
});
