import { brief } from '../base/brief.ts';
import { QkvError } from '../base/errors.ts';
import { isObject } from './checkTokenizerJson.ts';
import type { AddedTokenJson } from './tokenizerJson.ts';

type Json = Readonly<Record<string, unknown>>;

export const frame = { version: '1.0', truncation: null, padding: null } as const;

/** Pre-tokenizer, post-processor and decoder of a byte-level vocabulary alike. */
export function byteLevelPart(addPrefixSpace: boolean, useRegex = true): Json {
  return { type: 'ByteLevel', add_prefix_space: addPrefixSpace, trim_offsets: true, use_regex: useRegex };
}

export function addedToken(content: string, id: number, special: boolean, lstrip = false): AddedTokenJson {
  return { id, content, single_word: false, lstrip, rstrip: false, normalized: false, special };
}

/** A post-processor that puts tokens around a text (and around both of a pair); null for none. */
export function template(
  before: readonly string[],
  after: readonly string[],
  idOf: (token: string) => number,
): Json | null {
  const tokens = [...new Set([...before, ...after])];
  if (tokens.length === 0) return null;
  const special = (type: number) => (id: string) => ({ SpecialToken: { id, type_id: type } });
  const single = [...before.map(special(0)), { Sequence: { id: 'A', type_id: 0 } }, ...after.map(special(0))];
  return {
    type: 'TemplateProcessing',
    single,
    pair: [...single, { Sequence: { id: 'B', type_id: 1 } }, ...after.map(special(1))],
    special_tokens: Object.fromEntries(tokens.map((id) => [id, { id, ids: [idOf(id)], tokens: [id] }])),
  };
}

/**
 * BERT's `vocab.txt` (a token a line, its id the number of the line) with the settings of its `tokenizer_config.json`, as the
 * object that `tokenizer.json` holds.
 */
export function wordPieceJson(vocabText: string, config: Json = {}): Json {
  const tokens = vocabText.split(/\r?\n/);
  if (tokens.at(-1) === '') tokens.pop();
  const vocab: Record<string, number> = Object.create(null);
  tokens.forEach((token, id) => {
    vocab[token] = id; // as in Python, of equal lines the last counts
  });
  const flag = (name: string, otherwise: boolean | null): boolean | null => {
    const value = config[name] ?? otherwise;
    if (value !== null && typeof value !== 'boolean') throw badConfig(name, value, 'true or false');
    return value;
  };
  const role = (name: string, otherwise: string): string => {
    const token = roleToken(config, name) ?? otherwise;
    if (!(token in vocab)) throw badConfig(name, token, 'a token of vocab.txt');
    return token;
  };
  const [unk, cls, sep] = [role('unk_token', '[UNK]'), role('cls_token', '[CLS]'), role('sep_token', '[SEP]')];
  const others = [roleToken(config, 'pad_token') ?? '[PAD]', roleToken(config, 'mask_token') ?? '[MASK]'].filter(
    (token) => token in vocab,
  );
  return {
    ...frame,
    added_tokens: [...new Set([unk, cls, sep, ...others])]
      .map((token) => addedToken(token, vocab[token]!, true))
      .sort((a, b) => a.id - b.id),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: flag('tokenize_chinese_chars', true),
      strip_accents: flag('strip_accents', null),
      lowercase: flag('do_lower_case', true),
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: template([cls], [sep], (token) => vocab[token]!),
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: unk,
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: { ...vocab },
    },
  };
}

/**
 * `vocab.json` and `merges.txt` of a byte-level vocabulary, as the object that `tokenizer.json` holds. A vocabulary with `<s>` and
 * `</s>` is RoBERTa's or BART's and puts them around a text; one with `<|endoftext|>` is GPT-2's and adds nothing.
 */
export function byteLevelBpeJson(vocabJson: unknown, mergesText: string, config: Json = {}): Json {
  const ids = isObject(vocabJson) ? Object.values(vocabJson) : [vocabJson];
  const wrong = ids.find((id) => !Number.isSafeInteger(id) || (id as number) < 0);
  if (!isObject(vocabJson) || wrong !== undefined) {
    const expected = 'an object of tokens and their ids';
    throw new QkvError('tokenizer', { where: 'vocab.json', got: brief(wrong), expected });
  }
  const vocab = vocabJson as Readonly<Record<string, number>>;
  const lines = mergesText.split(/\r?\n/).filter((line, i) => line !== '' && !(i === 0 && line.startsWith('#version')));
  const model = byteLevelModel(vocab, lines, 'merges.txt');
  const has = (token: string): boolean => Object.hasOwn(vocab, token);
  const isRoberta = has('<s>') && has('</s>');
  const defaults: Readonly<Record<string, string>> = isRoberta
    ? { bos_token: '<s>', pad_token: '<pad>', eos_token: '</s>', unk_token: '<unk>', mask_token: '<mask>' }
    : { bos_token: '<|endoftext|>', eos_token: '<|endoftext|>' };
  const special = new Set<string>();
  for (const name of ['bos_token', 'pad_token', 'eos_token', 'unk_token', 'cls_token', 'sep_token', 'mask_token']) {
    const token = roleToken(config, name) ?? defaults[name];
    if (token !== undefined && has(token)) special.add(token);
  }
  const prefixSpace = config['add_prefix_space'] ?? false;
  if (typeof prefixSpace !== 'boolean') throw badConfig('add_prefix_space', prefixSpace, 'true or false');
  const byteLevel = byteLevelPart(prefixSpace);
  const around = (name: string, otherwise: string): readonly [string, number] => {
    const token = roleToken(config, name) ?? otherwise;
    if (!has(token)) throw badConfig(name, token, 'a token of vocab.json');
    return [token, vocab[token]!];
  };
  return {
    ...frame,
    added_tokens: [...special]
      // RoBERTa's mask takes the space before it, so that it stands for a word.
      .map((token) => addedToken(token, vocab[token]!, true, isRoberta && token === '<mask>'))
      .sort((a, b) => a.id - b.id),
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: isRoberta
      ? {
          type: 'RobertaProcessing',
          sep: around('sep_token', '</s>'),
          cls: around('cls_token', '<s>'),
          trim_offsets: true,
          add_prefix_space: prefixSpace,
        }
      : { ...byteLevel, trim_offsets: false },
    decoder: byteLevel,
    model,
  };
}

/** The byte-level BPE model of a vocabulary and of merges written as "left right", the earliest learned first. */
export function byteLevelModel(
  vocab: Readonly<Record<string, number>>,
  mergeLines: readonly string[],
  where: string,
  ignoreMerges = false,
): Json {
  const has = (token: string | undefined): boolean => token !== undefined && Object.hasOwn(vocab, token);
  const merges = mergeLines.map((line, i) => {
    const pair = line.split(' ');
    if (pair.length !== 2 || !has(pair[0]) || !has(pair[1]) || !has(pair.join(''))) {
      const got = brief(line);
      const expected = 'two tokens of the vocabulary that make a third';
      throw new QkvError('tokenizer', { where: `${where}: merge ${i + 1}`, got, expected });
    }
    return pair;
  });
  return {
    type: 'BPE',
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: '',
    end_of_word_suffix: '',
    fuse_unk: false,
    byte_fallback: false,
    ignore_merges: ignoreMerges,
    vocab,
    merges,
  };
}

/** A special token of `tokenizer_config.json`: its text, or an object with `content`. */
export function roleToken(config: Json, name: string): string | undefined {
  const value = config[name];
  const token = isObject(value) ? value['content'] : value;
  if (token === undefined || token === null) return undefined;
  if (typeof token !== 'string') throw badConfig(name, token, 'a token');
  return token;
}

function badConfig(name: string, got: unknown, expected: string): QkvError {
  return new QkvError('tokenizer', { where: `tokenizer_config.json: ${name}`, got: brief(got), expected });
}
