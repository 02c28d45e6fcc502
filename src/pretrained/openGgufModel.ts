import { QkvError } from '../base/errors.ts';
import type { Checkpoint, JsonObject } from '../checkpoint/checkpoint.ts';
import { openGguf } from '../checkpoint/gguf.ts';
import type { GgufValue } from '../checkpoint/ggufCursor.ts';
import type { Storage } from '../checkpoint/storage.ts';
import { llamaFromGguf } from '../models/llamaGguf.ts';
import { type GgmlTokenizer, ggmlJson } from '../tokenizer/ggmlJson.ts';
import type { TokenizerSource } from './tokenizerSource.ts';

/** A model in one GGUF file, in the terms of a model folder. */
export interface GgufModel {
  readonly checkpoint: Checkpoint;
  readonly tokenizer: TokenizerSource | undefined;
}

/** The GGUF file of a folder that has no `config.json`, where there is one. @throws QkvError `usage` where there are several. */
export function onlyGguf(names: readonly string[]): string | undefined {
  const found = names.includes('config.json') ? [] : names.filter((name) => name.endsWith('.gguf'));
  if (found.length < 2) return found[0];
  throw new QkvError('usage', { where: 'model', got: found.join(', '), expected: 'one of them: give its path' });
}

/**
 * Opens a GGUF file of a known architecture: config, tokenizer and chat template from its metadata.
 *
 * @throws QkvError `checkpoint`, `config` or `tokenizer`
 */
export async function openGgufModel(storage: Storage, file: string): Promise<GgufModel> {
  const gguf = await openGguf(storage, file);
  const location = `${storage.location}/${file}`;
  const { config, tensors } = await llamaFromGguf(gguf, location);
  const { bos_token_id, eos_token_id, pad_token_id } = config;
  const generationConfig = { bos_token_id, eos_token_id, pad_token_id };
  const checkpoint = { location, config, generationConfig, tensors };
  return { checkpoint, tokenizer: ggufTokenizer(gguf.metadata, location, config) };
}

function ggufTokenizer(
  metadata: ReadonlyMap<string, GgufValue>,
  location: string,
  config: JsonObject,
): TokenizerSource | undefined {
  const get = <T>(name: string, expected: string, accepts: (value: unknown) => boolean): T | undefined => {
    const value = metadata.get(name);
    if (value === undefined || accepts(value)) return value as T | undefined;
    throw new QkvError('tokenizer', { where: `${location}: ${name}`, got: `a ${typeof value}`, expected });
  };
  const is = (type: string) => (value: unknown) => typeof value === type;
  const each = (type: string) => (value: unknown) => Array.isArray(value) && value.every(is(type));
  const text = (name: string) => get<string>(name, 'text', is('string'));
  const flag = (name: string) => get<boolean>(`tokenizer.ggml.${name}`, 'a bool', is('boolean'));
  const id = (name: string) => get<number>(`tokenizer.ggml.${name}_token_id`, 'a number', is('number'));
  const texts = (name: string) => get<string[]>(`tokenizer.ggml.${name}`, 'an array of strings', each('string'));
  const numbers = (name: string) => get<number[]>(`tokenizer.ggml.${name}`, 'an array of numbers', each('number'));

  const [model, tokens, pre] = [text('tokenizer.ggml.model'), texts('tokens'), text('tokenizer.ggml.pre')];
  if (model === undefined || model === 'none' || tokens === undefined) return undefined;
  const source: { [Name in keyof GgmlTokenizer]: GgmlTokenizer[Name] | undefined } = {
    model,
    tokens,
    pre,
    scores: numbers('scores'),
    types: numbers('token_type'),
    merges: texts('merges'),
    bosId: id('bos'),
    eosId: id('eos'),
    unkId: id('unknown'),
    padId: id('padding'),
    // llama.cpp puts bos before texts for this vocabulary too where the file does not say
    addBos: flag('add_bos_token') ?? (pre === 'llama-bpe' ? true : undefined),
    addEos: flag('add_eos_token'),
    addSpacePrefix: flag('add_space_prefix'),
  };
  const given = Object.entries(source).filter(([, value]) => value !== undefined);
  const made = ggmlJson(Object.fromEntries(given) as unknown as GgmlTokenizer);
  const template = text('tokenizer.chat_template');
  return {
    json: made.json,
    config: {
      tokenizer_class: 'PreTrainedTokenizerFast',
      ...made.config,
      model_max_length: config['max_position_embeddings'],
      clean_up_tokenization_spaces: false,
      ...(template !== undefined && { chat_template: template }),
    },
  };
}
