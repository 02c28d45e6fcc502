import { isContinuation, type PieceScheme, pieceScheme } from './pieces.ts';
import type { Tokenizer } from './tokenizer.ts';

/** A token for a person to read. */
export interface ReadableToken {
  readonly id: number;
  /** Its characters, spaces included; bytes that are no characters by themselves as `⟨E4⟩`; an id without a token as `#7`. */
  readonly text: string;
  /** Pieces of one word have one number, from 0 on; special tokens have −1. */
  readonly word: number;
  readonly isSpecial: boolean;
}

/** Reads the tokens of one tokenizer. */
export function tokenReader(tokenizer: Tokenizer): (ids: readonly number[]) => ReadableToken[] {
  const scheme = pieceScheme(tokenizer.json);
  const specials = specialIds(tokenizer);
  const joins = joinerOf(scheme);
  const texts = new Map<number, string>();
  const textOf = (id: number): string => {
    let text = texts.get(id);
    if (text === undefined) texts.set(id, (text = readable(tokenizer, scheme, specials, id)));
    return text;
  };
  return (ids) => {
    let word = -1;
    let before: number | undefined;
    return ids.map((id) => {
      const text = textOf(id);
      if (specials.has(id)) {
        before = undefined;
        return { id, text, word: -1, isSpecial: true };
      }
      const token = tokenizer.idToToken(id) ?? '';
      if (before === undefined || !joins(token, texts.get(before)!, text)) word++;
      before = id;
      return { id, text, word, isSpecial: false };
    });
  };
}

/** The unknown token aside: it stands for text. */
function specialIds({ json, specialIds }: Tokenizer): ReadonlySet<number> {
  const added = (json as { readonly added_tokens?: readonly { readonly id: number; readonly special?: boolean }[] })
    .added_tokens;
  const ids = new Set((added ?? []).filter(({ special }) => special === true).map(({ id }) => id));
  for (const [role, id] of Object.entries(specialIds)) if (role !== 'unk') ids.add(id);
  if (specialIds.unk !== undefined) ids.delete(specialIds.unk);
  return ids;
}

function readable(
  tokenizer: Tokenizer,
  scheme: PieceScheme | undefined,
  specials: ReadonlySet<number>,
  id: number,
): string {
  const token = tokenizer.idToToken(id);
  if (token === undefined) return `#${id}`;
  if (specials.has(id) || id === tokenizer.specialIds.unk || !scheme) return token;
  return charactersOf(scheme.read(token).bytes);
}

/** UTF-8 as text; what is none of it as `⟨E4⟩`, byte by byte. */
function charactersOf(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const lead = bytes[at]!;
    const size = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 0;
    const rest = bytes.subarray(at + 1, at + size);
    let point = size < 2 ? lead : lead & (0x7f >> size);
    for (const byte of rest) point = (point << 6) | (byte & 0x3f);
    // no shorter way to write it, no half of a pair: a character
    const isWhole = size > 0 && rest.length === size - 1 && rest.every(isContinuation);
    const isCharacter = isWhole && point >= [0, 0, 0x80, 0x800, 0x10000][size]! && point <= 0x10ffff;
    if (isCharacter && (point < 0xd800 || point > 0xdfff)) {
      text += String.fromCodePoint(point);
      at += size;
    } else {
      text += `⟨${lead.toString(16).toUpperCase().padStart(2, '0')}⟩`;
      at++;
    }
  }
  return text;
}

const letters = /^[\p{L}\p{M}\p{N}'’]+$/u;
const han = /\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}/u;

/** Whether a token goes on with the word of the token before it. */
function joinerOf(scheme: PieceScheme | undefined): (token: string, before: string, text: string) => boolean {
  if (scheme?.kind === 'wordpiece') return (token) => !scheme.read(token).begins;
  // SentencePiece may write the space before a word by itself
  const isMark = (text: string): boolean => scheme?.kind === 'sentencepiece' && text === ' ';
  // punctuation is no part of the word that it follows; broken bytes belong together, and letters without a space between
  return (_, before, text) =>
    (isMark(before) && !text.startsWith(' ')) ||
    (before.endsWith('⟩') && text.startsWith('⟨')) ||
    (letters.test(before.trimStart()) && letters.test(text) && !han.test(before.slice(-1)) && !han.test(text[0]!));
}
