import { QkvError } from '../base/errors.ts';
import { byteToChar } from '../tokenizer/byteAlphabet.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { utf8Decode, utf8Encode } from '../tokenizer/utf8.ts';

/** uint8 [T]: 1 at tokens that begin a word, 0 at those that continue the word of the token before. */
export type WordStarts = (ids: ArrayLike<number>) => Uint8Array;

/**
 * How the words of a sequence are found. `pieces`: as the tokenizer marks them: WordPiece continues with `##`; byte-level
 * BPE begins with a space or another white space (Ġ, Ċ), so punctuation belongs to the word that it follows, as in
 * fairseq; SentencePiece begins with `▁`, and Chinese characters and punctuation stand alone, as in ALBERT. `chinese`: the
 * same, but runs of Chinese characters are cut into words by `Intl.Segmenter`; what it takes for a word depends on the ICU
 * of the engine, as a dictionary of any segmenter does on its version.
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
  const scheme = schemeOf(tokenizer.json);
  const pieceOf = (id: number): Piece => scheme(tokenizer.idToToken(id) ?? '');
  if (rule === 'pieces') return (ids) => Uint8Array.from(ids, (id) => (pieceOf(id).begins ? 1 : 0));
  const segmenter = new Intl.Segmenter('zh', { granularity: 'word' });
  return (ids) => {
    const pieces = Array.from(ids, pieceOf);
    const starts = Uint8Array.from(pieces, ({ begins }) => (begins ? 1 : 0));
    const { text, offsets } = joined(pieces);
    const inside = hanBoundaries(text, segmenter);
    for (const [i, offset] of offsets.entries()) {
      if (offset === undefined)
        starts[i] = 0; // the token continues a character
      else if (inside[offset] !== undefined) starts[i] = inside[offset] ? 1 : 0;
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

const byteOf: ReadonlyMap<string, number> = new Map(byteToChar.map((char, byte) => [char, byte]));

const byteLevel: Scheme = (token) => {
  const bytes = Uint8Array.from(token, (char) => byteOf.get(char) ?? 0x3f); // an added token may have others: "?"
  return { bytes, begins: [0x20, 0x09, 0x0a, 0x0d].includes(bytes[0]!) };
};

/** By what the tokenizer does around its vocabulary, since a vocabulary does not say what its marks mean. */
function schemeOf(json: unknown): Scheme {
  const { model, pre_tokenizer, decoder, normalizer } = json as Readonly<
    Record<string, { readonly type?: string } | null>
  >;
  if (model?.type === 'WordPiece') return wordPiece;
  const around = JSON.stringify([pre_tokenizer, decoder, normalizer]);
  if (around.includes('"ByteLevel"')) return byteLevel;
  if (around.includes('▁')) return sentencePiece;
  throw new QkvError('tokenizer', {
    where: 'wordStarts',
    got: `a ${model?.type ?? 'nameless'} vocabulary that does not mark where words begin`,
    expected: 'WordPiece, byte-level BPE or SentencePiece',
  });
}

/** The text of all pieces, and where in it (in UTF-16 units) each begins: undefined inside a character. */
function joined(pieces: readonly Piece[]): { readonly text: string; readonly offsets: (number | undefined)[] } {
  const bytes = pieces.flatMap((piece) => [...piece.bytes]);
  const unitAt: (number | undefined)[] = new Array(bytes.length);
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    unitAt[at] = text.length;
    let end = at + 1;
    while (isContinuation(bytes[end])) end++;
    text += utf8Decode(Uint8Array.from(bytes.slice(at, end)));
    at = end;
  }
  let at = 0;
  const offsets = pieces.map((piece) => {
    const offset = unitAt[at];
    at += piece.bytes.length;
    return offset;
  });
  return { text, offsets };
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}

/** For each unit of the text inside a run of Chinese characters, whether a word begins there. */
function hanBoundaries(text: string, segmenter: Intl.Segmenter): (boolean | undefined)[] {
  const begins: (boolean | undefined)[] = [];
  for (const run of text.matchAll(/\p{Script=Han}+/gu)) {
    for (let i = 0; i < run[0].length; i++) begins[run.index + i] = false;
    for (const { index } of segmenter.segment(run[0])) begins[run.index + index] = true;
  }
  return begins;
}
