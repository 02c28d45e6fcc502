import { QkvError } from '../base/errors.ts';
import type { BlockBatch } from './blockBatches.ts';
import { DocumentRow } from './documentRow.ts';
import type { TokenStore } from './tokenStore.ts';

/**
 * Documents one behind the other, cut into blocks of T tokens without overlap from token `offset` on: block k is a label of
 * tokens offset + k·T + 1 … offset + (k + 1)·T. The remainder of fewer than T is left out. Tokens are read when they are needed.
 */
export class DocumentBlocks {
  readonly blockSize: number;
  readonly count: number;
  readonly #row: DocumentRow;
  readonly #offset: number;

  constructor(
    store: TokenStore,
    documents: Uint32Array,
    blockSize: number,
    offset: (tokens: number) => number = () => 0,
  ) {
    this.blockSize = blockSize;
    this.#row = new DocumentRow(store, documents);
    const { tokens } = this.#row;
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

  /** [T + 1] The tokens of a block, and of each the number of its document in the row. */
  at(block: number): { readonly tokens: Int32Array; readonly owners: Int32Array } {
    const [start, count] = [this.#offset + block * this.blockSize, this.blockSize + 1];
    return { tokens: this.#row.read(start, count), owners: this.#row.owners(start, count) };
  }

  batch(blocks: readonly number[]): BlockBatch {
    const { blockSize } = this;
    const inputs = new Int32Array(blocks.length * blockSize);
    const labels = new Int32Array(blocks.length * blockSize);
    for (const [row, block] of blocks.entries()) {
      const ids = this.#row.read(this.#offset + block * blockSize, blockSize + 1);
      inputs.set(ids.subarray(0, blockSize), row * blockSize);
      labels.set(ids.subarray(1), row * blockSize);
    }
    return { size: blocks.length, blockSize, inputs, labels };
  }
}
