import { QkvError } from '../base/errors.ts';
import { bucketPlan } from './bucketPlan.ts';

/** Label of a position that no loss is taken at. */
export const IGNORED_LABEL = -100;

/** A pair as token ids, end tokens included, no start token and no padding. */
export interface TokenPair {
  readonly source: ArrayLike<number>;
  readonly target: ArrayLike<number>;
}

export interface BucketBatchesOptions {
  readonly seed: number;
  /** Upper bound of B · (S + T), padding included. */
  readonly batchTokens: number;
  /** Pairs with a longer side, in tokens, are dropped; `dropped` counts them. */
  readonly maxLength: number;
  /** S and T are rounded up to a multiple of this (8), so that there are few shapes; never beyond maxLength. */
  readonly lengthMultiple?: number;
  /** Pairs that are sorted by length together (8192), some batches' worth: larger, less padding; smaller, more chance. */
  readonly sortWindow?: number;
  readonly padId: number;
  /** First decoder input of every pair (Marian: the padding id). */
  readonly startId: number;
}

/** One padded batch, rows in [B, S] and [B, T], row-major. */
export interface PairBatch {
  readonly size: number;
  readonly sourceLength: number;
  readonly targetLength: number;
  /** [B, S], padded with padId. */
  readonly sourceIds: Int32Array;
  /** [B, S], 1 at tokens, 0 at padding. */
  readonly sourceMask: Int32Array;
  /** [B, T]: startId, then the labels shifted right by one, padId where those are ignored. */
  readonly decoderIds: Int32Array;
  /** [B, T], 1 at positions with a label, 0 at padding. */
  readonly decoderMask: Int32Array;
  /** [B, T]: target tokens, −100 at padding. */
  readonly labels: Int32Array;
  /** Tokens that are not padding. */
  readonly sourceTokens: number;
  readonly targetTokens: number;
  /** Index into the pairs given, per row. */
  readonly indices: Uint32Array;
}

/** The next batch to be made: with the seed, all that has to be saved to go on exactly. */
export interface BatchPosition {
  readonly epoch: number;
  readonly batchIndex: number;
}

export interface DroppedPairs {
  readonly count: number;
  /** Tokens of the longest side found among them; 0 if none was dropped. */
  readonly longest: number;
  /** Index of the first of them, −1 if none was dropped. */
  readonly first: number;
}

/**
 * Batches of pairs of similar length under a token budget. An epoch, a function of (seed, epoch) alone, has every pair
 * that was not dropped exactly once: the pairs are shuffled, cut into windows, sorted by length inside each window and
 * cut into batches; then the order of the batches is shuffled.
 *
 *     let position = { epoch: 0, batchIndex: 0 };
 *     for (;;) { const batch = batches.at(position); …; position = batches.after(position); }
 */
export class BucketBatches {
  readonly dropped: DroppedPairs;
  /** Pairs of one epoch. */
  readonly pairsPerEpoch: number;
  readonly #pairs: readonly TokenPair[];
  readonly #options: Required<BucketBatchesOptions>;
  readonly #kept: Uint32Array;
  // Rounded lengths per kept pair.
  readonly #sourceLengths: Int32Array;
  readonly #targetLengths: Int32Array;
  #plan: { readonly epoch: number; readonly batches: readonly Uint32Array[] } | undefined;

  constructor(pairs: readonly TokenPair[], options: BucketBatchesOptions) {
    this.#pairs = pairs;
    this.#options = { lengthMultiple: 8, sortWindow: 8192, ...options };
    const { maxLength, batchTokens } = this.#options;
    for (const key of ['batchTokens', 'maxLength', 'lengthMultiple', 'sortWindow'] as const) {
      requirePositive(key, this.#options[key]);
    }

    const kept: number[] = [];
    const dropped = { count: 0, longest: 0, first: -1 };
    for (const [i, pair] of pairs.entries()) {
      const longest = Math.max(pair.source.length, pair.target.length);
      if (pair.source.length === 0 || pair.target.length === 0) {
        throw new QkvError('data', { where: `pair ${i}`, got: 'an empty side', expected: 'at least an end token' });
      }
      if (longest <= maxLength) {
        kept.push(i);
        continue;
      }
      if (dropped.count++ === 0) dropped.first = i;
      dropped.longest = Math.max(dropped.longest, longest);
    }
    if (kept.length === 0) {
      throw new QkvError('data', {
        where: 'pairs',
        got: pairs.length === 0 ? 'none' : `${pairs.length}, all with a side longer than ${maxLength} tokens`,
        expected: 'at least one that fits',
      });
    }
    this.dropped = dropped;
    this.pairsPerEpoch = kept.length;
    this.#kept = Uint32Array.from(kept);
    this.#sourceLengths = Int32Array.from(kept, (i) => roundedLength(pairs[i]!.source.length, this.#options));
    this.#targetLengths = Int32Array.from(kept, (i) => roundedLength(pairs[i]!.target.length, this.#options));
    for (let k = 0; k < kept.length; k++) {
      const needed = this.#sourceLengths[k]! + this.#targetLengths[k]!;
      if (needed <= batchTokens) continue;
      throw new QkvError('data', {
        where: 'batchTokens',
        got: String(batchTokens),
        expected: `at least ${needed}, what pair ${kept[k]} takes alone`,
        hint: 'Raise batchTokens or lower maxLength',
      });
    }
  }

  /** Number of batches of an epoch; epochs may differ by a few. */
  count(epoch: number): number {
    return this.#planOf(epoch).length;
  }

  at(position: BatchPosition): PairBatch {
    const indices = this.indicesAt(position);
    return {
      ...collatePairs(
        Array.from(indices, (i) => this.#pairs[i]!),
        this.#options,
      ),
      indices,
    };
  }

  /** The batch as indices into the pairs given. */
  indicesAt(position: BatchPosition): Uint32Array {
    const plan = this.#planOf(position.epoch);
    const members = plan[position.batchIndex];
    if (members === undefined) {
      throw new QkvError('data', {
        where: `position of epoch ${position.epoch}`,
        got: `batch ${position.batchIndex}`,
        expected: `0 to ${plan.length - 1}`,
        hint: 'The data or the batch options are not those that the position was taken from',
      });
    }
    return members.map((k) => this.#kept[k]!);
  }

  /** The position behind `position`. */
  after(position: BatchPosition): BatchPosition {
    const { epoch, batchIndex } = position;
    return batchIndex + 1 < this.count(epoch)
      ? { epoch, batchIndex: batchIndex + 1 }
      : { epoch: epoch + 1, batchIndex: 0 };
  }

  /** Members of each batch of an epoch, as positions in `#kept`; the last epoch asked for is kept. */
  #planOf(epoch: number): readonly Uint32Array[] {
    if (this.#plan?.epoch === epoch) return this.#plan.batches;
    const { seed, sortWindow } = this.#options;
    const cut = (window: Uint32Array): Uint32Array[] => this.#cut(window);
    const batches = bucketPlan(epoch, this.#kept.length, { seed, sortWindow, cut });
    this.#plan = { epoch, batches };
    return batches;
  }

  /** One window into batches under the budget. Array sorts are stable, so ties keep the shuffled order. */
  #cut(window: Uint32Array): Uint32Array[] {
    const s = this.#sourceLengths;
    const t = this.#targetLengths;
    const sorted = window.sort((a, b) => s[a]! + t[a]! - s[b]! - t[b]! || s[a]! - s[b]!);
    const batches: Uint32Array[] = [];
    let start = 0;
    let sourceLength = 0;
    let targetLength = 0;
    for (let i = 0; i < sorted.length; i++) {
      const source = Math.max(sourceLength, s[sorted[i]!]!);
      const target = Math.max(targetLength, t[sorted[i]!]!);
      if ((i - start + 1) * (source + target) <= this.#options.batchTokens) {
        sourceLength = source;
        targetLength = target;
        continue;
      }
      batches.push(sorted.slice(start, i));
      start = i;
      sourceLength = s[sorted[i]!]!;
      targetLength = t[sorted[i]!]!;
    }
    batches.push(sorted.slice(start));
    return batches;
  }
}

/** Pairs as one batch, each side padded to its longest, that rounded up to a multiple of `lengthMultiple` up to `maxLength`. */
export function collatePairs(
  pairs: readonly TokenPair[],
  options: Pick<BucketBatchesOptions, 'padId' | 'startId' | 'maxLength' | 'lengthMultiple'>,
): Omit<PairBatch, 'indices'> {
  const { padId, startId } = options;
  const size = pairs.length;
  const sourceLength = Math.max(...pairs.map(({ source }) => roundedLength(source.length, options)));
  const targetLength = Math.max(...pairs.map(({ target }) => roundedLength(target.length, options)));
  const sourceIds = new Int32Array(size * sourceLength).fill(padId);
  const sourceMask = new Int32Array(size * sourceLength);
  const decoderIds = new Int32Array(size * targetLength).fill(padId);
  const decoderMask = new Int32Array(size * targetLength);
  const labels = new Int32Array(size * targetLength).fill(IGNORED_LABEL);
  let sourceTokens = 0;
  let targetTokens = 0;
  for (const [row, { source, target }] of pairs.entries()) {
    const sourceStart = row * sourceLength;
    sourceIds.set(source, sourceStart);
    sourceMask.fill(1, sourceStart, sourceStart + source.length);
    const targetStart = row * targetLength;
    labels.set(target, targetStart);
    decoderMask.fill(1, targetStart, targetStart + target.length);
    decoderIds[targetStart] = startId;
    const shifted = Math.min(target.length, targetLength - 1);
    for (let i = 0; i < shifted; i++) decoderIds[targetStart + 1 + i] = target[i]!;
    sourceTokens += source.length;
    targetTokens += target.length;
  }
  return {
    size,
    sourceLength,
    targetLength,
    sourceIds,
    sourceMask,
    decoderIds,
    decoderMask,
    labels,
    sourceTokens,
    targetTokens,
  };
}

function roundedLength(
  length: number,
  { maxLength, lengthMultiple = 8 }: Pick<BucketBatchesOptions, 'maxLength' | 'lengthMultiple'>,
): number {
  return Math.min(maxLength, Math.ceil(length / lengthMultiple) * lengthMultiple);
}

function requirePositive(where: string, value: number): void {
  if (!Number.isInteger(value) || value < 1) {
    throw new QkvError('data', { where, got: String(value), expected: 'a whole number from 1' });
  }
}
