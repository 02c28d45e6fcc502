import { brief } from '../base/brief.ts';
import { QkvError } from '../base/errors.ts';
import type { JsonObject } from '../checkpoint/checkpoint.ts';
import type { Storage } from '../checkpoint/storage.ts';
import { decodeUtf8 } from '../checkpoint/utf8.ts';
import { type SentencePieceOptions, sentencePieceJson, withVocabulary } from '../tokenizer/sentencePieceJson.ts';
import { parseSentencePieceModel } from '../tokenizer/sentencePieceModel.ts';
import { byteLevelBpeJson, roleToken, wordPieceJson } from '../tokenizer/vocabularyJson.ts';

const sentencePieceFiles = ['spiece.model', 'tokenizer.model', 'sentencepiece.bpe.model'];
const maxFileBytes = 200_000_000;

/** The objects that `tokenizer.json` and `tokenizer_config.json` hold, or would hold. */
export interface TokenizerSource {
  readonly json: unknown;
  readonly config: JsonObject;
}

/**
 * The tokenizer of a model folder: `tokenizer.json` or, where there is none, what `vocab.txt` (BERT), `vocab.json` with
 * `merges.txt` (GPT-2, RoBERTa, BART), `source.spm` with `vocab.json` (Marian) or a SentencePiece model (T5, ALBERT, Llama) say
 * with `tokenizer_config.json`; undefined where the folder has nothing of the kind. `modelConfig` is `config.json`: which tokens a family puts around a text.
 *
 * @throws QkvError `tokenizer` or `io`
 */
export async function tokenizerSource(storage: Storage, modelConfig: JsonObject): Promise<TokenizerSource | undefined> {
  const names = await storage.list();
  const config = {
    ...(names.includes('tokenizer_config.json') && (await readObject(storage, 'tokenizer_config.json'))),
  };
  if (names.includes('chat_template.jinja')) config['chat_template'] = await readText(storage, 'chat_template.jinja');
  if (names.includes('tokenizer.json')) return { json: await readJson(storage, 'tokenizer.json'), config };
  if (names.includes('vocab.txt')) {
    const roles = { unk_token: '[UNK]', pad_token: '[PAD]' };
    return withRoles(wordPieceJson(await readText(storage, 'vocab.txt'), config), config, roles);
  }
  if (names.includes('vocab.json') && names.includes('merges.txt')) {
    const [vocab, merges] = [await readJson(storage, 'vocab.json'), await readText(storage, 'merges.txt')];
    const json = byteLevelBpeJson(vocab, merges, config);
    const roles = (json['post_processor'] as JsonObject)['type'] === 'ByteLevel' ? gpt2Roles : robertaRoles;
    return withRoles(json, config, roles);
  }
  if (names.includes('source.spm') && names.includes('vocab.json')) {
    if (config['separate_vocabs'] === true) {
      const where = 'tokenizer_config.json: separate_vocabs';
      throw new QkvError('tokenizer', { where, got: 'true', expected: 'false: one vocab.json for both languages' });
    }
    const source = parseSentencePieceModel(await readBytes(storage, 'source.spm'), `${storage.location}/source.spm`);
    const model = withVocabulary(source, await readJson(storage, 'vocab.json'));
    const roles = { eos_token: '</s>', pad_token: '<pad>', unk_token: '<unk>' };
    return withRoles(sentencePieceJson(model, { after: [roleToken(config, 'eos_token') ?? '</s>'] }), config, roles);
  }
  const file = sentencePieceFiles.find((name) => names.includes(name));
  if (file === undefined) return undefined;
  const model = parseSentencePieceModel(await readBytes(storage, file), `${storage.location}/${file}`);
  const texts = new Set(model.pieces.map(({ text }) => text));
  const family = familyOf(modelConfig, config);
  const { roles, ...options } = family(config, texts);
  return withRoles(sentencePieceJson(model, options), config, roles);
}

type Roles = Readonly<Record<string, string>>;
type Family = (config: JsonObject, pieces: ReadonlySet<string>) => SentencePieceOptions & { readonly roles: Roles };

const gpt2Roles: Roles = { bos_token: '<|endoftext|>', eos_token: '<|endoftext|>' };
const robertaRoles: Roles = { bos_token: '<s>', eos_token: '</s>', pad_token: '<pad>', unk_token: '<unk>' };

/** What the families' own tokenizers add to their SentencePiece models. */
const families: Readonly<Record<string, Family>> = {
  albert: (config) => ({
    before: [roleToken(config, 'cls_token') ?? '[CLS]'],
    after: [roleToken(config, 'sep_token') ?? '[SEP]'],
    normalizers: [
      { type: 'Replace', pattern: { String: '``' }, content: '"' },
      { type: 'Replace', pattern: { String: "''" }, content: '"' },
      ...(config['keep_accents'] === true ? [] : [{ type: 'NFKD' }, { type: 'StripAccents' }]),
      ...(config['do_lower_case'] === false ? [] : [{ type: 'Lowercase' }]),
    ],
    // "9," is two tokens, as in the reference code for the model.
    avoid: (piece) => /\p{Nd},$/u.test(piece),
    lstripped: roleToken(config, 'mask_token') ?? '[MASK]',
    roles: { bos_token: '[CLS]', eos_token: '[SEP]', pad_token: '<pad>', unk_token: '<unk>' },
  }),
  t5: (config, pieces) => {
    const extra = config['extra_ids'] ?? 100;
    if (typeof extra !== 'number' || !Number.isSafeInteger(extra) || extra < 0 || extra > 10_000) {
      throw new QkvError('tokenizer', {
        where: 'tokenizer_config.json: extra_ids',
        got: brief(extra),
        expected: 'an integer from 0 to 10000',
      });
    }
    const tokens = Array.from({ length: extra }, (_, i) => `<extra_id_${extra - 1 - i}>`);
    return {
      after: [roleToken(config, 'eos_token') ?? '</s>'],
      extraTokens: tokens.filter((token) => !pieces.has(token)),
      roles: { eos_token: '</s>', pad_token: '<pad>', unk_token: '<unk>' },
    };
  },
  llama: (config) => ({
    before: config['add_bos_token'] === false ? [] : [roleToken(config, 'bos_token') ?? '<s>'],
    after: config['add_eos_token'] === true ? [roleToken(config, 'eos_token') ?? '</s>'] : [],
    roles: { bos_token: '<s>', eos_token: '</s>', unk_token: '<unk>' },
  }),
};

function familyOf(modelConfig: JsonObject, config: JsonObject): Family {
  const className = config['tokenizer_class'];
  const ofClass = typeof className === 'string' ? /^(\w+?)Tokenizer/.exec(className)?.[1]?.toLowerCase() : undefined;
  const type = modelConfig['model_type'] ?? ofClass;
  const name = type === 'mt5' ? 't5' : type;
  if (typeof name === 'string' && Object.hasOwn(families, name)) return families[name]!;
  throw new QkvError('tokenizer', {
    where: 'SentencePiece model',
    got: `the family ${brief(type)}`,
    expected: `${Object.keys(families).join(', ')}: what stands around a text is known of these alone`,
    hint: 'Save the tokenizer as tokenizer.json beside the model',
  });
}

/** The usual tokens of the vocabulary for the roles that `tokenizer_config.json` leaves open. */
function withRoles(json: JsonObject, config: JsonObject, roles: Roles): TokenizerSource {
  const added = json['added_tokens'] as readonly { readonly content: string }[];
  const usual = Object.entries(roles).filter(([, token]) => added.some(({ content }) => content === token));
  const named = Object.entries(config).filter(([, value]) => value !== null);
  return { json, config: Object.fromEntries([...usual, ...named]) };
}

async function readBytes(storage: Storage, name: string): Promise<Uint8Array> {
  const bytes = await storage.size(name);
  if (bytes > maxFileBytes) {
    const where = `${storage.location}/${name}`;
    throw new QkvError('tokenizer', { where, got: `${bytes} bytes`, expected: `at most ${maxFileBytes}` });
  }
  return storage.read(name, 0, bytes);
}

async function readText(storage: Storage, name: string): Promise<string> {
  const bytes = await readBytes(storage, name);
  try {
    return decodeUtf8(bytes);
  } catch (cause) {
    const where = `${storage.location}/${name}`;
    throw new QkvError('tokenizer', { where, got: 'bytes that are not UTF-8', expected: 'text', cause });
  }
}

async function readJson(storage: Storage, name: string): Promise<unknown> {
  const text = await readText(storage, name);
  try {
    return JSON.parse(text);
  } catch (cause) {
    const where = `${storage.location}/${name}`;
    throw new QkvError('tokenizer', { where, got: String(cause), expected: 'JSON', cause });
  }
}

async function readObject(storage: Storage, name: string): Promise<JsonObject> {
  const value = await readJson(storage, name);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject;
  const where = `${storage.location}/${name}`;
  throw new QkvError('tokenizer', {
    where,
    got: brief(value),
    expected: 'a JSON object',
  });
}
