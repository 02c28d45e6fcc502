import { describe, expect, it } from 'vitest';
import { RandomStream } from '../../src/base/random.ts';
import { memoryTokens } from '../../src/data/tokenStore.ts';
import { PackedSentences } from '../../src/objectives/packedSentences.ts';
import { packSentences } from '../../src/objectives/packSentences.ts';

describe('PackedSentences', () => {
  it.each([3, 4, 8, 33, 200])('makes the sequences of packSentences, %i tokens long', async (maxLength) => {
    const stream = new RandomStream([1, maxLength]);
    const documents = Array.from({ length: 60 }, () =>
      Array.from({ length: 1 + stream.below(6) }, () =>
        Array.from({ length: 1 + stream.below(stream.below(4) === 0 ? 80 : 12) }, () => 10 + stream.below(90)),
      ),
    );
    const store = await memoryTokens((writer) => {
      for (const document of documents) {
        for (const sentence of document) writer.sentence(sentence);
        writer.endDocument();
      }
      writer.endSource();
    }, '');
    const drawn = Uint32Array.from({ length: 80 }, () => stream.below(60));
    const options = { maxLength, startId: 1, separatorId: 2 };
    const packed = new PackedSentences(store, drawn, options);
    const expected = [
      ...packSentences(
        [...drawn].map((i) => documents[i]!),
        { ...options, packing: 'full-sentences' },
      ),
    ];
    expect(Array.from({ length: packed.count }, (_, i) => packed.at(i))).toEqual(expected);
  });
});
