import type { Encoding, Tokenizer } from '../tokenizer/tokenizer.ts';

/** A word of a text, and its tokens: from `first` to before `end` of the encoding. */
export interface Word {
  readonly first: number;
  readonly end: number;
  /** Where it stands in the text, in UTF-16 units; absent where the tokenizer does not say. */
  readonly span?: readonly [number, number];
}

type Offsets = readonly (readonly [number, number])[];

/**
 * Tokens of an encoding without special tokens, gathered into words: WordPiece marks those that go on a word; with others a
 * word begins behind a space, and where letters and digits meet anything else.
 */
export function wordsOf(tokenizer: Tokenizer, encoding: Encoding, text: string): Word[] {
  const { model } = tokenizer.json as {
    readonly model: { readonly type?: string; readonly continuing_subword_prefix?: string };
  };
  const prefix = model.type === 'WordPiece' ? (model.continuing_subword_prefix ?? '##') : undefined;
  const { offsets } = encoding as Encoding & { readonly offsets?: Offsets };
  const spanOf = (first: number, end: number): Pick<Word, 'span'> =>
    offsets ? { span: trimmed(text, offsets[first]![0], offsets[end - 1]![1]) } : {};
  const begins = (i: number): boolean => {
    const token = encoding.tokens[i]!;
    if (prefix !== undefined) return !token.startsWith(prefix);
    const before = encoding.tokens[i - 1]!;
    return /^[ĠĊ▁\s]/u.test(token) || !(/[\p{L}\p{M}\p{N}]$/u.test(before) && /^[\p{L}\p{M}\p{N}]/u.test(token));
  };
  const words: Word[] = [];
  let first = 0;
  for (let i = 1; i <= encoding.tokens.length; i++) {
    if (i < encoding.tokens.length && !begins(i)) continue;
    words.push({ first, end: i, ...spanOf(first, i) });
    first = i;
  }
  return words;
}

/** Without the spaces around it, which some tokenizers count to a token. */
function trimmed(text: string, start: number, end: number): readonly [number, number] {
  const inner = text.slice(start, end);
  return [start + inner.length - inner.trimStart().length, end - (inner.length - inner.trimEnd().length)];
}

/** The characters of a word, or of tokens one after the other: as the text has them, or as the tokenizer decodes them. */
export function textOf(tokenizer: Tokenizer, encoding: Encoding, text: string, { first, end, span }: Word): string {
  return span ? text.slice(...span) : tokenizer.decode(encoding.ids.slice(first, end)).trim();
}
