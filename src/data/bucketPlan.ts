import { deriveSeed, permutation, type Seed } from '../base/random.ts';

export interface BucketPlanOptions {
  readonly seed: Seed;
  /** Examples that are sorted by length together, some batches' worth: larger, less padding; smaller, more chance. */
  readonly sortWindow: number;
  /** One window into batches of similar length. It may sort the window in place; equal ones keep their chance order. */
  readonly cut: (window: Uint32Array) => Uint32Array[];
}

/**
 * The batches of an epoch, a function of (seed, epoch) alone, with each of `count` examples exactly once: they are
 * shuffled, cut into windows, and each window into batches; then the order of the batches is shuffled.
 */
export function bucketPlan(epoch: number, count: number, { seed, sortWindow, cut }: BucketPlanOptions): Uint32Array[] {
  const shuffled = permutation(deriveSeed(seed, 'pairs'), epoch, count);
  const batches: Uint32Array[] = [];
  for (let start = 0; start < count; start += sortWindow) {
    batches.push(...cut(shuffled.slice(start, start + sortWindow)));
  }
  const order = permutation(deriveSeed(seed, 'batches'), epoch, batches.length);
  return Array.from(order, (i) => batches[i]!);
}
