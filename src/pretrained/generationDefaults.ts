import { brief } from '../base/brief.ts';
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

/** Further keys at the one value, their default, at which they change nothing. */
const switchedOff: JsonObject = {
  diversity_penalty: 0,
  encoder_no_repeat_ngram_size: 0,
  encoder_repetition_penalty: 1,
  epsilon_cutoff: 0,
  eta_cutoff: 0,
  num_beam_groups: 1,
  num_return_sequences: 1,
  typical_p: 1,
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
 * How a model generates when nothing else is said: from its `generation_config.json` or, where there is none, from what
 * older models have of it in their `config.json`. Options of all modes are among them: `forMode` leaves those of one.
 *
 * @throws QkvError `config` for a key that would change the result and is not supported.
 */
export function generationDefaults(model: Model, generationConfig?: JsonObject): GenerateOptions {
  const defaults: Record<string, unknown> = {};
  const json = generationConfig ?? ofModelConfig(model.config);
  for (const [key, value] of Object.entries(json)) {
    const name = plain[key];
    if (name !== undefined) {
      // As Python has it, null is "not set", and 0 switches these two off.
      const isOff = value === null || (value === 0 && (key === 'top_k' || key === 'no_repeat_ngram_size'));
      if (!isOff) defaults[name] = value;
    } else if (key === 'eos_token_id') {
      defaults['eosId'] = endTokens(key, value);
    } else if (key === 'max_length' && typeof value === 'number') {
      // Counted from the start token on; of a decoder-only model it would count the prompt, which is not known here.
      if (model.kind === 'encoder-decoder')
        defaults['maxNewTokens'] ??= Math.max(1, Math.min(value - 1, model.maxLength));
    } else if (key === 'min_length' && typeof value === 'number' && (value === 0 || model.kind === 'encoder-decoder')) {
      if (value > 1) defaults['minNewTokens'] ??= value - 1;
    } else if (!neutral.has(key) && value !== null && value !== false && value !== switchedOff[key]) {
      throw new QkvError('config', {
        where: `generation_config.json: ${key}`,
        got: brief(value),
        expected: `only ${[...Object.keys(plain), 'eos_token_id', 'max_length', 'min_length'].join(', ')}`,
        hint: 'Remove the key to generate without it',
      });
    }
  }
  return defaults as Defaults;
}

/** The keys of a `config.json` that are about generation. */
function ofModelConfig(config: JsonObject): JsonObject {
  const names = [...Object.keys(plain), 'max_length', 'min_length'];
  return Object.fromEntries(Object.entries(config).filter(([key]) => names.includes(key)));
}

function endTokens(key: string, value: unknown): number | readonly number[] | null {
  if (value === null || Number.isInteger(value)) return value as number | null;
  if (Array.isArray(value) && value.every(Number.isInteger)) return value;
  throw new QkvError('config', {
    where: `generation_config.json: ${key}`,
    got: brief(value),
    expected: 'a token id, or a list of them',
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
