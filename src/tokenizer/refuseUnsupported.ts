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
}
