import { requireAtLeast } from './requireOptions.ts';
import type { Sentences } from './sentences.ts';

/**
 * A document cut between sentences into as few pieces of at most `most` tokens as come of filling one after the other; a
 * sentence that is longer is cut itself.
 */
export function* sentenceGroups(document: Sentences, most: number): Generator<Sentences> {
  requireAtLeast('sentenceGroups: most', most, 1);
  let group: ArrayLike<number>[] = [];
  let size = 0;
  for (const sentence of document) {
    for (let start = 0; start < sentence.length; start += most) {
      const piece = Array.from(sentence).slice(start, start + most);
      if (size + piece.length > most) {
        yield group;
        group = [];
        size = 0;
      }
      group.push(piece);
      size += piece.length;
    }
  }
  if (size > 0) yield group;
}
