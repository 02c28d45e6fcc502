import { QkvError } from '../base/errors.ts';
import type { BatchPosition } from '../data/bucketBatches.ts';
import { exampleOrder } from '../data/corpus.ts';

export interface EpochsOptions<T> {
  readonly seed: number;
  readonly batchSize: number;
  /** See `exampleOrder`. */
  readonly buffer: number | null;
  /** The examples of an epoch, a function of its number alone. */
  make(epoch: number): T;
}

interface Epoch<T> {
  readonly epoch: number;
  readonly examples: T;
  readonly order: Uint32Array;
}

/**
 * Batches that follow one another through the epochs, each a new order of all its examples. The last batch of an epoch is
 * filled up with its first examples: all batches have one shape.
 */
export class Epochs<T extends { readonly count: number }> {
  readonly #options: EpochsOptions<T>;
  #last: Epoch<T> | undefined;

  constructor(options: EpochsOptions<T>) {
    this.#options = options;
  }

  examples(epoch: number): T {
    return this.#at(epoch).examples;
  }

  rows({ epoch, batchIndex }: BatchPosition): number[] {
    const { batchSize } = this.#options;
    const { order } = this.#at(epoch);
    return Array.from({ length: batchSize }, (_, i) => order[(batchIndex * batchSize + i) % order.length]!);
  }

  after({ epoch, batchIndex }: BatchPosition): BatchPosition {
    const isLast = (batchIndex + 1) * this.#options.batchSize >= this.#at(epoch).order.length;
    return isLast ? { epoch: epoch + 1, batchIndex: 0 } : { epoch, batchIndex: batchIndex + 1 };
  }

  #at(epoch: number): Epoch<T> {
    if (this.#last?.epoch === epoch) return this.#last;
    const { seed, buffer, make } = this.#options;
    const examples = make(epoch);
    if (examples.count === 0) {
      throw new QkvError('data', {
        where: 'training data',
        got: `no example in epoch ${epoch}`,
        expected: 'at least one',
      });
    }
    this.#last = { epoch, examples, order: exampleOrder(seed, epoch, examples.count, buffer) };
    return this.#last;
  }
}
