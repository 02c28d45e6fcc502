import { QkvError } from '../base/errors.ts';
import type { GenerativeModel } from '../models/model.ts';

/** What stops a generation before its time; an `AbortSignal` is one. */
export interface Cancellation {
  throwIfAborted(): void;
}

/**
 * How to generate. By default the most probable token is taken at each step (greedy); `sample` draws it at random, and
 * `numBeams` from 2 on searches. Names and meanings are those of Hugging Face's `GenerationConfig`.
 */
export interface GenerateOptions {
  /** At most so many tokens, the end token among them. By default as many as the model has positions for. */
  readonly maxNewTokens?: number;
  /** The end token may come only after so many others. */
  readonly minNewTokens?: number;
  /** The end token, or several of which each ends a text, where they are not the model's; null: there is none. */
  readonly eosId?: number | readonly number[] | null;
  /** Above 1, tokens that are in the prompt or the result so far lose score. */
  readonly repetitionPenalty?: number;
  /** No sequence of so many tokens comes twice. */
  readonly noRepeatNgramSize?: number;
  /** Sequences of tokens that must not come. */
  readonly badWordsIds?: readonly (readonly number[])[];
  /** The first token, of encoder-decoder models. */
  readonly forcedBosId?: number;
  /** The token that comes last where `maxNewTokens` is reached. */
  readonly forcedEosId?: number;

  /** Draw tokens at random from the model's distribution. */
  readonly sample?: boolean;
  /** With `sample`: scores are divided by it. */
  readonly temperature?: number;
  /** With `sample`: only so many of the best tokens. */
  readonly topK?: number;
  /** With `sample`: only the best tokens whose probabilities add up to it. */
  readonly topP?: number;
  /** With `sample`: the same seed gives the same result; 0 by default. */
  readonly seed?: number;

  /** Beams of a beam search. */
  readonly numBeams?: number;
  /** With beams: the sum of log-probabilities is divided by length^lengthPenalty; 1 by default. */
  readonly lengthPenalty?: number;
  /**
   * With beams, when the search for an input ends. `false` (default): when the best open beam, as long as it is now, scores
   * less than the worst of `numBeams` finished ones. `never`: when it would at any length. `true`: as soon as there are
   * `numBeams` finished ones.
   */
  readonly earlyStopping?: boolean | 'never';

  /** Results for each input: of the beams or of independent samples. */
  readonly numReturn?: number;
  readonly signal?: Cancellation;
}

/** Options with every default in place, checked against the model and the inputs. */
export interface ResolvedOptions {
  readonly mode: 'greedy' | 'sample' | 'beam';
  readonly maxNewTokens: number;
  readonly minNewTokens: number;
  readonly eosIds: readonly number[];
  readonly repetitionPenalty: number;
  readonly noRepeatNgramSize: number;
  readonly badWordsIds: readonly (readonly number[])[];
  readonly forcedBosId: number | null;
  readonly forcedEosId: number | null;
  readonly temperature: number;
  readonly topK: number | null;
  readonly topP: number;
  readonly seed: number;
  readonly numBeams: number;
  readonly lengthPenalty: number;
  readonly earlyStopping: boolean | 'never';
  readonly numReturn: number;
  readonly signal: Cancellation | null;
}

const common = [
  'maxNewTokens',
  'minNewTokens',
  'eosId',
  'repetitionPenalty',
  'noRepeatNgramSize',
  'badWordsIds',
  'forcedBosId',
  'forcedEosId',
  'sample',
  'numBeams',
  'signal',
] as const;
/** Options that only one mode knows. */
const special = {
  greedy: [],
  sample: ['temperature', 'topK', 'topP', 'seed', 'numReturn'],
  beam: ['lengthPenalty', 'earlyStopping', 'numReturn'],
} as const;

function usage(name: string, got: unknown, expected: string, hint?: string): QkvError {
  return new QkvError('usage', {
    where: name,
    got: typeof got === 'string' ? got : (JSON.stringify(got) ?? String(got)),
    expected,
    ...(hint === undefined ? {} : { hint }),
  });
}

function listOf(ids: number | readonly number[] | null): readonly number[] {
  if (typeof ids === 'number') return [ids];
  return ids ?? [];
}

/** @throws QkvError `usage` for what model or mode cannot honour. */
export function resolveOptions(
  model: GenerativeModel,
  inputs: readonly (readonly number[])[],
  options: GenerateOptions,
): ResolvedOptions {
  const { sample = false, numBeams = 1 } = options;
  const whole = (name: keyof GenerateOptions, value: number, min: number, max = Number.MAX_SAFE_INTEGER): number => {
    if (!Number.isSafeInteger(value) || value < min || value > max) {
      const range = max === Number.MAX_SAFE_INTEGER ? `from ${min} on` : `from ${min} to ${max}`;
      throw usage(name, value, `a whole number ${range}`);
    }
    return value;
  };
  if (typeof sample !== 'boolean') throw usage('sample', sample, 'true or false');
  whole('numBeams', numBeams, 1);
  if (sample && numBeams > 1)
    throw usage('sample', `${numBeams} beams`, 'one of the two', 'Leave out numBeams or sample');
  const mode = sample ? 'sample' : numBeams > 1 ? 'beam' : 'greedy';
  checkNames(mode, options);
  const longest = checkInputs(model, inputs);

  const token = (name: string, id: number | null | undefined): number | null => {
    if (id === undefined || id === null) return null;
    if (!Number.isInteger(id) || id < 0 || id >= model.vocabSize) throw usage(name, id, idRange(model.vocabSize));
    return id;
  };
  // the last token generated is not read, so it needs no position
  const room = model.kind === 'causal' ? model.maxLength + 1 - longest : model.maxLength;
  const maxNewTokens = whole('maxNewTokens', options.maxNewTokens ?? room, 1);
  if (maxNewTokens > room) {
    throw usage(
      'maxNewTokens',
      maxNewTokens,
      `at most ${room}`,
      `The model has ${model.maxLength} positions${model.kind === 'causal' ? `, the longest prompt ${longest} tokens` : ''}`,
    );
  }
  const eosIds = options.eosId === undefined ? model.eosIds : listOf(options.eosId);
  for (const id of eosIds) token('eosId', id);
  const minNewTokens = whole('minNewTokens', options.minNewTokens ?? 0, 0, maxNewTokens);
  if (minNewTokens > 0 && eosIds.length === 0)
    throw usage('minNewTokens', minNewTokens, 'an end token to hold back', 'Give eosId');
  const forcedBosId = token('forcedBosId', options.forcedBosId);
  if (forcedBosId !== null && model.kind === 'causal') {
    throw usage('forcedBosId', forcedBosId, 'an encoder-decoder model', 'Put the token at the end of the prompt');
  }
  const badWordsIds = options.badWordsIds ?? [];
  for (const word of badWordsIds) {
    if (!Array.isArray(word) || word.length === 0) throw usage('badWordsIds', word, 'lists of one token or more');
    for (const id of word) token('badWordsIds', id);
    if (word.length === 1 && eosIds.includes(word[0]!)) {
      throw usage('badWordsIds', word, 'no end token', 'minNewTokens holds it back; eosId: null generates without one');
    }
  }
  const positive = (name: keyof GenerateOptions, value: number): number => {
    if (typeof value !== 'number' || !(value > 0) || !Number.isFinite(value))
      throw usage(name, value, 'a positive number');
    return value;
  };
  const { topP = 1, lengthPenalty = 1, earlyStopping = false } = options;
  if (typeof topP !== 'number' || !(topP > 0 && topP <= 1)) throw usage('topP', topP, 'a probability above 0');
  if (!Number.isFinite(lengthPenalty)) throw usage('lengthPenalty', lengthPenalty, 'a finite number');
  if (typeof earlyStopping !== 'boolean' && earlyStopping !== 'never') {
    throw usage('earlyStopping', earlyStopping, 'true, false or never');
  }
  return {
    mode,
    maxNewTokens,
    minNewTokens,
    eosIds,
    repetitionPenalty: positive('repetitionPenalty', options.repetitionPenalty ?? 1),
    noRepeatNgramSize:
      options.noRepeatNgramSize === undefined ? 0 : whole('noRepeatNgramSize', options.noRepeatNgramSize, 1),
    badWordsIds,
    forcedBosId,
    forcedEosId: token('forcedEosId', options.forcedEosId),
    temperature: positive('temperature', options.temperature ?? 1),
    topK: options.topK === undefined ? null : whole('topK', options.topK, 1),
    topP,
    seed: whole('seed', options.seed ?? 0, 0),
    numBeams,
    lengthPenalty,
    earlyStopping,
    numReturn: whole('numReturn', options.numReturn ?? 1, 1, mode === 'beam' ? numBeams : undefined),
    signal: options.signal ?? null,
  };
}

function checkNames(mode: keyof typeof special, options: GenerateOptions): void {
  const allowed: readonly string[] = [...common, ...special[mode]];
  for (const [name, value] of Object.entries(options)) {
    if (allowed.includes(name) || value === undefined) continue;
    const owner = (['sample', 'beam'] as const).find((other) => (special[other] as readonly string[]).includes(name));
    if (!owner)
      throw usage(name, 'an unknown option', `one of ${[...common, ...special.sample, ...special.beam].join(', ')}`);
    const way =
      name === 'numReturn'
        ? 'sample: true or numBeams from 2 on'
        : owner === 'sample'
          ? 'sample: true'
          : 'numBeams from 2 on';
    throw usage(name, `${JSON.stringify(value)} in ${mode} mode, where it does nothing`, way);
  }
}

function idRange(size: number): string {
  return `a token from 0 to ${size - 1}`;
}

/** Checks the inputs' ids and lengths, and gives the greatest length. */
function checkInputs(model: GenerativeModel, inputs: readonly (readonly number[])[]): number {
  if (inputs.length === 0) throw usage('inputs', 'none', 'one or more');
  const size = model.kind === 'causal' ? model.vocabSize : model.sourceVocabSize;
  let longest = 0;
  inputs.forEach((ids, i) => {
    const where = `inputs[${i}]`;
    if (ids.length === 0) {
      const bos = model.kind === 'causal' && model.bosId !== null ? `Begin with the token ${model.bosId}` : undefined;
      throw usage(where, 'no tokens', 'one or more', bos);
    }
    if (ids.length > model.maxLength)
      throw usage(where, `${ids.length} tokens`, `at most ${model.maxLength}, the model's positions`);
    const wrong = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= size);
    if (wrong !== undefined) throw usage(where, wrong, idRange(size));
    longest = Math.max(longest, ids.length);
  });
  return longest;
}
