import type { TokenStore } from '../data/tokenStore.ts';
import type { PackSentencesOptions } from './packSentences.ts';
import { requireAtLeast } from './requireOptions.ts';

/**
 * The sequences that `packSentences` makes of a store's documents with `full-sentences`, planned by their places: each is made
 * when it is asked for, so that memory holds 8 bytes of a sequence.
 */
export class PackedSentences {
  readonly #store: TokenStore;
  readonly #documents: Uint32Array;
  readonly #options: Omit<PackSentencesOptions, 'packing'>;
  /** Of each sequence the document that it begins in, by its place in `documents`, and its first token. */
  readonly #places: Uint32Array;
  readonly #tokens: Uint32Array;

  constructor(store: TokenStore, documents: Uint32Array, options: Omit<PackSentencesOptions, 'packing'>) {
    requireAtLeast('packSentences: maxLength', options.maxLength, 3);
    this.#store = store;
    this.#documents = documents;
    this.#options = options;
    const room = options.maxLength - 2;
    const places: number[] = [];
    const tokens: number[] = [];
    let length = room;
    for (const [place, document] of documents.entries()) {
      let separator = 1;
      for (let s = store.documentStarts[document]!; s < store.documentStarts[document + 1]!; s++) {
        const end = store.sentenceStarts[s + 1]!;
        for (let start = store.sentenceStarts[s]!; start < end; start += room) {
          const size = Math.min(room, end - start);
          if (length + separator + size > room) {
            places.push(place);
            tokens.push(start);
            length = separator = 0;
          }
          length += separator + size;
          separator = 0;
        }
      }
    }
    this.#places = Uint32Array.from(places);
    this.#tokens = Uint32Array.from(tokens);
  }

  get count(): number {
    return this.#places.length;
  }

  at(index: number): Int32Array {
    const { maxLength, startId, separatorId } = this.#options;
    const lastPlace = this.#places[index + 1] ?? this.#documents.length - 1;
    const ids = new Int32Array(maxLength);
    ids[0] = startId;
    let length = 1;
    let start = this.#tokens[index]!;
    for (let place = this.#places[index]!; place <= lastPlace; place++) {
      const document = this.#documents[place]!;
      if (place > this.#places[index]!) start = this.#store.documentStart(document);
      const isCut = place === lastPlace && index + 1 < this.count;
      const end = isCut ? this.#tokens[index + 1]! : this.#store.documentStart(document + 1);
      if (end === start) continue;
      if (place > this.#places[index]!) ids[length++] = separatorId;
      ids.set(this.#store.read(start, end), length);
      length += end - start;
    }
    ids[length++] = separatorId;
    return ids.slice(0, length);
  }
}
