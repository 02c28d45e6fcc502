import { lastAtMost } from '../base/lastAtMost.ts';
import type { TokenStore } from './tokenStore.ts';

/** Documents of a store one behind the other, read when they are needed. */
export class DocumentRow {
  readonly #store: TokenStore;
  readonly #documents: Uint32Array;
  /** [D + 1]: the place in the row that each document begins at. */
  readonly #starts: Float64Array;

  constructor(store: TokenStore, documents: Uint32Array) {
    this.#store = store;
    this.#documents = documents;
    this.#starts = new Float64Array(documents.length + 1);
    for (const [i, document] of documents.entries()) {
      this.#starts[i + 1] = this.#starts[i]! + store.documentStart(document + 1) - store.documentStart(document);
    }
  }

  get tokens(): number {
    return this.#starts.at(-1)!;
  }

  /** `count` tokens from place `start` on. */
  read(start: number, count: number): Int32Array {
    const ids = new Int32Array(count);
    let document = lastAtMost(this.#starts, start);
    for (let done = 0; done < count; document++) {
      const from = start + done - this.#starts[document]!;
      const size = Math.min(count - done, this.#starts[document + 1]! - start - done);
      const first = this.#store.documentStart(this.#documents[document]!) + from;
      ids.set(this.#store.read(first, first + size), done);
      done += size;
    }
    return ids;
  }

  /** The document in the row that each of `count` tokens from place `start` on is of. */
  owners(start: number, count: number): Int32Array {
    const owners = new Int32Array(count);
    let document = lastAtMost(this.#starts, start);
    for (let i = 0; i < count; i++) {
      while (this.#starts[document + 1]! <= start + i) document++;
      owners[i] = document;
    }
    return owners;
  }
}
