import { brief } from '../base/brief.ts';
import { QkvError } from '../base/errors.ts';
import type { AddedTokenJson } from './tokenizerJson.ts';

type Json = Readonly<Record<string, unknown>>;

export interface CheckedTokenizerJson extends Json {
  readonly added_tokens: readonly AddedTokenJson[];
  readonly normalizer: Json | null;
  readonly pre_tokenizer: Json | null;
  readonly post_processor: Json | null;
  readonly decoder: Json | null;
  readonly model: Json;
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Ids above it would make tables of the size of the id; no vocabulary comes near. */
const maxId = 2 ** 24;

/**
 * `tokenizer.json` and the added tokens of `tokenizer_config.json` as the library takes them. Throws for what the library would
 * pass over, encoding otherwise than Python, and for vocabularies of another form than it takes for granted.
 */
export function checkTokenizerJson(value: unknown, config: Json): CheckedTokenizerJson {
  const json = asObject(value, '');
  const model = asObject(json['model'], 'model');
  if (model['dropout']) refuse('model.dropout', model['dropout'], 'null: encoding must not be random');
  const isUnigram = Array.isArray(model['vocab']);
  if (isUnigram) checkScores(model);
  else checkIds(asObject(model['vocab'], 'model.vocab'));
  const checked: Record<string, unknown> = { ...model };
  if (model['type'] === 'BPE' || model['merges'] !== undefined) {
    if (model['continuing_subword_prefix']) {
      refuse('model.continuing_subword_prefix', model['continuing_subword_prefix'], 'none with BPE');
    }
    checked['merges'] = readMerges(model['merges'], model['vocab'] as Json);
  }
  const part = (name: string): Json | null => {
    checkParts(json[name], name);
    return json[name] == null ? null : asObject(json[name], name);
  };
  return {
    ...json,
    added_tokens: readAddedTokens(json, config, model),
    normalizer: part('normalizer'),
    pre_tokenizer: part('pre_tokenizer'),
    post_processor: part('post_processor'),
    decoder: part('decoder'),
    model: checked,
  };
}

function refuse(where: string, got: unknown, expected: string): never {
  const file = where === '' ? 'tokenizer.json' : `tokenizer.json: ${where}`;
  throw new QkvError('tokenizer', { where: file, got: brief(got), expected });
}

function asObject(value: unknown, where: string): Json {
  return isObject(value) ? value : refuse(where, value, 'an object');
}

/** What the library takes as it is: patterns of another form, which it passes over, and words for spaces, which Python refuses. */
function checkParts(value: unknown, where: string): void {
  if (typeof value !== 'object' || value === null) return;
  if (isObject(value) && (value['type'] === 'Split' || value['type'] === 'Replace')) {
    const pattern = value['pattern'];
    const text = isObject(pattern) ? (pattern['String'] ?? pattern['Regex']) : undefined;
    if (typeof text !== 'string') refuse(`${where}.pattern`, pattern, 'an object with String or Regex');
  }
  const replacement = isObject(value) && value['type'] === 'Metaspace' ? value['replacement'] : undefined;
  if (replacement !== undefined && !(typeof replacement === 'string' && /^.$/su.test(replacement))) {
    refuse(`${where}.replacement`, replacement, 'one character');
  }
  for (const [key, inner] of Object.entries(value)) checkParts(inner, `${where}.${key}`);
}

function isId(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < maxId;
}

function checkIds(vocab: Json): void {
  for (const [token, id] of Object.entries(vocab)) {
    if (!isId(id)) refuse(`model.vocab: ${brief(token)}`, id, `an id below ${maxId}`);
  }
}

function checkScores(model: Json): void {
  const vocab = model['vocab'] as readonly unknown[];
  for (const [id, entry] of vocab.entries()) {
    if (!Array.isArray(entry) || typeof entry[0] !== 'string' || typeof entry[1] !== 'number') {
      refuse(`model.vocab[${id}]`, entry, 'a token and its score');
    }
  }
  const unknown = model['unk_id'] ?? 0;
  if (!isId(unknown) || unknown >= vocab.length) refuse('model.unk_id', unknown, `an id below ${vocab.length}`);
}

/** Every cut of a merge is tried, which takes the square of its length. */
const maxMergeLength = 2000;

/** A merge is a pair of tokens, or in older files their texts with a space between, of which the tokens may hold more. */
function readMerges(merges: unknown, vocab: Json): (readonly [string, string])[] {
  if (!Array.isArray(merges)) return refuse('model.merges', merges, 'a list');
  const has = (token: string): boolean => Object.hasOwn(vocab, token);
  const cut = (merge: string): readonly [string, string] | undefined => {
    for (let at = merge.indexOf(' '); at >= 0; at = merge.indexOf(' ', at + 1)) {
      const [left, right] = [merge.slice(0, at), merge.slice(at + 1)];
      if (has(left) && has(right) && has(left + right)) return [left, right];
    }
    return undefined;
  };
  return merges.map((merge, i) => {
    const joined: unknown = Array.isArray(merge) && merge.length === 2 ? merge.join(' ') : merge;
    const pair = typeof joined === 'string' && joined.length <= maxMergeLength ? cut(joined) : undefined;
    return pair ?? refuse(`model.merges[${i}]`, merge, 'two tokens of the vocabulary that make a third');
  });
}

function readAddedTokens(json: Json, config: Json, model: Json): AddedTokenJson[] {
  const stored = json['added_tokens'] ?? [];
  const tokens = (Array.isArray(stored) ? stored : [stored]).map((token): AddedTokenJson => {
    if (!isObject(token) || typeof token['content'] !== 'string' || token['content'] === '' || !isId(token['id'])) {
      return refuse('added_tokens', token, `objects with content and an id below ${maxId}`);
    }
    if (token['single_word'] === true) refuse('added_tokens', `single_word for ${token['content']}`, 'false');
    return token as unknown as AddedTokenJson;
  });
  // What only tokenizer_config.json knows: Marian's <pad>.
  const known = new Set(tokens.map(({ content }) => content));
  const vocab = model['vocab'];
  const has = Array.isArray(vocab)
    ? (content: string) => vocab.some(([token]) => token === content)
    : (content: string) => Object.hasOwn(vocab as Json, content);
  for (const [id, token] of Object.entries(config['added_tokens_decoder'] ?? {})) {
    const content = isObject(token) ? token['content'] : undefined;
    if (typeof content !== 'string' || content === '' || !isId(Number(id))) {
      const where = `tokenizer_config.json: added_tokens_decoder[${id}]`;
      throw new QkvError('tokenizer', { where, got: brief(token), expected: 'an id and an object with content' });
    }
    if (!known.has(content) && !has(content)) tokens.push({ ...(token as unknown as AddedTokenJson), id: Number(id) });
  }
  return tokens;
}
