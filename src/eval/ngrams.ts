/** How often each n-gram of one order occurs. */
export type NgramCounts = ReadonlyMap<string, number>;

/**
 * Counts the n-grams of orders 1 to `maxOrder`; element n − 1 holds order n. The key of an n-gram is its units joined by
 * `separator`, which must not occur inside a unit unless all units have the same length.
 */
export function countNgrams(units: readonly string[], maxOrder: number, separator: string): NgramCounts[] {
  const counts = Array.from({ length: maxOrder }, () => new Map<string, number>());
  for (let start = 0; start < units.length; start++) {
    let key = units[start]!;
    for (let order = 1; order <= maxOrder && start + order <= units.length; order++) {
      if (order > 1) key += separator + units[start + order - 1]!;
      const ofOrder = counts[order - 1]!;
      ofOrder.set(key, (ofOrder.get(key) ?? 0) + 1);
    }
  }
  return counts;
}

/** The number of n-grams counted, Σ count(g). */
export function totalCount(counts: NgramCounts): number {
  let total = 0;
  for (const count of counts.values()) total += count;
  return total;
}

/** Clipped matches: Σ min(count(g), limit(g)) over the n-grams g of `counts`. */
export function clippedMatches(counts: NgramCounts, limits: NgramCounts): number {
  let matches = 0;
  for (const [ngram, count] of counts) matches += Math.min(count, limits.get(ngram) ?? 0);
  return matches;
}

/** Each n-gram with the highest count that it has in either. */
export function maxCounts(a: NgramCounts, b: NgramCounts): NgramCounts {
  const most = new Map(a);
  for (const [ngram, count] of b) most.set(ngram, Math.max(count, most.get(ngram) ?? 0));
  return most;
}
