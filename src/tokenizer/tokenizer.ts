import { QkvError } from '../base/errors.ts';
import { amendLibrary } from './amendLibrary.ts';
import { library as hf, type LibraryTokenizer } from './library.ts';
import { refuseUnsupported } from './refuseUnsupported.ts';
import { StreamDecoder } from './streamDecoder.ts';

export interface Encoding {
  readonly ids: number[];
  readonly tokens: string[];
}

export interface EncodeOptions {
  /** Put bos, eos, … around the text as the tokenizer's post-processor says; true by default. */
  readonly addSpecialTokens?: boolean;
  /** Cut the end of the text so that there are at most so many ids, those added included. */
  readonly maxLength?: number;
}

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
  readonly mask?: number;
}

export interface Tokenizer {
  encode(text: string, options?: EncodeOptions): Encoding;
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

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Opens a tokenizer in Hugging Face's format: the parsed `tokenizer.json` and, for the roles of the special tokens, the
 * parsed `tokenizer_config.json`. As in `transformers`, the `truncation` and `padding` of `tokenizer.json` do not apply.
 *
 * @throws QkvError `tokenizer` for a file of another format and for settings that would be encoded otherwise than in Python.
 */
export function loadTokenizer(json: unknown, config: unknown = {}): Tokenizer {
  if (!isObject(json) || !isObject(json['model'])) {
    throw new QkvError('tokenizer', { where: 'tokenizer.json', expected: 'an object with the key model' });
  }
  if (!isObject(config)) {
    throw new QkvError('tokenizer', { where: 'tokenizer_config.json', got: typeof config, expected: 'an object' });
  }
  const model = json['model'];
  refuseUnsupported(json, model);
  const addedTokens = (json['added_tokens'] ?? []) as readonly { id: number; content: string; special?: boolean }[];
  const library = openLibrary(json, addedTokens, model, config);
  amendLibrary(library, json);

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
    return kept.length === 0 ? '' : library.decode(kept);
  };
  return {
    encode: (text, options) => encode(library, text, options ?? {}),
    decode,
    createStreamDecoder: (options) => new StreamDecoder((ids) => decode(ids, options)),
    vocabSize: vocab.length,
    tokenToId,
    idToToken,
    specialIds,
    json,
  };
}

function openLibrary(json: Json, addedTokens: readonly unknown[], model: Json, config: Json): LibraryTokenizer {
  const parts = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null };
  try {
    // Of the second argument only what tokenizer.json cannot say; the rest would change the result against Python's.
    return new hf.Tokenizer(
      { ...parts, ...json, added_tokens: addedTokens },
      {
        unk_token: model['unk_token'],
        eos_token: contentOf(config['eos_token']),
        clean_up_tokenization_spaces: config['clean_up_tokenization_spaces'] === true,
      },
    );
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new QkvError('tokenizer', {
      where: 'tokenizer.json',
      got: message,
      expected: 'a supported tokenizer',
      cause,
    });
  }
}

/** `tokenizer_config.json` holds a special token as its text or as an object with `content`. */
function contentOf(token: unknown): unknown {
  return isObject(token) ? token['content'] : token;
}

function findSpecialIds(config: Json, model: Json, tokenToId: (token: string) => number | undefined): SpecialIds {
  const ids: { -readonly [Role in keyof SpecialIds]: SpecialIds[Role] } = {};
  for (const role of ['pad', 'bos', 'eos', 'unk', 'mask'] as const) {
    const fallback = role === 'unk' ? model['unk_token'] : undefined;
    const token = contentOf(config[`${role}_token`]) ?? fallback ?? undefined;
    if (token === undefined) continue;
    const id = typeof token === 'string' ? tokenToId(token) : undefined;
    if (id === undefined && role === 'mask') continue; // named by habit where the vocabulary has none
    if (id === undefined) {
      const where = `tokenizer_config.json: ${role}_token`;
      throw new QkvError('tokenizer', { where, got: JSON.stringify(token), expected: 'a token of the vocabulary' });
    }
    ids[role] = id;
  }
  const unkId = model['unk_id']; // of a Unigram model
  if (ids.unk === undefined && typeof unkId === 'number') ids.unk = unkId;
  return ids;
}

function encode(library: LibraryTokenizer, text: string, options: EncodeOptions): Encoding {
  const { addSpecialTokens = true, maxLength } = options;
  if (maxLength !== undefined && (!Number.isSafeInteger(maxLength) || maxLength < 0)) {
    throw new QkvError('usage', { where: 'encode: maxLength', got: String(maxLength), expected: 'an integer from 0' });
  }
  let { ids, tokens } = library.encode(text, { add_special_tokens: addSpecialTokens });
  if (maxLength !== undefined && ids.length > maxLength) {
    const added = addSpecialTokens ? (library.post_processor?.post_process([], null, true).tokens.length ?? 0) : 0;
    if (added > maxLength) {
      const expected = `at least ${added}, the special tokens that are added`;
      throw new QkvError('usage', { where: 'encode: maxLength', got: String(maxLength), expected });
    }
    const idOf = new Map(tokens.map((token, i) => [token, ids[i]]));
    const content = library.encode(text, { add_special_tokens: false }).tokens.slice(0, maxLength - added);
    tokens = library.post_processor?.post_process(content, null, addSpecialTokens).tokens ?? content;
    ids = tokens.map((token) => idOf.get(token));
  }
  const unknown = ids.indexOf(undefined);
  if (unknown >= 0) {
    const expected = 'text that the vocabulary can express: it has no token for the unknown';
    throw new QkvError('tokenizer', { where: 'encode', got: JSON.stringify(tokens[unknown]), expected });
  }
  return { ids: ids as number[], tokens };
}
