/**
 * Which keys a table shows, in the order of the text: all, where they are few or all are wished for, else the `few` that the query
 * looks at most, and the one that is picked.
 */
export function keysShown(weights: Float32Array, picked: number, few: number, wantsAll: boolean): number[] {
  const all = Array.from(weights, (_, i) => i);
  if (wantsAll || all.length <= few) return all;
  const best = all.toSorted((a, b) => weights[b]! - weights[a]!).slice(0, few);
  return [...new Set([...best, picked])].sort((a, b) => a - b);
}

/** The key with the largest weight, the first of several. */
export function strongestKey(weights: Float32Array): number {
  let best = 0;
  for (let i = 1; i < weights.length; i++) if (weights[i]! > weights[best]!) best = i;
  return best;
}
