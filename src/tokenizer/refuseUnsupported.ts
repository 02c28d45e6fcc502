import { QkvError } from '../base/errors.ts';

type Json = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Throws for what `tokenizer.json` can say and the library below would pass over, encoding otherwise than Python. */
export function refuseUnsupported(json: Json, model: Json): void {
  const refuse = (where: string, got: unknown, expected: string): never => {
    throw new QkvError('tokenizer', { where: `tokenizer.json: ${where}`, got: String(got), expected });
  };
  if (model['dropout']) refuse('model.dropout', model['dropout'], 'null: encoding must not be random');
  if (model['type'] === 'BPE' && model['continuing_subword_prefix']) {
    refuse('model.continuing_subword_prefix', model['continuing_subword_prefix'], 'none with BPE');
  }
  const addedTokens = json['added_tokens'] ?? [];
  for (const token of Array.isArray(addedTokens) ? addedTokens : [addedTokens]) {
    if (!isObject(token) || typeof token['content'] !== 'string' || !Number.isSafeInteger(token['id'])) {
      refuse('added_tokens', JSON.stringify(token), 'objects with content and id');
    } else if (token['single_word'] === true) {
      refuse('added_tokens', `single_word for ${token['content']}`, 'false');
    }
  }
  for (const charsmap of charsmaps(json['normalizer'])) {
    if (!nmtNfkc.has(fnv1a(charsmap))) refuse('normalizer', 'a Precompiled character map', 'the one of nmt_nfkc');
  }
}

/** The library has SentencePiece's nmt_nfkc built in, whatever the file holds: the two versions of it in circulation. */
const nmtNfkc: ReadonlySet<number> = new Set([0x90947933, 0xe265bf3c]);

function charsmaps(normalizer: unknown): string[] {
  if (!isObject(normalizer)) return [];
  if (normalizer['type'] === 'Precompiled') return [String(normalizer['precompiled_charsmap'])];
  return Array.isArray(normalizer['normalizers']) ? normalizer['normalizers'].flatMap(charsmaps) : [];
}

/** 32-bit FNV-1a. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
