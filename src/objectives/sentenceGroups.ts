import type { TokenStore } from '../data/tokenStore.ts';
import { requireAtLeast } from './requireOptions.ts';
import type { Sentences } from './sentences.ts';

/**
 * Each document of a store cut between sentences into as few pieces of at most `most` tokens as come of filling one after the other;
 * a sentence that is longer is cut itself. Groups are planned by their places and read when they are asked for.
 */
export class SentenceGroups {
  readonly #store: TokenStore;
  readonly #most: number;
  /** Of each group the sentence that it begins in, its first token and its tokens. */
  readonly #sentences: Uint32Array;
  readonly #starts: Uint32Array;
  readonly #sizes: Uint32Array;

  constructor(store: TokenStore, documents: Uint32Array, most: number) {
    requireAtLeast('SentenceGroups: most', most, 1);
    this.#store = store;
    this.#most = most;
    const [sentences, starts, sizes]: [number[], number[], number[]] = [[], [], []];
    for (const document of documents) {
      let size = 0;
      for (let s = store.documentStarts[document]!; s < store.documentStarts[document + 1]!; s++) {
        const end = store.sentenceStarts[s + 1]!;
        for (let start = store.sentenceStarts[s]!; start < end; start += most) {
          const length = Math.min(most, end - start);
          if (size === 0 || size + length > most) {
            sentences.push(s);
            starts.push(start);
            sizes.push(0);
            size = 0;
          }
          size += length;
          sizes[sizes.length - 1] = size;
        }
      }
    }
    this.#sentences = Uint32Array.from(sentences);
    this.#starts = Uint32Array.from(starts);
    this.#sizes = Uint32Array.from(sizes);
  }

  get count(): number {
    return this.#starts.length;
  }

  /** Tokens of a group. */
  sizeOf(index: number): number {
    return this.#sizes[index]!;
  }

  /** The sentences of a group, or parts of them. */
  at(index: number): Sentences {
    const { sentenceStarts } = this.#store;
    const start = this.#starts[index]!;
    const end = start + this.#sizes[index]!;
    const ids = this.#store.read(start, end);
    const pieces: Int32Array[] = [];
    let sentence = this.#sentences[index]!;
    for (let from = start; from < end; ) {
      while (sentenceStarts[sentence + 1]! <= from) sentence++;
      const to = Math.min(end, sentenceStarts[sentence + 1]!, from + this.#most);
      pieces.push(ids.subarray(from - start, to - start));
      from = to;
    }
    return pieces;
  }
}
