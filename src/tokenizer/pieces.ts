import { byteToChar } from './byteAlphabet.ts';
import { utf8Encode } from './utf8.ts';

/** A token by itself: its text in UTF-8, without the mark of its place, and whether the mark says that a word begins. */
export interface Piece {
  readonly bytes: Uint8Array;
  readonly begins: boolean;
}

/** How a vocabulary writes its tokens; `characters`: each is one, which says nothing of words. */
export interface PieceScheme {
  readonly kind: 'wordpiece' | 'byte-level' | 'sentencepiece' | 'characters';
  readonly read: (token: string) => Piece;
}

const wordPiece: PieceScheme['read'] = (token) => {
  const continues = token.startsWith('##') && token.length > 2;
  return { bytes: utf8Encode(continues ? token.slice(2) : token), begins: !continues };
};

const sentencePiece: PieceScheme['read'] = (token) => {
  const byte = /^<0x([0-9A-F]{2})>$/.exec(token); // a byte of a character that the vocabulary lacks
  if (byte) {
    const value = Number.parseInt(byte[1]!, 16);
    return { bytes: Uint8Array.of(value), begins: !isContinuation(value) };
  }
  return { bytes: utf8Encode(token.replaceAll('▁', ' ')), begins: /^(\p{Script=Han}|[^\p{L}\p{M}\p{N}])/u.test(token) };
};

const byteOf: ReadonlyMap<string, number> = new Map(byteToChar.map((char, byte) => [char, byte]));

const byteLevel: PieceScheme['read'] = (token) => {
  const bytes = Uint8Array.from(token, (char) => byteOf.get(char) ?? 0x3f); // an added token may have others: "?"
  return { bytes, begins: [0x20, 0x09, 0x0a, 0x0d].includes(bytes[0]!) };
};

/** By what a tokenizer does around its vocabulary, since a vocabulary does not say what its marks mean; undefined for others. */
export function pieceScheme(tokenizerJson: unknown): PieceScheme | undefined {
  const { model, pre_tokenizer, decoder, normalizer } = tokenizerJson as Readonly<
    Record<string, { readonly type?: string } | null>
  >;
  if (model?.type === 'WordPiece') return { kind: 'wordpiece', read: wordPiece };
  const around = JSON.stringify([pre_tokenizer, decoder, normalizer]);
  if (around.includes('"ByteLevel"')) return { kind: 'byte-level', read: byteLevel };
  if (around.includes('▁')) return { kind: 'sentencepiece', read: sentencePiece };
  if (decoder?.type !== 'Fuse') return undefined;
  return { kind: 'characters', read: (token) => ({ bytes: utf8Encode(token), begins: true }) };
}

/** Whether a byte of UTF-8 goes on with a character. */
export function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}
