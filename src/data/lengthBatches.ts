import type { BatchPosition } from './bucketBatches.ts';
import { bucketPlan } from './bucketPlan.ts';

/** Batches that are sorted by length together: as the reference's `group_by_length`. */
const WINDOW_BATCHES = 50;

export interface LengthBatchesOptions {
  readonly seed: number;
  /** Examples of a batch; the last of an epoch's may be smaller. */
  readonly batchSize: number;
}

/**
 * Batches of a fixed number of examples of similar length. An epoch, a function of (seed, epoch) alone, has every example
 * exactly once; all epochs have as many batches.
 */
export class LengthBatches {
  /** Batches of an epoch. */
  readonly count: number;
  readonly #lengths: readonly number[];
  readonly #options: LengthBatchesOptions;
  #plan: { readonly epoch: number; readonly batches: readonly Uint32Array[] } | undefined;

  /** `lengths` of the examples, in tokens. */
  constructor(lengths: readonly number[], options: LengthBatchesOptions) {
    this.#lengths = lengths;
    this.#options = options;
    this.count = Math.ceil(lengths.length / options.batchSize);
  }

  /** The indices of a batch's examples. */
  at({ epoch, batchIndex }: BatchPosition): Uint32Array {
    if (this.#plan?.epoch !== epoch) {
      const { seed, batchSize } = this.#options;
      const cut = (window: Uint32Array): Uint32Array[] => {
        const sorted = window.sort((a, b) => this.#lengths[a]! - this.#lengths[b]!);
        const count = Math.ceil(sorted.length / batchSize);
        return Array.from({ length: count }, (_, i) => sorted.subarray(i * batchSize, (i + 1) * batchSize));
      };
      const sortWindow = WINDOW_BATCHES * batchSize;
      this.#plan = { epoch, batches: bucketPlan(epoch, this.#lengths.length, { seed, sortWindow, cut }) };
    }
    return this.#plan.batches[batchIndex]!;
  }

  /** The position behind `position`. */
  after({ epoch, batchIndex }: BatchPosition): BatchPosition {
    return batchIndex + 1 < this.count ? { epoch, batchIndex: batchIndex + 1 } : { epoch: epoch + 1, batchIndex: 0 };
  }
}
