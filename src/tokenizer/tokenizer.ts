import { brief } from '../base/brief.ts';
import { QkvError } from '../base/errors.ts';
import { amendLibrary } from './amendLibrary.ts';
import { type CheckedTokenizerJson, checkTokenizerJson, isObject } from './checkTokenizerJson.ts';
import { type AlignedEncoding, type EncodeOptions, type Encoding, encode, encodeWithOffsets } from './encode.ts';
import { library as hf, type LibraryTokenizer } from './library.ts';
import { StreamDecoder } from './streamDecoder.ts';

export interface DecodeOptions {
  /** Leave out pad, bos, eos, …; false by default. */
  readonly skipSpecialTokens?: boolean;
}

/** Token ids by role; a role that the tokenizer does not have is absent. */
export interface SpecialIds {
  readonly pad?: number;
  readonly bos?: number;
  readonly eos?: number;
  readonly unk?: number;
  readonly cls?: number;
  readonly sep?: number;
  readonly mask?: number;
}

export interface Tokenizer {
  encode(text: string, options?: EncodeOptions): Encoding;
  /** `encode` that also says which characters each token stands for; several times slower. */
  encodeWithOffsets(text: string, options?: EncodeOptions): AlignedEncoding;
  /** @throws QkvError `tokenizer` for an id outside the vocabulary. */
  decode(ids: readonly number[], options?: DecodeOptions): string;
  /** Decodes ids as they are generated, whole characters only. */
  createStreamDecoder(options?: DecodeOptions): StreamDecoder;
  /** The largest id plus one: the rows that an embedding needs. */
  readonly vocabSize: number;
  tokenToId(token: string): number | undefined;
  idToToken(id: number): string | undefined;
  readonly specialIds: SpecialIds;
  /** The object that `tokenizer.json` holds. */
  readonly json: unknown;
}

type Json = Readonly<Record<string, unknown>>;

/**
 * Opens a tokenizer in Hugging Face's format: the parsed `tokenizer.json` and, for the roles of the special tokens, the
 * parsed `tokenizer_config.json`. As in `transformers`, the `truncation` and `padding` of `tokenizer.json` do not apply.
 *
 * @throws QkvError `tokenizer` for a file of another format and for settings that would be encoded otherwise than in Python.
 */
export function loadTokenizer(json: unknown, config: unknown = {}): Tokenizer {
  if (!isObject(config)) {
    throw new QkvError('tokenizer', { where: 'tokenizer_config.json', got: typeof config, expected: 'an object' });
  }
  const checked = inLibrary(() => checkTokenizerJson(json, config)); // of any depth
  const { model, added_tokens: addedTokens } = checked;
  const library = openLibrary(checked, config);

  const vocab = library.model.vocab;
  const tokenToId = (token: string): number | undefined => library.token_to_id(token);
  const idToToken = (id: number): string | undefined => vocab[id];
  const specialIds = findSpecialIds(config, model, tokenToId);
  const skipped = new Set([
    ...addedTokens.filter((token) => token.special).map((token) => token.id),
    ...Object.values(specialIds),
  ]);

  const decode = (ids: readonly number[], { skipSpecialTokens = false }: DecodeOptions = {}): string => {
    const kept = skipSpecialTokens ? ids.filter((id) => !skipped.has(id)) : [...ids];
    for (const id of kept) {
      if (vocab[id] === undefined) {
        throw new QkvError('tokenizer', { where: 'decode', got: `id ${id}`, expected: `an id below ${vocab.length}` });
      }
    }
    return kept.length === 0 ? '' : inLibrary(() => library.decode(kept));
  };
  return {
    encode: (text, options) => inLibrary(() => encode(library, text, options ?? {})),
    encodeWithOffsets: (text, options) => inLibrary(() => encodeWithOffsets(library, text, options ?? {})),
    decode,
    createStreamDecoder: (options) => new StreamDecoder((ids) => decode(ids, options)),
    vocabSize: vocab.length,
    tokenToId,
    idToToken,
    specialIds,
    json,
  };
}

/** What the library throws of its own is about settings that it takes as they are, and fails on: some in use alone. */
function inLibrary<T>(act: () => T): T {
  try {
    return act();
  } catch (cause) {
    if (cause instanceof QkvError) throw cause;
    const got = cause instanceof Error ? cause.message : String(cause);
    throw new QkvError('tokenizer', { where: 'tokenizer.json', got, expected: 'a supported tokenizer', cause });
  }
}

function openLibrary(json: CheckedTokenizerJson, config: Json): LibraryTokenizer {
  return inLibrary(() => {
    // Of the second argument only what tokenizer.json cannot say; the rest would change the result against Python's.
    const library = new hf.Tokenizer(json, {
      unk_token: json.model['unk_token'],
      eos_token: contentOf(config['eos_token']),
      clean_up_tokenization_spaces: config['clean_up_tokenization_spaces'] === true,
    });
    amendLibrary(library, json);
    tryOut(library);
    return library;
  });
}

/** Uses every part once: the library looks at most of its settings only then, and takes an unknown token for the unknown. */
function tryOut(library: LibraryTokenizer): void {
  for (const pair of [null, []]) {
    for (const token of library.post_processor?.post_process([], pair, true).tokens ?? []) {
      if (typeof token === 'string' && library.token_to_id(token) !== undefined) continue;
      const expected = 'tokens of the vocabulary';
      throw new QkvError('tokenizer', {
        where: 'tokenizer.json: post_processor',
        got: JSON.stringify(token),
        expected,
      });
    }
  }
  const id = library.model.vocab.findIndex((token) => token !== undefined);
  if (id >= 0) library.decode([id, id]);
  try {
    encodeWithOffsets(library, ' aA 1', { pair: '.' });
  } catch (error) {
    if (!(error instanceof QkvError)) throw error; // a vocabulary need not have these characters
  }
}

/** `tokenizer_config.json` holds a special token as its text or as an object with `content`. */
function contentOf(token: unknown): unknown {
  return isObject(token) ? token['content'] : token;
}

function findSpecialIds(config: Json, model: Json, tokenToId: (token: string) => number | undefined): SpecialIds {
  const ids: { -readonly [Role in keyof SpecialIds]: SpecialIds[Role] } = {};
  for (const role of ['pad', 'bos', 'eos', 'unk', 'cls', 'sep', 'mask'] as const) {
    const fallback = role === 'unk' ? model['unk_token'] : undefined;
    const token = contentOf(config[`${role}_token`]) ?? fallback ?? undefined;
    if (token === undefined) continue;
    const id = typeof token === 'string' ? tokenToId(token) : undefined;
    if (id === undefined && ['cls', 'sep', 'mask'].includes(role)) continue; // named by habit where the vocabulary has none
    if (id === undefined) {
      const where = `tokenizer_config.json: ${role}_token`;
      throw new QkvError('tokenizer', { where, got: brief(token), expected: 'a token of the vocabulary' });
    }
    ids[role] = id;
  }
  const unkId = model['unk_id']; // of a Unigram model
  if (ids.unk === undefined && typeof unkId === 'number') ids.unk = unkId;
  return ids;
}
