import { deriveSeed, permutation, RandomStream, uniform01 } from '../base/random.ts';
import type { TokenStore } from './tokenStore.ts';

export interface CorpusOptions {
  readonly seed: number;
  /**
   * For each source how often each of its documents is drawn in an epoch, in expectation (1): 0.5 takes every second one, others in
   * each epoch; 2 takes all twice.
   */
  readonly weights?: readonly number[];
  /** The documents that are held out for validation, a share of them drawn by (seed, source, index), or all the others. */
  readonly part?: { readonly heldOut: number; readonly is: 'train' | 'validation' };
}

/** The documents of a store that a part of a run takes, epoch by epoch: a function of (seed, epoch). */
export class Corpus {
  readonly store: TokenStore;
  readonly #options: CorpusOptions;

  constructor(store: TokenStore, options: CorpusOptions) {
    this.store = store;
    this.#options = options;
  }

  /** Whether every epoch has the same documents in the same order. */
  get isConstant(): boolean {
    return this.#options.weights?.every((weight) => Number.isInteger(weight)) ?? true;
  }

  /** The documents of an epoch, those of each source in its order, the sources spread evenly. */
  draw(epoch: number): Uint32Array {
    let start = 0;
    const drawn = this.store.sourceEnds.map((end, source) => {
      const documents = this.#drawSource(source, start, end, epoch);
      start = end;
      return documents;
    });
    return drawn.length === 1 ? drawn[0]! : interleave(drawn);
  }

  #drawSource(source: number, start: number, end: number, epoch: number): Uint32Array {
    const { seed, part, weights } = this.#options;
    const weight = weights?.[source] ?? 1;
    const documents: number[] = [];
    for (let pass = 0; pass < weight; pass++) {
      const share = Math.min(1, weight - pass);
      const key = deriveSeed(seed, 'mixing', epoch);
      for (let i = start; i < end; i++) {
        if (part && isHeldOut(seed, source, i - start, part.heldOut) !== (part.is === 'validation')) continue;
        if (share === 1 || uniform01(deriveSeed(key, i), 1)[0]! < share) documents.push(i);
      }
    }
    return Uint32Array.from(documents);
  }
}

/** Whether a document, by its number in its source, belongs to the validation part, a share of all. */
export function isHeldOut(seed: number, source: number, document: number, share: number): boolean {
  return uniform01(deriveSeed(seed, 'held out', source, document), 1)[0]! < share;
}

/** Element i of a row of n comes at (i + 1/2) / n of the whole. */
function interleave(rows: readonly Uint32Array[]): Uint32Array {
  const all = new Uint32Array(rows.reduce((sum, { length }) => sum + length, 0));
  const at = rows.map(() => 0);
  for (let i = 0; i < all.length; i++) {
    let next = -1;
    let least = Number.POSITIVE_INFINITY;
    for (const [r, row] of rows.entries()) {
      const place = (at[r]! + 0.5) / row.length;
      if (at[r]! < row.length && place < least) [next, least] = [r, place];
    }
    all[i] = rows[next]![at[next]!++]!;
  }
  return all;
}

/**
 * The order of an epoch's n examples, a function of (seed, epoch): any permutation, or, with a buffer, what comes out of it when
 * examples go in as they follow each other and a random one leaves for each that comes. So those that are read together lie
 * near each other.
 */
export function exampleOrder(seed: number, epoch: number, n: number, buffer: number | null = null): Uint32Array {
  if (buffer === null || buffer >= n) return permutation(seed, epoch, n);
  const stream = new RandomStream(deriveSeed(seed, 'shuffle buffer', epoch));
  const held = Uint32Array.from({ length: buffer }, (_, i) => i);
  const order = new Uint32Array(n);
  for (let next = buffer; next < n; next++) {
    const j = stream.below(buffer);
    order[next - buffer] = held[j]!;
    held[j] = next;
  }
  order.set(
    Array.from(stream.permutation(buffer), (j) => held[j]!),
    n - buffer,
  );
  return order;
}
