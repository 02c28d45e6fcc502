import type { LibraryBpe } from './library.ts';

/** Ids stay below 2^26, so that a pair is one exact double. */
const pairBase = 2 ** 26;
/** The search below is quadratic; longer pieces go to the library's heap. */
const maxSymbols = 64;

/**
 * Encodes one piece by byte-pair merges: the earliest learned pair, of equal ones the leftmost, until none is left. Gives
 * null for what it leaves to the library: long pieces, characters outside the vocabulary, a model with other rules.
 */
export function pieceMerger(model: LibraryBpe): (piece: string) => string[] | null {
  const { tokens_to_ids: idOf, vocab } = model;
  if (model.ignore_merges || model.end_of_word_suffix || model.continuing_subword_suffix) return () => null;
  const ranks = new Map<number, number>();
  const mergedIds: number[] = [];
  for (const [left, right] of model.merges) {
    const a = idOf.get(left);
    const b = idOf.get(right);
    const merged = idOf.get(left + right);
    if (a === undefined || b === undefined || merged === undefined) return () => null;
    ranks.set(a * pairBase + b, mergedIds.length);
    mergedIds.push(merged);
  }
  const ids = new Int32Array(maxSymbols);
  const rankAt = new Float64Array(maxSymbols); // of the pair that starts at the symbol
  const rankOf = (at: number): number => ranks.get(ids[at]! * pairBase + ids[at + 1]!) ?? Number.POSITIVE_INFINITY;

  return (piece) => {
    if (piece.length > maxSymbols) return null;
    let size = 0;
    for (const char of piece) {
      const id = idOf.get(char);
      if (id === undefined) return null;
      ids[size++] = id;
    }
    for (let i = 0; i + 1 < size; i++) rankAt[i] = rankOf(i);
    for (;;) {
      let best = -1;
      let bestRank = Number.POSITIVE_INFINITY;
      for (let i = 0; i + 1 < size; i++) {
        if (rankAt[i]! < bestRank) {
          best = i;
          bestRank = rankAt[i]!;
        }
      }
      if (best < 0) break;
      ids[best] = mergedIds[bestRank]!;
      ids.copyWithin(best + 1, best + 2, size);
      rankAt.copyWithin(best + 1, best + 2, size);
      size -= 1;
      if (best > 0) rankAt[best - 1] = rankOf(best - 1);
      if (best + 1 < size) rankAt[best] = rankOf(best);
    }
    return Array.from(ids.subarray(0, size), (id) => vocab[id]!);
  };
}
