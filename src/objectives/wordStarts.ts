import { QkvError } from '../base/errors.ts';
import { byteToChar } from '../tokenizer/byteAlphabet.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { utf8Encode } from '../tokenizer/utf8.ts';

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

/** A token by itself: its text in UTF-8, without the mark of its place, and whether the mark says that a word begins. */
interface Piece {
  readonly bytes: Uint8Array;
  readonly begins: boolean;
}

type Scheme = (token: string) => Piece;

const wordPiece: Scheme = (token) => {
  const continues = token.startsWith('##') && token.length > 2;
  return { bytes: utf8Encode(continues ? token.slice(2) : token), begins: !continues };
};

const sentencePiece: Scheme = (token) => {
  const byte = /^<0x([0-9A-F]{2})>$/.exec(token); // a byte of a character that the vocabulary lacks
  if (byte) {
    const value = Number.parseInt(byte[1]!, 16);
    return { bytes: Uint8Array.of(value), begins: !isContinuation(value) };
  }
  return { bytes: utf8Encode(token.replaceAll('▁', ' ')), begins: /^(\p{Script=Han}|[^\p{L}\p{M}\p{N}])/u.test(token) };
};

/** A token a character, which says nothing of words: for the segmenter alone. */
const character: Scheme = (token) => ({ bytes: utf8Encode(token), begins: true });

const byteOf: ReadonlyMap<string, number> = new Map(byteToChar.map((char, byte) => [char, byte]));

const byteLevel: Scheme = (token) => {
  const bytes = Uint8Array.from(token, (char) => byteOf.get(char) ?? 0x3f); // an added token may have others: "?"
  return { bytes, begins: [0x20, 0x09, 0x0a, 0x0d].includes(bytes[0]!) };
};

/** By what the tokenizer does around its vocabulary, since a vocabulary does not say what its marks mean. */
function schemeOf(json: unknown, rule: WordRule): Scheme {
  const { model, pre_tokenizer, decoder, normalizer } = json as Readonly<
    Record<string, { readonly type?: string } | null>
  >;
  if (model?.type === 'WordPiece') return wordPiece;
  const around = JSON.stringify([pre_tokenizer, decoder, normalizer]);
  if (around.includes('"ByteLevel"')) return byteLevel;
  if (around.includes('▁')) return sentencePiece;
  if (rule === 'chinese' && decoder?.type === 'Fuse') return character;
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

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
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
