import { QkvError } from '../base/errors.ts';
import type { JsonObject } from '../checkpoint/checkpoint.ts';
import type { GenerateOptions } from '../generate/options.ts';
import type { Model } from '../models/model.ts';

type Defaults = { -readonly [Name in keyof GenerateOptions]: GenerateOptions[Name] };

/** Keys that say the same as an option, whatever the mode. */
const plain: Readonly<Record<string, keyof GenerateOptions>> = {
  num_beams: 'numBeams',
  length_penalty: 'lengthPenalty',
  early_stopping: 'earlyStopping',
  do_sample: 'sample',
  temperature: 'temperature',
  top_k: 'topK',
  top_p: 'topP',
  repetition_penalty: 'repetitionPenalty',
  no_repeat_ngram_size: 'noRepeatNgramSize',
  bad_words_ids: 'badWordsIds',
  forced_bos_token_id: 'forcedBosId',
  forced_eos_token_id: 'forcedEosId',
  max_new_tokens: 'maxNewTokens',
  min_new_tokens: 'minNewTokens',
};

/** Keys that do not change which tokens come: the model has them itself, or they say what is returned and how. */
const neutral = new Set([
  '_from_model_config',
  'transformers_version',
  'bos_token_id',
  'pad_token_id',
  'decoder_start_token_id',
  'renormalize_logits', // softmax after the processors changes no order
  'use_cache',
  'output_attentions',
  'output_hidden_states',
  'output_scores',
  'output_logits',
  'return_dict_in_generate',
]);

/**
 * How a model generates when nothing else is said, from its `generation_config.json`. Options of all modes are among
 * them: `forMode` leaves those of one.
 *
 * @throws QkvError `config` for a key that would change the result and is not supported.
 */
export function generationDefaults(model: Model, json: JsonObject = {}): GenerateOptions {
  const defaults: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(json)) {
    const name = plain[key];
    if (name !== undefined) {
      // As Python has it, null is "not set", and 0 switches these two off.
      const isOff = value === null || (value === 0 && (key === 'top_k' || key === 'no_repeat_ngram_size'));
      if (!isOff) defaults[name] = value;
    } else if (key === 'eos_token_id') {
      defaults['eosId'] = onlyId(key, value);
    } else if (key === 'max_length' && typeof value === 'number') {
      // Counted from the start token on; of a decoder-only model it would count the prompt, which is not known here.
      if (model.kind === 'encoder-decoder')
        defaults['maxNewTokens'] ??= Math.max(1, Math.min(value - 1, model.maxLength));
    } else if (!neutral.has(key) && value !== null && value !== false) {
      throw new QkvError('config', {
        where: `generation_config.json: ${key}`,
        got: JSON.stringify(value),
        expected: `only ${[...Object.keys(plain), 'eos_token_id', 'max_length'].join(', ')}`,
        hint: 'Remove the key to generate without it',
      });
    }
  }
  return defaults as Defaults;
}

function onlyId(key: string, value: unknown): number | null {
  const ids = Array.isArray(value) ? value : [value];
  if (ids.length === 1 && (ids[0] === null || Number.isInteger(ids[0]))) return ids[0] as number | null;
  throw new QkvError('config', {
    where: `generation_config.json: ${key}`,
    got: JSON.stringify(value),
    expected: 'one token',
  });
}

const samplingOnly = ['temperature', 'topK', 'topP', 'seed'] as const;
const beamOnly = ['lengthPenalty', 'earlyStopping'] as const;

/** The options without those that do nothing in the mode that `sample` and `numBeams` choose. */
export function forMode(options: GenerateOptions): GenerateOptions {
  const kept: Defaults = { ...options };
  const isBeam = (kept.numBeams ?? 1) > 1;
  if (!kept.sample) for (const name of samplingOnly) delete kept[name];
  if (!isBeam || kept.sample) for (const name of beamOnly) delete kept[name];
  if (!isBeam && !kept.sample) delete kept.numReturn;
  return kept;
}
