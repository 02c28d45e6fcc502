import { join } from 'node:path';
import { deriveSeed, normal, uniform01 } from '../../src/base/random.ts';
import { type HostTensor, int32, scalar } from '../../src/base/tensor.ts';
import { nodeStorage } from '../../src/checkpoint/storage.node.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { declarationsOf } from '../../src/models/declarations.ts';
import type { Model } from '../../src/models/model.ts';
import { parseModel } from '../../src/models/registry.ts';
import { ParameterArena } from '../../src/nn/parameterArena.ts';
import { loadPretrained } from '../../src/pretrained/pretrained.ts';
import type { Program, Runtime, Tensors } from '../../src/runtime/runtime.ts';
import { lossAndGradients } from '../../src/train/gradientGraph.ts';
import { traceLoss } from '../../src/train/objectives.ts';

export interface TestModel {
  readonly name: string;
  readonly model: Model;
  readonly arena: ParameterArena;
}

const transformer = {
  model_type: 'transformer',
  source_vocab_size: 40,
  target_vocab_size: 50,
  d_model: 24,
  num_heads: 3,
  num_encoder_layers: 1,
  num_decoder_layers: 2,
  d_ff: 32,
  max_position_embeddings: 32,
  pad_token_id: 0,
  bos_token_id: 1,
  eos_token_id: 2,
};
const marian = {
  model_type: 'marian',
  vocab_size: 40,
  decoder_vocab_size: 50,
  d_model: 24,
  encoder_layers: 2,
  decoder_layers: 1,
  encoder_attention_heads: 2,
  decoder_attention_heads: 3,
  encoder_ffn_dim: 32,
  decoder_ffn_dim: 20,
  max_position_embeddings: 32,
  pad_token_id: 39,
  share_encoder_decoder_embeddings: false,
};
const gpt2 = {
  model_type: 'gpt2',
  vocab_size: 40,
  n_positions: 32,
  n_embd: 24,
  n_layer: 2,
  n_head: 3,
  bos_token_id: 0,
  eos_token_id: 0,
};
const t5 = {
  model_type: 't5',
  vocab_size: 50,
  d_model: 24,
  d_kv: 6,
  d_ff: 32,
  num_layers: 1,
  num_decoder_layers: 2,
  num_heads: 3,
};
const bart = { ...marian, model_type: 'bart', vocab_size: 50 };
const llama = {
  model_type: 'llama',
  vocab_size: 40,
  hidden_size: 24,
  intermediate_size: 32,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 32,
};
const variants: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  'transformer, pre-norm, learned positions, two tables': {
    ...transformer,
    norm_placement: 'pre',
    positions: 'learned',
    shared_embeddings: 'decoder',
    attention_bias: false,
  },
  'transformer, split positions, three tables': { ...transformer, positions: 'split', shared_embeddings: 'none' },
  'marian, two tables': { ...marian, activation_function: 'relu' },
  'marian, three tables': { ...marian, tie_word_embeddings: false },
  'gpt2, no biases': { ...gpt2, bias: false },
  'gpt2, two tables, scores scaled by layer': {
    ...gpt2,
    tie_word_embeddings: false,
    scale_attn_by_inverse_layer_idx: true,
  },
  't5, gated, two tables, few buckets': {
    ...t5,
    feed_forward_proj: 'gated-gelu',
    tie_word_embeddings: false,
    relative_attention_num_buckets: 6,
    relative_attention_max_distance: 5,
  },
  'bart, three tables, scaled': { ...bart, tie_word_embeddings: false, scale_embedding: true },
  'llama, multi-query, tied, biases, llama3': {
    ...llama,
    num_key_value_heads: 1,
    head_dim: 8,
    tie_word_embeddings: true,
    attention_bias: true,
    mlp_bias: true,
    rope_parameters: {
      rope_type: 'llama3',
      rope_theta: 1000,
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 16,
    },
  },
};

/** The models of the parity fixtures, and of each family some variants with random weights of which every one matters. */
export async function testModels(): Promise<TestModel[]> {
  const fixtures = ['transformer', 'marian', 'gpt2', 't5-v1.0', 'bart', 'llama'].map(
    async (name): Promise<TestModel> => {
      const folder = join(import.meta.dirname, '../../fixtures/parity', name);
      const { model, arena } = await loadPretrained(nodeStorage(folder));
      return { name, model, arena };
    },
  );
  const random = Object.entries(variants).map(([name, config]) => ({ name, ...randomModel(name, config) }));
  return [...(await Promise.all(fixtures)), ...random];
}

function randomModel(name: string, config: Readonly<Record<string, unknown>>): Omit<TestModel, 'name'> {
  const model = parseModel(config);
  const arena = new ParameterArena(declarationsOf(model));
  for (const { path, size, shape } of arena.placements) {
    const values = normal(deriveSeed(1, name, path), size);
    const [mean, std] = /[nN]orm\.weight$/.test(path) ? [1, 0.2] : [0, shape.length > 1 ? 0.25 : 0.1];
    (arena.tensors[path]!.data as Float32Array).set(values.map((x) => mean + std * x));
  }
  return { model, arena };
}

/** Rows of token ids: sources and targets, or texts; of unequal lengths. */
export interface Rows {
  readonly sources: readonly number[][];
  readonly targets: readonly number[][];
}

export function randomRows(model: Model, sources: readonly number[], targets: readonly number[]): Rows {
  const draw = (label: string, lengths: readonly number[], vocabulary: number): number[][] =>
    lengths.map((length, i) =>
      Array.from(uniform01(deriveSeed(2, label, i), length), (u) => 3 + Math.floor(u * (vocabulary - 4))),
    );
  const vocabulary = model.kind === 'encoder-decoder' ? model.sourceVocabSize : model.vocabSize;
  return { sources: draw('source', sources, vocabulary), targets: draw('target', targets, model.vocabSize) };
}

/** The loss's inputs for rows padded to `source` and `target` tokens; under the padding stand ids that must not count. */
export function lossInputs(model: Model, { sources, targets }: Rows, source: number, target: number): Tensors {
  const ids = (rows: readonly number[][], length: number, fill: (i: number) => number): HostTensor =>
    int32(
      [rows.length, length],
      rows.flatMap((row) => Array.from({ length }, (_, i) => row[i] ?? fill(i))),
    );
  const mask = ids(
    sources.map((row) => row.map(() => 1)),
    source,
    () => 0,
  );
  const garbage = (i: number): number => 3 + (i % 7);
  const next = (row: readonly number[]): number[] => row.slice(1);
  const feeds = { inputIds: ids(sources, source, garbage), attentionMask: mask };
  if (model.kind === 'causal') return { ...feeds, labels: ids(sources.map(next), source, () => -100) };
  const decoderInputIds = ids(targets, target, garbage);
  return { ...feeds, decoderInputIds, labels: ids(targets.map(next), target, () => -100) };
}

/** Runs a model's loss as a mean over its labels; gives it, `logits`, every gradient and the values of `names`. */
export function lossRunner(
  runtime: Runtime,
  { model, arena }: TestModel,
  names: 'none' | 'all' = 'none',
): (inputs: Tensors) => Promise<Tensors> {
  let compiled: Promise<Program> | undefined;
  return async (inputs) => {
    const program = await (compiled ??= runtime.compile(lossGraph(model, arena, names), { label: 'loss' }));
    const labels = [...inputs['labels']!.data].filter((label) => label !== -100).length;
    const given: Tensors = { ...arena.tensors, ...inputs, lossScale: scalar(1 / labels) };
    const feeds = Object.fromEntries(program.feeds.map((name) => [name, given[name]!]));
    const [found] = await runtime.run([{ program, feeds }]);
    return found!;
  };
}

function lossGraph(model: Model, arena: ParameterArena, names: 'none' | 'all'): Graph {
  const { graph } = traceLoss(model, { training: false, smoothing: 0.1, padded: true });
  const wanted = names === 'all' ? Object.fromEntries(graph.names) : { logits: graph.names.get('logits')! };
  return { outputs: { ...lossAndGradients(graph, arena).outputs, ...wanted }, names: graph.names };
}
