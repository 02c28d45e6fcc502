/*
 * What is done to the scores of one path, a row of V logits or log-probabilities, before a token is chosen. Each changes
 * the row in place; a token that must not come gets −∞. `history` is the path so far: the prompt or the start token, and
 * what was generated. The formulas are those of `generation/logits_process.py` in Hugging Face's transformers 5, without
 * what depends there on the padding of a batch.
 */

/** Scores of tokens in the history: divided by the penalty where positive, multiplied where negative (Keskar et al. 2019). */
export function repetitionPenalty(row: Float32Array, history: readonly number[], penalty: number): void {
  for (const token of new Set(history)) {
    const score = row[token]!;
    row[token] = score < 0 ? score * penalty : score / penalty;
  }
}

/** Bans each token that would complete an n-gram that the history has. */
export function noRepeatNgram(row: Float32Array, history: readonly number[], size: number): void {
  const prefix = history.length + 1 - size;
  if (prefix < 0) return;
  for (let start = 0; start + size <= history.length; start++) {
    let isSame = true;
    for (let i = 0; isSame && i < size - 1; i++) isSame = history[start + i] === history[prefix + i];
    if (isSame) row[history[start + size - 1]!] = Number.NEGATIVE_INFINITY;
  }
}

/** Bans the last token of each word whose other tokens the history ends with. */
export function badWords(row: Float32Array, history: readonly number[], words: readonly (readonly number[])[]): void {
  for (const word of words) {
    const start = history.length - (word.length - 1);
    let matches = start >= 0;
    for (let i = 0; matches && i < word.length - 1; i++) matches = history[start + i] === word[i];
    if (matches) row[word.at(-1)!] = Number.NEGATIVE_INFINITY;
  }
}

/** Bans the end tokens until there are `min` new tokens. */
export function minNewTokens(row: Float32Array, generated: number, min: number, eosIds: readonly number[]): void {
  if (generated < min) for (const token of eosIds) row[token] = Number.NEGATIVE_INFINITY;
}

/** Leaves one token, at score 0. */
export function forceToken(row: Float32Array, token: number): void {
  row.fill(Number.NEGATIVE_INFINITY);
  row[token] = 0;
}

export function temperature(row: Float32Array, value: number): void {
  for (let i = 0; i < row.length; i++) row[i]! /= value;
}

/** Bans all that scores less than the k-th best; what ties with it stays. */
export function topK(row: Float32Array, k: number): void {
  if (k >= row.length) return;
  const limit = kthLargest(row, k);
  for (let i = 0; i < row.length; i++) if (row[i]! < limit) row[i] = Number.NEGATIVE_INFINITY;
}

/**
 * Keeps the smallest set of most probable tokens whose probabilities add up to p or more (Holtzman et al. 2020): from the
 * least probable on, tokens go while their sum is at most 1 − p; one always stays.
 */
export function topP(row: Float32Array, p: number): void {
  const rising = row.filter(Number.isFinite).sort();
  if (rising.length === 0) return;
  const best = rising.at(-1)!;
  let total = 0;
  for (const score of rising) total += Math.exp(score - best);
  let removed = 0;
  for (let sum = 0; removed < rising.length - 1; removed++) {
    sum += Math.exp(rising[removed]! - best) / total;
    if (sum > 1 - p) break;
  }
  const limit = rising[removed]!;
  let tied = removed - rising.indexOf(limit); // how many of those that equal the limit go too
  for (let i = 0; i < row.length; i++) {
    if (row[i]! < limit || (row[i] === limit && tied-- > 0)) row[i] = Number.NEGATIVE_INFINITY;
  }
}

/** The k-th largest value, by a heap of the k largest so far, the smallest of them at its root. */
export function kthLargest(row: Float32Array, k: number): number {
  const heap = row.slice(0, k).sort();
  for (let i = k; i < row.length; i++) {
    const score = row[i]!;
    if (!(score > heap[0]!)) continue;
    let hole = 0;
    for (let child = 1; child < k; child = 2 * hole + 1) {
      if (child + 1 < k && heap[child + 1]! < heap[child]!) child++;
      if (heap[child]! >= score) break;
      heap[hole] = heap[child]!;
      hole = child;
    }
    heap[hole] = score;
  }
  return heap[0]!;
}

/** The first of the largest. */
export function argmax(row: Float32Array): number {
  let best = 0;
  for (let i = 1; i < row.length; i++) if (row[i]! > row[best]!) best = i;
  return best;
}
