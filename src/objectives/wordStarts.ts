import { QkvError } from '../base/errors.ts';
import { isContinuation, type Piece, type PieceScheme, pieceScheme } from '../tokenizer/pieces.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';

/** uint8 [T]: 1 at tokens that begin a word, 0 at those that continue the word of the token before. */
export type WordStarts = (ids: ArrayLike<number>) => Uint8Array;

/**
 * How the words of a sequence are found. `pieces`: as the tokenizer marks them: WordPiece continues with `##`; byte-level
 * BPE begins with a space or another white space (Ġ, Ċ), so punctuation belongs to the word that it follows, as in
 * fairseq; SentencePiece begins with `▁`, and Chinese characters and punctuation stand alone, as in ALBERT. `chinese`: the
 * same, but Chinese words are those of `Intl.Segmenter`, whose dictionary is that of the engine's ICU.
 */
export type WordRule = 'pieces' | 'chinese';

/**
 * Finds words for whole-word masking (https://github.com/google-research/bert#new-may-31st-2019-whole-word-masking-models;
 * for Chinese, Cui et al. 2021, arXiv:1906.08101).
 *
 * @throws QkvError `usage` for a rule that does not exist, `tokenizer` for a vocabulary that does not mark words
 */
export function wordStarts(tokenizer: Tokenizer, rule: WordRule): WordStarts {
  if (rule !== 'pieces' && rule !== 'chinese') {
    throw new QkvError('usage', { where: 'wordStarts: rule', got: String(rule), expected: 'pieces or chinese' });
  }
  const scheme = schemeOf(tokenizer.json, rule);
  const pieces = new Map<number, Piece>();
  const pieceOf = (id: number): Piece => {
    let piece = pieces.get(id);
    if (!piece) pieces.set(id, (piece = scheme(tokenizer.idToToken(id) ?? '')));
    return piece;
  };
  if (rule === 'pieces') return (ids) => Uint8Array.from(ids, (id) => (pieceOf(id).begins ? 1 : 0));
  const segmenter = new Intl.Segmenter('zh', { granularity: 'word' });
  return (ids) => {
    const sequence = Array.from(ids, pieceOf);
    const starts = Uint8Array.from(sequence, ({ begins }) => (begins ? 1 : 0));
    const { text, offsets } = joined(sequence);
    const inside = hanBoundaries(text, segmenter);
    for (const [i, offset] of offsets.entries()) {
      // without an offset the token continues a character
      const begins = offset === undefined ? false : inside[offset];
      if (begins !== undefined) starts[i] = begins ? 1 : 0;
    }
    return starts;
  };
}

/** @throws QkvError `tokenizer` for a vocabulary that does not mark words */
function schemeOf(json: unknown, rule: WordRule): PieceScheme['read'] {
  const scheme = pieceScheme(json);
  // characters are for the segmenter alone
  if (scheme && (scheme.kind !== 'characters' || rule === 'chinese')) return scheme.read;
  const { model } = json as { readonly model?: { readonly type?: string } };
  throw new QkvError('tokenizer', {
    where: 'wordStarts',
    got: `a ${model?.type ?? 'nameless'} vocabulary that does not mark where words begin`,
    expected: 'WordPiece, byte-level BPE or SentencePiece',
  });
}

/** The text of all pieces, and where in it (in UTF-16 units) each begins: undefined inside a character. */
function joined(pieces: readonly Piece[]): { readonly text: string; readonly offsets: (number | undefined)[] } {
  const bytes: number[] = [];
  const firsts = pieces.map((piece) => {
    const first = bytes.length;
    for (const byte of piece.bytes) bytes.push(byte);
    return first;
  });
  const unitAt: (number | undefined)[] = new Array(bytes.length);
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    unitAt[at] = text.length;
    let end = at + 1;
    while (isContinuation(bytes[end])) end++;
    text += decoded(bytes, at, end);
    at = end;
  }
  return { text, offsets: firsts.map((first) => unitAt[first]) };
}

/** The character of UTF-8's bytes [start, end); U+FFFD for a part of one. A sequence may be cut anywhere. */
function decoded(bytes: readonly number[], start: number, end: number): string {
  const lead = bytes[start]!;
  const size = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  let point = size === 1 ? lead : lead & (0x7f >> size);
  for (let i = start + 1; i < end; i++) point = (point << 6) | (bytes[i]! & 0x3f);
  return size === end - start && point <= 0x10ffff ? String.fromCodePoint(point) : '\uFFFD';
}

/** For each unit of the text inside a Chinese word, and the one behind it, whether a word begins there. */
function hanBoundaries(text: string, segmenter: Intl.Segmenter): (boolean | undefined)[] {
  const begins: (boolean | undefined)[] = [];
  for (const { segment, index } of segmenter.segment(text)) {
    if (!/\p{Script=Han}/u.test(segment)) continue;
    begins[index] = true;
    for (let i = 1; i < segment.length; i++) begins[index + i] = false;
    begins[index + segment.length] = true; // a space need not say so
  }
  return begins;
}
