import type { Token } from '../../worker/contract.ts';

/** A row or a column of a picture: a token, or the pieces of a word. */
export interface Piece {
  readonly text: string;
  /** Positions in the model's text, at least one. */
  readonly positions: readonly number[];
  readonly isSpecial: boolean;
}

export interface Arrangement {
  /** Pieces of one word are one. */
  readonly words: boolean;
  /** Tokens as [CLS] or </s> are there. */
  readonly specials: boolean;
}

/** Positions of a part of a text: from the first up to, not including, the second. */
export type Span = readonly [from: number, to: number];

/** What of a text, or of a part of it, is drawn, in its order. */
export function arrange(
  tokens: readonly Token[],
  { words, specials }: Arrangement,
  [from, to]: Span = [0, tokens.length],
): Piece[] {
  const pieces: Piece[] = [];
  let last = -1;
  for (const [position, { text, word, isSpecial }] of tokens.entries()) {
    if (position < from || position >= to || (isSpecial && !specials)) continue;
    const before = pieces.at(-1);
    if (words && before !== undefined && word >= 0 && word === last) {
      pieces[pieces.length - 1] = {
        text: before.text + text,
        positions: [...before.positions, position],
        isSpecial: false,
      };
    } else pieces.push({ text, positions: [position], isSpecial });
    last = word;
  }
  return words ? pieces.map((piece) => ({ ...piece, text: piece.text.trim() || piece.text })) : pieces;
}

/**
 * The weights [T', S'] between pieces, from those [T, S] between tokens that begin at `offset`. A word is looked at with the sum of what
 * its pieces get, and looks with the mean of its pieces (Clark et al. 2019, "What Does BERT Look At?", section 2). The weights on
 * what is not drawn are missing from a row's sum.
 */
export function arrangeWeights(
  weights: Float32Array,
  offset: number,
  [t, s]: readonly [number, number],
  queries: readonly Piece[],
  keys: readonly Piece[],
): Float32Array {
  if (queries.length === t && keys.length === s) return weights.subarray(offset, offset + t * s);
  const out = new Float32Array(queries.length * keys.length);
  let at = 0;
  for (const query of queries) {
    for (const key of keys) {
      let sum = 0;
      for (const position of query.positions) {
        for (const looked of key.positions) sum += weights[offset + position * s + looked]!;
      }
      out[at++] = sum / query.positions.length;
    }
  }
  return out;
}
