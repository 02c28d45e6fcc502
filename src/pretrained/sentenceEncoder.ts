import { brief } from '../base/brief.ts';
import { QkvError } from '../base/errors.ts';
import { float32, type HostTensor } from '../base/tensor.ts';
import { type JsonObject, openWeights, readJson, readJsonValue } from '../checkpoint/checkpoint.ts';
import type { KeyRule } from '../checkpoint/keyMap.ts';
import { loadStrict } from '../checkpoint/loadStrict.ts';
import { checkName, type Storage } from '../checkpoint/storage.ts';
import type { ActivationName } from '../nn/feedForward.ts';
import { type EmbeddingOptions, type EmbeddingStep, type Pooling, poolings } from '../predict/embedding.ts';

/** How a sentence-transformers folder makes a vector of a text. */
export interface SentenceEncoder extends EmbeddingOptions {
  /** Tokens of a text at most, special ones included; undefined where nothing is said. */
  readonly maxLength: number | undefined;
  readonly lowercases: boolean;
  /** What is put before a text, by what the text is for. */
  readonly prompts: Readonly<Record<string, string>>;
  readonly defaultPrompt: string | undefined;
  /** Whether tokens of a prompt are pooled. */
  readonly poolsPrompt: boolean;
  /** Of its dense layers, for the session beside the model's own. */
  readonly parameters: Readonly<Record<string, HostTensor>>;
}

/** What a folder without `modules.json` is taken for. */
export const meanOfTokens: SentenceEncoder = {
  pooling: ['mean'],
  steps: [],
  maxLength: undefined,
  lowercases: false,
  prompts: {},
  defaultPrompt: undefined,
  poolsPrompt: true,
  parameters: {},
};

/** The booleans of older pooling configurations, in the order in which their vectors stand side by side. */
const poolingFlags: Readonly<Record<string, string>> = {
  pooling_mode_cls_token: 'cls',
  pooling_mode_max_tokens: 'max',
  pooling_mode_mean_tokens: 'mean',
  pooling_mode_mean_sqrt_len_tokens: 'mean_sqrt_len_tokens',
  pooling_mode_weightedmean_tokens: 'weightedmean',
  pooling_mode_lasttoken: 'lasttoken',
};

const denseActivations: Readonly<Record<string, ActivationName | null>> = {
  'torch.nn.modules.linear.Identity': null,
  'torch.nn.modules.activation.Tanh': 'tanh',
  'torch.nn.modules.activation.ReLU': 'relu',
  'torch.nn.modules.activation.GELU': 'gelu',
  'torch.nn.modules.activation.SiLU': 'silu',
};

/**
 * Reads `modules.json` of a folder and what it names: pooling, dense layers, normalisation, greatest length, prompts; undefined where there is
 * none. `within` gives the storage of a folder inside. What would change the vectors and is not known is refused by name.
 *
 * @throws QkvError `config`, `checkpoint` or `io`
 */
export async function openSentenceEncoder(
  storage: Storage,
  within: (folder: string) => Storage,
): Promise<SentenceEncoder | undefined> {
  const names = await storage.list();
  if (!names.includes('modules.json')) return undefined;
  const [first, second, ...others] = await readModules(storage);
  if (first?.kind !== 'Transformer' || first.path !== '') {
    throw wrong('modules.json', first && `${first.kind} in ${brief(first.path)}`, 'first a Transformer in ""');
  }
  if (second?.kind !== 'Pooling') throw wrong('modules.json', second?.kind, 'a Pooling after the Transformer');
  const optional = async (name: string): Promise<JsonObject> => (names.includes(name) ? readJson(storage, name) : {});
  const transformer = await optional('sentence_bert_config.json');
  const task = transformer['transformer_task'] ?? 'feature-extraction';
  if (task !== 'feature-extraction')
    throw wrong('sentence_bert_config.json: transformer_task', task, 'feature-extraction');
  const { pooling, poolsPrompt } = await readPooling(within(second.path), second.path);
  const steps: EmbeddingStep[] = [];
  const parameters: Record<string, HostTensor> = {};
  for (const { kind, path } of others) {
    if (kind === 'Dropout') continue; // acts in training alone
    if (kind === 'Normalize') steps.push(await readNormalize(within(path), path));
    else if (kind === 'Dense') {
      const dense = await readDense(within(path), path);
      steps.push(dense.step);
      Object.assign(parameters, dense.parameters);
    } else throw wrong('modules.json', kind, 'Transformer, Pooling, Dense, Normalize or Dropout');
  }
  const limit =
    transformer['max_seq_length'] ?? (await optional('tokenizer_config.json'))['model_max_length'] ?? undefined;
  if (limit !== undefined && !(typeof limit === 'number' && limit >= 1)) {
    throw wrong('sentence_bert_config.json: max_seq_length', limit, 'a number from 1 on');
  }
  const settings = await optional('config_sentence_transformers.json');
  return {
    pooling,
    steps,
    parameters,
    poolsPrompt,
    maxLength: limit,
    lowercases: transformer['do_lower_case'] === true,
    ...readPrompts(settings),
  };
}

function readPrompts(settings: JsonObject): Pick<SentenceEncoder, 'prompts' | 'defaultPrompt'> {
  const where = (field: string): string => `config_sentence_transformers.json: ${field}`;
  const prompts = settings['prompts'] ?? {};
  if (typeof prompts !== 'object' || Object.values(prompts).some((prompt) => typeof prompt !== 'string')) {
    throw wrong(where('prompts'), prompts, 'texts by name');
  }
  const name = settings['default_prompt_name'] ?? undefined;
  if (name !== undefined && !(typeof name === 'string' && Object.hasOwn(prompts, name))) {
    throw wrong(where('default_prompt_name'), name, 'the name of one of the prompts');
  }
  return { prompts: prompts as Record<string, string>, defaultPrompt: name };
}

async function readModules(storage: Storage): Promise<{ readonly kind: string; readonly path: string }[]> {
  const modules = await readJsonValue(storage, 'modules.json');
  if (!Array.isArray(modules)) throw wrong('modules.json', modules, 'a list of modules');
  return modules.map((module: JsonObject | null) => {
    const { type, path } = module ?? {};
    if (typeof type !== 'string' || !type.startsWith('sentence_transformers.')) {
      throw wrong('modules.json: type', type, 'a class of sentence_transformers');
    }
    if (typeof path !== 'string') throw wrong('modules.json: path', path, 'the name of a folder');
    if (path !== '') checkName(path);
    return { kind: type.slice(type.lastIndexOf('.') + 1), path };
  });
}

async function readPooling(
  storage: Storage,
  path: string,
): Promise<{ readonly pooling: readonly Pooling[]; readonly poolsPrompt: boolean }> {
  const config = await readJson(storage, 'config.json');
  const where = `${path}/config.json: pooling_mode`;
  const flags = Object.keys(poolingFlags).filter((name) => config[name] === true);
  const given = config['pooling_mode'] ?? (flags.length > 0 ? flags.map((name) => poolingFlags[name]) : 'mean');
  const pooling = [given].flat().map((name) => {
    const found = poolings.find((one) => one === name);
    if (found === undefined) throw wrong(where, name, `${poolings.join(', ')}, one or several`);
    return found;
  });
  return { pooling, poolsPrompt: config['include_prompt'] !== false };
}

async function readNormalize(storage: Storage, path: string): Promise<EmbeddingStep> {
  // older folders have none: git keeps no empty ones
  const config = await readJson(storage, 'config.json').catch(() => ({}));
  onSentences(config, path);
  return { kind: 'normalize' };
}

async function readDense(
  storage: Storage,
  path: string,
): Promise<{ readonly step: EmbeddingStep; readonly parameters: Readonly<Record<string, HostTensor>> }> {
  const config = await readJson(storage, 'config.json');
  onSentences(config, path);
  const where = (field: string): string => `${path}/config.json: ${field}`;
  if (config['use_residual']) throw wrong(where('use_residual'), config['use_residual'], 'false');
  const sizes = ['in_features', 'out_features'].map((field) => {
    const size = config[field];
    if (Number.isSafeInteger(size) && (size as number) > 0) return size as number;
    throw wrong(where(field), size, 'a whole number from 1 on');
  });
  const [from, to] = sizes as [number, number];
  const bias = config['bias'] !== false;
  const name = config['activation_function'] ?? 'torch.nn.modules.activation.Tanh';
  if (typeof name !== 'string' || !Object.hasOwn(denseActivations, name)) {
    throw wrong(where('activation_function'), name, `one of ${Object.keys(denseActivations).join(', ')}`);
  }
  const declared = [
    { path: `${path}.weight`, shape: [from, to] },
    ...(bias ? [{ path: `${path}.bias`, shape: [to] }] : []),
  ];
  const rules: KeyRule[] = [{ key: 'linear.weight', path: `${path}.weight`, move: 'transpose' }];
  if (bias) rules.push({ key: 'linear.bias', path: `${path}.bias` });
  const { data } = await loadStrict({ rules }, await openWeights(storage, await storage.list()), declared);
  return {
    step: { kind: 'dense', name: path, from, to, bias, activation: denseActivations[name]! },
    parameters: Object.fromEntries(declared.map((one) => [one.path, float32(one.shape, data.get(one.path)!)])),
  };
}

function onSentences(config: JsonObject, path: string): void {
  for (const field of ['module_input_name', 'module_output_name']) {
    const name = config[field] ?? 'sentence_embedding';
    if (name !== 'sentence_embedding') throw wrong(`${path}/config.json: ${field}`, name, 'sentence_embedding');
  }
}

function wrong(where: string, got: unknown, expected: string): QkvError {
  return new QkvError('config', { where, got: brief(got), expected });
}
