import { QkvError } from '../base/errors.ts';
import type { BlockBatch } from './blockBatches.ts';
import type { TokenStore } from './tokenStore.ts';

/**
 * Documents one behind the other, cut into blocks of T tokens without overlap from token `offset` on: block k is a label of
 * tokens offset + k·T + 1 … offset + (k + 1)·T. The remainder of fewer than T is left out. Tokens are read when they are needed.
 */
export class DocumentBlocks {
  readonly blockSize: number;
  readonly count: number;
  readonly #store: TokenStore;
  readonly #documents: Uint32Array;
  /** [D + 1]: the place in the row that each document begins at. */
  readonly #starts: Float64Array;
  readonly #offset: number;

  constructor(
    store: TokenStore,
    documents: Uint32Array,
    blockSize: number,
    offset: (tokens: number) => number = () => 0,
  ) {
    this.#store = store;
    this.#documents = documents;
    this.blockSize = blockSize;
    this.#starts = new Float64Array(documents.length + 1);
    for (const [i, document] of documents.entries()) {
      this.#starts[i + 1] = this.#starts[i]! + store.documentStart(document + 1) - store.documentStart(document);
    }
    const tokens = this.#starts.at(-1)!;
    this.#offset = offset(tokens);
    this.count = Math.floor((tokens - this.#offset - 1) / blockSize);
    if (this.count >= 1) return;
    throw new QkvError('data', {
      where: 'documents',
      got: `${tokens} tokens`,
      expected: `more than blockSize = ${blockSize}`,
      hint: 'Give more text or a smaller blockSize',
    });
  }

  batch(blocks: readonly number[]): BlockBatch {
    const { blockSize } = this;
    const inputs = new Int32Array(blocks.length * blockSize);
    const labels = new Int32Array(blocks.length * blockSize);
    for (const [row, block] of blocks.entries()) {
      const ids = this.#read(this.#offset + block * blockSize, blockSize + 1);
      inputs.set(ids.subarray(0, blockSize), row * blockSize);
      labels.set(ids.subarray(1), row * blockSize);
    }
    return { size: blocks.length, blockSize, inputs, labels };
  }

  #read(start: number, count: number): Int32Array {
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
}

/** Index of the last of rising values that is at most `value`. */
function lastAtMost(values: Float64Array, value: number): number {
  let [low, high] = [0, values.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (values[middle]! <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}
