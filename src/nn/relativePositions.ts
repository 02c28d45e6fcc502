import type { Dim } from '../base/dim.ts';
import { type HostTensor, int32 } from '../base/tensor.ts';
import type { Value } from '../graph/value.ts';
import { add, maximum, minimum, sub } from '../ops/elementwise.ts';
import { gather } from '../ops/gather.ts';
import { constant, intConstant } from '../ops/leaf.ts';
import { reshape, transpose } from '../ops/shape.ts';
import type { Init } from './init.ts';
import type { Scope } from './scope.ts';

export interface BucketOptions {
  /** Whether keys after the query have buckets of their own; else they share that of distance 0. */
  readonly bidirectional: boolean;
  readonly buckets: number;
  /** From this distance on all keys share a bucket. */
  readonly maxDistance: number;
}

/**
 * The bucket of a relative position, key − query (Raffel et al. 2020, section 2.1): half of the buckets are for one distance
 * each, the others grow logarithmically. Rounded at every operation as float32, as the reference does: at some distances
 * float64 gives another bucket.
 */
export function relativeBucket(relative: number, { bidirectional, buckets, maxDistance }: BucketOptions): number {
  const count = bidirectional ? Math.floor(buckets / 2) : buckets;
  const start = bidirectional && relative > 0 ? count : 0;
  const distance = bidirectional ? Math.abs(relative) : Math.max(0, -relative);
  const exact = Math.floor(count / 2);
  if (distance < exact) return start + distance;
  const { fround } = Math;
  const growth = fround(Math.log(fround(distance / exact)));
  const share = fround(growth / fround(Math.log(maxDistance / exact)));
  return start + Math.min(count - 1, exact + Math.trunc(fround(share * (count - exact))));
}

/** Buckets of the relative positions −reach … reach: int32 [2·reach + 1]. */
export function relativeBuckets(reach: number, options: BucketOptions): HostTensor {
  return int32(
    [2 * reach + 1],
    Int32Array.from({ length: 2 * reach + 1 }, (_, i) => relativeBucket(i - reach, options)),
  );
}

export interface RelativeBiasOptions extends BucketOptions {
  readonly heads: number;
  readonly init: Init;
}

/**
 * What is added to the scores of a query and a key for their distance, learned for each bucket and head: `weight` [buckets, H].
 * Positions of queries int32 [T] or [B, T], of keys [S] or [B, S] → [1 or B, H, T, S].
 */
export function relativeBias(
  scope: Scope,
  queryPositions: Value,
  keyPositions: Value,
  options: RelativeBiasOptions,
): Value {
  const { buckets, heads, maxDistance, init } = options;
  const table = scope.parameter('weight', [buckets, heads], init);
  const [queries, keys] = [batched(queryPositions), batched(keyPositions)];
  const relative = sub(
    reshape(keys, [keys.shape[0]!, 1, keys.shape[1]!]),
    reshape(queries, [queries.shape[0]!, queries.shape[1]!, 1]),
  );
  // distances from maxDistance on share a bucket, so a table of finite reach serves all
  const within = maximum(minimum(relative, intConstant(maxDistance)), intConstant(-maxDistance));
  const bucketOf = constant(relativeBuckets(maxDistance, options));
  const bucket = gather(bucketOf, add(within, intConstant(maxDistance)));
  return transpose(gather(table, bucket), [0, 3, 1, 2]);
}

function batched(positions: Value): Value {
  const { shape } = positions;
  return shape.length === 2 ? positions : reshape(positions, [1, shape[0] as Dim]);
}
