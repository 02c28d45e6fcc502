/** What a batch costs besides its tokens, in tokens: reading the weights once more. */
const BATCH_COST = 48;

export interface BatchLimits {
  /** Texts in a batch. */
  readonly size: number;
  /** Tokens in a batch, padding included; a longer text has a batch of its own. */
  readonly tokens: number;
}

/**
 * Cuts texts, sorted from the longest to the shortest, into batches that cost least: Σ (longest · texts + BATCH_COST), by
 * dynamic programming over the places to cut. Gives the indices of each batch's texts.
 */
export function batchesByLength(lengths: readonly number[], { size, tokens }: BatchLimits): number[][] {
  const order = lengths.map((_, i) => i).sort((a, b) => lengths[b]! - lengths[a]! || a - b);
  // best[end]: the least cost of the first `end` texts, and where their last batch starts
  const best = [{ cost: 0, start: 0 }];
  for (let end = 1; end <= order.length; end++) {
    let found = { cost: Number.POSITIVE_INFINITY, start: end - 1 };
    for (let start = end - 1; start >= Math.max(0, end - size); start--) {
      const padded = lengths[order[start]!]! * (end - start);
      if (padded > tokens && start < end - 1) break;
      const cost = best[start]!.cost + padded + BATCH_COST;
      if (cost < found.cost) found = { cost, start };
    }
    best.push(found);
  }
  const batches: number[][] = [];
  for (let end = order.length; end > 0; end = best[end]!.start) batches.unshift(order.slice(best[end]!.start, end));
  return batches;
}
