import { describe, expect, it } from 'vitest';
import { packSentences } from '../../src/objectives/packSentences.ts';

const options = { maxLength: 8, startId: 0, separatorId: 2 } as const;
const documents = [
  [
    [11, 12],
    [13, 14, 15],
  ],
  [[21, 22, 23], [24]],
  [[31]],
];
const pack = (docs: number[][][], packing: 'full-sentences' | 'doc-sentences', maxLength = 8) =>
  Array.from(packSentences(docs, { ...options, packing, maxLength }), (ids) => Array.from(ids));

describe("RoBERTa's packings", () => {
  it('full sentences go on into the next document behind a separator', () => {
    expect(pack(documents, 'full-sentences', 12)).toEqual([
      [0, 11, 12, 13, 14, 15, 2, 21, 22, 23, 24, 2],
      [0, 31, 2],
    ]);
    // a sequence that begins with a document has no separator before it
    expect(pack(documents, 'full-sentences')).toEqual([
      [0, 11, 12, 13, 14, 15, 2],
      [0, 21, 22, 23, 24, 2, 31, 2],
    ]);
  });

  it('doc sentences end with the document', () => {
    expect(pack(documents, 'doc-sentences')).toEqual([
      [0, 11, 12, 13, 14, 15, 2],
      [0, 21, 22, 23, 24, 2],
      [0, 31, 2],
    ]);
  });

  it('cut a sentence that fits nowhere', () => {
    const long = [[[5], Array.from({ length: 14 }, (_, i) => 100 + i), [6]]];
    expect(pack(long, 'full-sentences')).toEqual([
      [0, 5, 2],
      [0, 100, 101, 102, 103, 104, 105, 2],
      [0, 106, 107, 108, 109, 110, 111, 2],
      [0, 112, 113, 6, 2],
    ]);
  });

  it('lose and change nothing', () => {
    const many = Array.from({ length: 50 }, (_, d) =>
      Array.from({ length: 1 + (d % 7) }, (_, s) =>
        Array.from({ length: 1 + ((d * 5 + s * 3) % 17) }, (_, t) => 1000 + d * 400 + s * 20 + t),
      ),
    );
    for (const packing of ['full-sentences', 'doc-sentences'] as const) {
      const packed = pack(many, packing, 12);
      expect(Math.max(...packed.map((ids) => ids.length))).toBeLessThanOrEqual(12);
      expect(packed.flat().filter((id) => id > 2)).toEqual(many.flat(2));
    }
  });

  it('refuse what cannot be', () => {
    expect(() => pack(documents, 'sentences' as 'doc-sentences')).toThrow('full-sentences or doc-sentences');
    expect(() => pack(documents, 'doc-sentences', 2)).toThrow('maxLength');
    expect(() => pack([[[1], []]], 'doc-sentences')).toThrow('document 0: got sentence 1 without tokens');
  });
});
