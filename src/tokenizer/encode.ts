import { QkvError } from '../base/errors.ts';
import { type AlignedToken, encodeAligned, type Span } from './encodeAligned.ts';
import type { LibraryTokenizer } from './library.ts';

export interface Encoding {
  readonly ids: number[];
  readonly tokens: string[];
  /** Of each token which text it belongs to, as the model is told (`token_type_ids`): 0, or 1 for the second of a pair. */
  readonly typeIds: number[];
}

export interface AlignedEncoding extends Encoding {
  /** The characters that each token stands for, in UTF-16 units of its text; [0, 0] for the tokens put around the texts. */
  readonly offsets: Span[];
  /** Which word of its text (piece that no token reaches across, from 0) each token is of; null for the tokens put around. */
  readonly words: (number | null)[];
  /** Which text the offsets are of: 0, or 1 for the second of a pair; null for the tokens put around. */
  readonly sequences: (0 | 1 | null)[];
}

export interface EncodeOptions {
  /** A second text, encoded with the first as one input. */
  readonly pair?: string;
  /** Put bos, eos, … around the text as the tokenizer's post-processor says; true by default. */
  readonly addSpecialTokens?: boolean;
  /** Cut the end of the text (of a pair: of the longer one first) so that there are at most so many ids, those added included. */
  readonly maxLength?: number;
}

export function encode(library: LibraryTokenizer, text: string, options: EncodeOptions): Encoding {
  const second = options.pair === undefined ? null : library.encode_text(options.pair);
  const { items, typeIds } = assemble(library, library.encode_text(text), second, options);
  return { ids: idsOf(library, items), tokens: items, typeIds };
}

/** As `encode`, with what each token stands for: as Python's `tokenizers` say, but in UTF-16 units. */
export function encodeWithOffsets(library: LibraryTokenizer, text: string, options: EncodeOptions): AlignedEncoding {
  type Item = AlignedToken & { readonly sequence: 0 | 1 };
  const content = (of: string, sequence: 0 | 1): Item[] =>
    encodeAligned(library, of).map((token) => ({ ...token, sequence }));
  const second = options.pair === undefined ? null : content(options.pair, 1);
  const { items, typeIds } = assemble(library, content(text, 0), second, options);
  const tokens = items.map((item) => (typeof item === 'string' ? item : item.token));
  const parts = items.map((item) => (typeof item === 'string' ? null : item));
  return {
    ids: idsOf(library, tokens),
    tokens,
    typeIds,
    offsets: parts.map((part) => part?.offset ?? [0, 0]),
    words: parts.map((part) => part?.word ?? null),
    sequences: parts.map((part) => part?.sequence ?? null),
  };
}

/** Cuts what is too long and puts special tokens around. */
function assemble<T>(
  library: LibraryTokenizer,
  first: readonly T[],
  second: readonly T[] | null,
  { addSpecialTokens = true, maxLength = Number.POSITIVE_INFINITY }: EncodeOptions,
): { items: (T | string)[]; typeIds: number[] } {
  if (maxLength !== Number.POSITIVE_INFINITY && (!Number.isSafeInteger(maxLength) || maxLength < 0)) {
    throw new QkvError('usage', { where: 'encode: maxLength', got: String(maxLength), expected: 'an integer from 0' });
  }
  const process = <U>(a: readonly U[], b: readonly U[] | null): { items: (U | string)[]; typeIds: number[] } => {
    const done = library.post_processor?.post_process(a, b, addSpecialTokens) ?? { tokens: [...a], tokens_pair: b };
    const pair = done.tokens_pair ?? [];
    const items = pair.length > 0 ? [...done.tokens, ...pair] : done.tokens;
    const typeIds = done.token_type_ids ?? items.map((_, i) => (i < done.tokens.length ? 0 : 1));
    return { items, typeIds };
  };
  let [a, b] = [first, second];
  if (maxLength !== Number.POSITIVE_INFINITY && process(a, b).items.length > maxLength) {
    const added = process([], b && []).items.length;
    if (added > maxLength) {
      const expected = `at least ${added}, the special tokens that are added`;
      throw new QkvError('usage', { where: 'encode: maxLength', got: String(maxLength), expected });
    }
    const [keptA, keptB] = keptLengths(a.length, b?.length ?? 0, maxLength - added);
    a = a.slice(0, keptA);
    b = b?.slice(0, keptB) ?? null;
  }
  return process(a, b);
}

/** As `longest_first` of Python's `tokenizers`: the longer text is cut to the length of the other, then both alike. */
function keptLengths(a: number, b: number, most: number): [number, number] {
  if (b === 0) return [Math.min(a, most), 0];
  const shorter = Math.min(a, b);
  let [kept, other] = [shorter, shorter > most ? shorter : Math.max(shorter, most - shorter)];
  if (kept + other > most) {
    kept = Math.floor(most / 2);
    other = most - kept;
  }
  return a > b ? [other, kept] : [kept, other];
}

function idsOf(library: LibraryTokenizer, tokens: readonly string[]): number[] {
  const { added_tokens_map: added, model } = library;
  return tokens.map((token) => {
    const id = added.get(token)?.id ?? model.tokens_to_ids.get(token) ?? model.unk_token_id;
    if (id !== undefined) return id;
    const expected = 'text that the vocabulary can express: it has no token for the unknown';
    throw new QkvError('tokenizer', { where: 'encode', got: JSON.stringify(token), expected });
  });
}
