import * as tokenizers from '@huggingface/tokenizers';

/**
 * The part of `@huggingface/tokenizers` that is used here, typed: its own declarations name their files without
 * extensions, which Node's module resolution does not find.
 */
export interface LibraryTokenizer {
  readonly normalizer: LibraryNormalizer | null;
  readonly pre_tokenizer: LibraryPreTokenizer | null;
  readonly model: LibraryModel;
  readonly decoder: LibraryDecoder | null;
  readonly post_processor: LibraryPostProcessor | null;
  readonly splitter_unnormalized: LibrarySplitter;
  readonly splitter_normalized: LibrarySplitter;
  readonly added_tokens_map: ReadonlyMap<
    string,
    { readonly id: number; readonly lstrip: boolean; readonly rstrip: boolean }
  >;
  /** Tokens without those put around a text. */
  encode_text(text: string): string[];
  decode(ids: readonly number[]): string;
  token_to_id(token: string): number | undefined;
}

/** Cuts added tokens out of a text. */
export interface LibrarySplitter {
  split(text: string): string[];
}

export interface LibraryPostProcessor {
  readonly config: { readonly type: string; readonly trim_offsets?: boolean; readonly add_prefix_space?: boolean };
  readonly processors?: readonly LibraryPostProcessor[]; // of Sequence
  /** Puts special tokens, as text, around what may be anything. ByteLevel gives the pair back as it is. */
  post_process<T>(
    tokens: readonly T[],
    pair: readonly T[] | null,
    addSpecialTokens: boolean,
  ): {
    readonly tokens: (T | string)[];
    readonly tokens_pair?: readonly T[] | null;
    readonly token_type_ids?: number[];
  };
}

export interface LibraryNormalizer {
  normalize(text: string): string;
}

export interface LibraryReplaceNormalizer extends LibraryNormalizer {
  readonly pattern: RegExp | null;
  readonly config: { readonly content?: string };
}

export interface LibrarySequenceNormalizer extends LibraryNormalizer {
  readonly normalizers: readonly (LibraryNormalizer | null)[];
}

export interface LibraryDecoder {
  readonly decoders?: readonly (LibraryDecoder | null)[]; // of Sequence
}

export interface LibraryByteFallback extends LibraryDecoder {
  text_decoder: { decode(bytes: Uint8Array): string };
}

export interface LibraryModel {
  fuse_unk: boolean;
  readonly tokens_to_ids: ReadonlyMap<string, number>;
  /** Tokens by id, with holes where no token has the id. */
  readonly vocab: readonly (string | undefined)[];
  readonly unk_token?: string | null;
  readonly unk_token_id?: number;
  encode(pieces: readonly string[]): string[];
}

export interface LibraryWordPiece extends LibraryModel {
  readonly config: { readonly continuing_subword_prefix?: string };
}

export interface LibraryBpe extends LibraryModel {
  readonly merges: readonly (readonly [string, string])[];
  readonly ignore_merges: boolean;
  readonly continuing_subword_suffix?: string | null;
  readonly byte_fallback: boolean;
  readonly end_of_word_suffix?: string | null;
}

export interface LibraryPreTokenizer {
  pre_tokenize_text(text: string, options?: unknown): string[];
}

export interface LibraryByteLevel extends LibraryPreTokenizer {
  readonly add_prefix_space: boolean;
  readonly use_regex: boolean;
}

export interface LibrarySequence extends LibraryPreTokenizer {
  readonly tokenizers: readonly (LibraryPreTokenizer | null)[];
}

export interface LibrarySplit extends LibraryPreTokenizer {
  readonly config: { readonly pattern?: { readonly Regex?: string } };
}

export interface LibraryMetaspace extends LibraryPreTokenizer {
  readonly replacement: string;
}

type Class<T> = new (json: object, config: object) => T;

export const library = tokenizers as unknown as {
  readonly Tokenizer: Class<LibraryTokenizer>;
  readonly BPE: Class<LibraryBpe>;
  readonly WordPiece: Class<LibraryWordPiece>;
  readonly ByteLevelPreTokenizer: Class<LibraryByteLevel>;
  readonly SplitPreTokenizer: Class<LibrarySplit>;
  readonly MetaspacePreTokenizer: Class<LibraryMetaspace>;
  readonly SequencePreTokenizer: Class<LibrarySequence>;
  readonly WhitespaceSplitPreTokenizer: Class<LibraryPreTokenizer>;
  readonly BertPreTokenizer: Class<LibraryPreTokenizer>;
  readonly Unigram: Class<LibraryModel>;
  readonly SequenceNormalizer: Class<LibrarySequenceNormalizer>;
  readonly PrecompiledNormalizer: Class<LibraryNormalizer>;
  readonly BertNormalizer: Class<LibraryNormalizer>;
  readonly ReplaceNormalizer: Class<LibraryReplaceNormalizer>;
  readonly PrependNormalizer: Class<LibraryNormalizer>;
  readonly LowercaseNormalizer: Class<LibraryNormalizer>;
  readonly StripNormalizer: Class<LibraryNormalizer>;
  readonly ByteFallbackDecoder: Class<LibraryByteFallback>;
};

/** `instanceof`, for classes that the types here do not tell apart. */
export function isA(part: unknown, type: abstract new (...args: never[]) => unknown): boolean {
  return part instanceof type;
}
