import { type Key, RandomStream } from '../base/random.ts';
import { IGNORED_LABEL } from '../data/bucketBatches.ts';
import { requireAtLeast } from './requireOptions.ts';

/** A text of T + 1 tokens whose first P are given and whose rest is predicted. */
export interface PrefixText {
  /** P, from 1 to T. */
  readonly prefix: number;
  /** [T] */
  readonly inputs: Int32Array;
  /** [T]: the token behind; −100 where that is of the prefix. */
  readonly labels: Int32Array;
}

/**
 * Prefix language modelling: Raffel et al. 2020 §3.2.3 (arXiv:1910.10683). The length of the prefix is uniform on 1 … T, as in
 * the released code (`random_prefix_noise_mask`). A decoder sees what `prefixMask` says; an encoder takes the prefix, its
 * decoder the rest.
 *
 * @param ids [T + 1], two tokens at least
 * @throws QkvError `usage` for too few tokens
 */
export function prefixLm(ids: ArrayLike<number>, key: Key): PrefixText {
  requireAtLeast('prefixLm: tokens', ids.length, 2);
  const tokens = Int32Array.from(ids);
  const prefix = 1 + new RandomStream(key).below(ids.length - 1);
  return { prefix, inputs: tokens.slice(0, -1), labels: tokens.slice(1).fill(IGNORED_LABEL, 0, prefix - 1) };
}

/** int32 [T, T]: 1 where query t sees key s: one that is not behind it, or of the prefix. */
export function prefixMask(length: number, prefix: number): Int32Array {
  return Int32Array.from({ length: length * length }, (_, i) => {
    const [t, s] = [Math.floor(i / length), i % length];
    return s <= t || s < prefix ? 1 : 0;
  });
}
