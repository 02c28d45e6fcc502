import { lastAtMost } from '../base/lastAtMost.ts';
import type { Key } from '../base/random.ts';
import type { TokenStore } from '../data/tokenStore.ts';
import { type SentencePair, type SentencePairsOptions, sentencePairs } from '../objectives/sentencePairs.ts';

/** Tokens of pairs that are kept to be asked for again. */
const CACHED = 8e6;

/**
 * The pairs of sentences of one epoch; another document is one of the same source, if that has several. They are made twice:
 * once to count them, and, of large data, again when they are asked for, the pairs of a document together; so memory holds 8
 * bytes of a document and the pairs that were made last.
 */
export class PairExamples {
  readonly #pairsOf: (index: number) => readonly SentencePair[];
  /** [D + 1]: the first pair of each document. */
  readonly #starts: Uint32Array;
  readonly #cache = new Map<number, readonly SentencePair[]>();
  #cached = 0;

  constructor(store: TokenStore, documents: Uint32Array, options: SentencePairsOptions, keyOf: (index: number) => Key) {
    const sources = bySource(store, documents);
    const list = {
      peers: (i: number) => sources[sourceOf(store, documents[i]!)],
      length: documents.length,
      at: (i: number) => (i < documents.length ? store.document(documents[i]!) : undefined),
    };
    this.#pairsOf = (index) => sentencePairs(list, index, options, keyOf(index));
    this.#starts = new Uint32Array(documents.length + 1);
    for (let i = 0; i < documents.length; i++) this.#starts[i + 1] = this.#starts[i]! + this.#pairs(i).length;
  }

  get count(): number {
    return this.#starts.at(-1)!;
  }

  at(index: number): SentencePair {
    const document = lastAtMost(this.#starts, index);
    return this.#pairs(document)[index - this.#starts[document]!]!;
  }

  #pairs(index: number): readonly SentencePair[] {
    const known = this.#cache.get(index);
    if (known) return known;
    const pairs = this.#pairsOf(index);
    this.#cache.set(index, pairs);
    this.#cached += sizeOf(pairs);
    for (const [oldest, old] of this.#cache) {
      if (this.#cached <= CACHED || oldest === index) break;
      this.#cache.delete(oldest);
      this.#cached -= sizeOf(old);
    }
    return pairs;
  }
}

/** For each source the places of its documents in `documents`. */
function bySource(store: TokenStore, documents: Uint32Array): Uint32Array[] {
  const counts = new Uint32Array(store.sourceEnds.length);
  for (const document of documents) counts[sourceOf(store, document)]!++;
  const places = Array.from(counts, (count) => new Uint32Array(count));
  counts.fill(0);
  for (const [place, document] of documents.entries()) {
    const source = sourceOf(store, document);
    places[source]![counts[source]!++] = place;
  }
  return places;
}

const sourceOf = ({ sourceEnds }: TokenStore, document: number): number =>
  sourceEnds.findIndex((end) => document < end);

const sizeOf = (pairs: readonly SentencePair[]): number => pairs.reduce((sum, { ids }) => sum + ids.length, 0);
