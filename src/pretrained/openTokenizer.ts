import type { JsonObject } from '../checkpoint/checkpoint.ts';
import type { Storage } from '../checkpoint/storage.ts';
import { loadTokenizer, type Tokenizer } from '../tokenizer/tokenizer.ts';
import { tokenizerSource } from './tokenizerSource.ts';

/** The tokenizer of a model folder, of whatever files: see `tokenizerSource`. @throws QkvError `tokenizer` or `io` */
export async function openTokenizer(storage: Storage, modelConfig: JsonObject): Promise<Tokenizer | undefined> {
  const source = await tokenizerSource(storage, modelConfig);
  return source && loadTokenizer(source.json, source.config);
}
