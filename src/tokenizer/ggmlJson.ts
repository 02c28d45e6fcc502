import { brief } from '../base/brief.ts';
import { QkvError } from '../base/errors.ts';
import { llama3PatternSource } from './preTokenPatterns.ts';
import { sentencePieceJson } from './sentencePieceJson.ts';
import { pieceTypes } from './sentencePieceModel.ts';
import { addedToken, byteLevelModel, byteLevelPart, frame, template } from './vocabularyJson.ts';

type Json = Readonly<Record<string, unknown>>;

/** The `tokenizer.ggml.*` metadata of a GGUF file: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md#tokenizer */
export interface GgmlTokenizer {
  /** `llama`: SentencePiece BPE by scores; `gpt2`: byte-level BPE by merges. */
  readonly model: string;
  readonly tokens: readonly string[];
  /** Needed by `llama`. */
  readonly scores?: ArrayLike<number>;
  /** 1 normal, 2 unknown, 3 control, 4 defined by the user, 5 unused, 6 byte; all normal by default. */
  readonly types?: ArrayLike<number>;
  /** "left right", the earliest learned first; needed by `gpt2`. */
  readonly merges?: readonly string[];
  /** How text is cut before merging (`gpt2`): `gpt-2`, `smollm` or `llama-bpe`; `gpt-2` by default. */
  readonly pre?: string;
  readonly bosId?: number;
  readonly eosId?: number;
  readonly unkId?: number;
  readonly padId?: number;
  /** By default what the format says: bos for `llama`, nothing for `gpt2`. */
  readonly addBos?: boolean;
  readonly addEos?: boolean;
  /** `llama` alone: whether a text is read as if a space came before it; true by default. */
  readonly addSpacePrefix?: boolean;
}

/**
 * The two objects that `loadTokenizer` takes, of the tokenizer in a GGUF file.
 *
 * @throws QkvError `tokenizer` for lists that do not fit each other, ids beyond the vocabulary and ways of cutting text that are
 * not known.
 */
export function ggmlJson(source: GgmlTokenizer): { readonly json: Json; readonly config: Json } {
  const { tokens, model } = source;
  const config: Record<string, unknown> = {};
  const role = (name: string, id: number | undefined): string | undefined => {
    if (id === undefined) return undefined;
    const token = tokens[id];
    if (token === undefined) throw fault(`${name}_token_id`, String(id), `an id below ${tokens.length}`);
    config[`${name}_token`] = token;
    return token;
  };
  const isLlama = model === 'llama';
  if (!isLlama && model !== 'gpt2') throw fault('model', brief(model), 'llama or gpt2');
  const bos = role('bos', source.bosId ?? (isLlama ? 1 : undefined));
  const eos = role('eos', source.eosId ?? (isLlama ? 2 : undefined));
  role('unk', source.unkId ?? (isLlama ? 0 : undefined));
  role('pad', source.padId);
  const around = (wanted: boolean, name: string, token: string | undefined): string[] => {
    if (!wanted) return [];
    if (token === undefined) throw fault(`add_${name}_token`, 'true', `false, or ${name}_token_id`);
    return [token];
  };
  const before = around(source.addBos ?? isLlama, 'bos', bos);
  const after = around(source.addEos ?? false, 'eos', eos);
  return { json: isLlama ? byScores(source, before, after) : byMerges(source, before, after), config };
}

function byScores(source: GgmlTokenizer, before: string[], after: string[]): Json {
  const { tokens, scores } = source;
  if (scores?.length !== tokens.length) throw fault('scores', `${scores?.length}`, `${tokens.length}, one a token`);
  const types = typesOf(source);
  const pieces = tokens.map((text, id) => ({ text, score: scores[id]!, type: types[id]! }));
  return sentencePieceJson(
    {
      pieces,
      kind: 'bpe',
      byteFallback: types.includes('byte'),
      charsmap: new Uint8Array(0),
      addDummyPrefix: source.addSpacePrefix ?? true,
      removeExtraWhitespaces: false,
      spaceIsSuffix: false,
    },
    { before, after },
  );
}

function byMerges(source: GgmlTokenizer, before: string[], after: string[]): Json {
  const { tokens, merges, pre = 'gpt-2' } = source;
  if (merges === undefined) throw fault('merges', 'none', 'those of a gpt2 vocabulary');
  const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]));
  const isTwice = tokens.find((token, id) => vocab[token] !== id);
  if (isTwice !== undefined) throw fault('tokens', `${brief(isTwice)} twice`, 'every token once');
  const cut = Object.hasOwn(preTokenizers, pre) ? preTokenizers[pre] : undefined;
  if (!cut) throw fault('pre', brief(pre), Object.keys(preTokenizers).join(', '));
  const special = typesOf(source).flatMap((type, id) =>
    type === 'control' || type === 'userDefined' ? [addedToken(tokens[id]!, id, type === 'control')] : [],
  );
  return {
    ...frame,
    added_tokens: special,
    normalizer: null,
    pre_tokenizer: { type: 'Sequence', pretokenizers: cut },
    post_processor: template(before, after, (token) => vocab[token]!),
    decoder: byteLevelPart(false),
    model: byteLevelModel(vocab, merges, 'tokenizer.ggml.merges', pre === 'llama-bpe'),
  };
}

const preTokenizers: Readonly<Record<string, readonly Json[]>> = {
  'gpt-2': [byteLevelPart(false)],
  smollm: [{ type: 'Digits', individual_digits: true }, byteLevelPart(false)],
  'llama-bpe': [
    { type: 'Split', pattern: { Regex: llama3PatternSource }, behavior: 'Isolated', invert: false },
    byteLevelPart(false, false),
  ],
};

function typesOf({ tokens, types }: GgmlTokenizer) {
  if (types && types.length !== tokens.length) {
    throw fault('token_type', `${types.length}`, `${tokens.length}, one a token`);
  }
  return tokens.map((_, id) => {
    const type = types ? pieceTypes[types[id]!] : 'normal';
    if (type === undefined) throw fault('token_type', `${types?.[id]} for token ${id}`, '1 to 6');
    return type;
  });
}

function fault(key: string, got: string, expected: string): QkvError {
  return new QkvError('tokenizer', { where: `tokenizer.ggml.${key}`, got, expected });
}
