import { readFileSync } from 'node:fs';
import { deriveSeed, RandomStream } from '../src/base/random.ts';
import { type HostTensor, int32 } from '../src/base/tensor.ts';
import { parseModel } from '../src/models/registry.ts';
import { ParameterArena } from '../src/nn/parameterArena.ts';
import type { Runtime, Tensors } from '../src/runtime/runtime.ts';
import { type TracedLoss, traceLoss } from '../src/train/objectives.ts';
import type { OptimizerConfig } from '../src/train/optimizer.ts';
import { TrainStep } from '../src/train/trainStep.ts';

/** A training workload, with the same shapes, optimizer and options as its counterpart in PyTorch. */
export interface Workload {
  readonly trace: () => TracedLoss;
  readonly optimizer: OptimizerConfig;
  readonly learningRate: number;
  readonly clipNorm: number | null;
  readonly dropout: boolean;
  readonly bindings: Readonly<Record<string, number>>;
  /** Engine threads side by side. A second one needs a second gradient, too much for a large model. */
  readonly lanes: number;
  /** Tokens of one step that count for the speed. */
  readonly tokens: number;
  /** Steps in one timed repetition, and repetitions. */
  readonly steps: number;
  readonly repetitions: number;
  readonly batch: () => { readonly inputs: Tensors; readonly targetTokens: number };
}

const stream = new RandomStream(deriveSeed(1, 'bench'));

function randomIds(shape: readonly [number, number], low: number, high: number): HostTensor {
  return int32(
    shape,
    Int32Array.from({ length: shape[0] * shape[1] }, () => low + stream.below(high - low)),
  );
}

function nanoGpt(
  width: number,
  layers: number,
  heads: number,
  block: number,
  batch: number,
  steps: number,
  repetitions: number,
): Workload {
  const text = readFileSync(new URL('../data/tinyshakespeare/input.txt', import.meta.url), 'utf8');
  const characters = [...new Set(text)].sort();
  const ids = new Map(characters.map((c, i) => [c, i]));
  const all = Int32Array.from(text, (c) => ids.get(c)!);
  const train = all.subarray(0, Math.floor(0.9 * all.length));
  return {
    trace: () =>
      traceLoss(
        parseModel({
          model_type: 'gpt2',
          vocab_size: characters.length,
          n_positions: block,
          n_embd: width,
          n_layer: layers,
          n_head: heads,
          bias: false,
          activation_function: 'gelu',
          embd_pdrop: 0,
          attn_pdrop: 0,
          resid_pdrop: 0,
          bos_token_id: null,
          eos_token_id: null,
        }),
        { training: false, smoothing: 0, padded: false },
      ),
    optimizer: { name: 'adamw', beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.1 },
    learningRate: 1e-3,
    clipNorm: 1,
    dropout: false,
    bindings: { B: batch, T: block },
    lanes: 2,
    tokens: batch * block,
    steps,
    repetitions,
    batch: () => {
      const inputIds = new Int32Array(batch * block);
      const labels = new Int32Array(batch * block);
      for (let row = 0; row < batch; row++) {
        const start = stream.below(train.length - block);
        inputIds.set(train.subarray(start, start + block), row * block);
        labels.set(train.subarray(start + 1, start + block + 1), row * block);
      }
      return {
        inputs: { inputIds: int32([batch, block], inputIds), labels: int32([batch, block], labels) },
        targetTokens: batch * block,
      };
    },
  };
}

function marian(): Workload {
  const [vocab, batch, source, target] = [8000, 64, 24, 24];
  const start = int32([batch, 1], new Int32Array(batch).fill(vocab - 1)).data;
  const inputIds = randomIds([batch, source], 3, vocab - 1);
  const labels = randomIds([batch, target], 3, vocab - 1);
  const decoderInputIds = int32(
    [batch, target],
    labels.data.map((_, i) => (i % target === 0 ? start[0]! : labels.data[i - 1]!)) as Int32Array,
  );
  return {
    trace: () =>
      traceLoss(
        parseModel({
          model_type: 'marian',
          vocab_size: vocab,
          d_model: 256,
          encoder_layers: 3,
          decoder_layers: 3,
          encoder_attention_heads: 8,
          decoder_attention_heads: 8,
          encoder_ffn_dim: 1024,
          decoder_ffn_dim: 1024,
          max_position_embeddings: 128,
          pad_token_id: vocab - 1,
          eos_token_id: 0,
          decoder_start_token_id: vocab - 1,
          activation_function: 'relu',
          scale_embedding: true,
          share_encoder_decoder_embeddings: true,
          dropout: 0.1,
        }),
        { training: true, smoothing: 0.1, padded: false },
      ),
    optimizer: { name: 'adamw', beta1: 0.9, beta2: 0.98, eps: 1e-8, weightDecay: 0.01 },
    learningRate: 3e-4,
    clipNorm: 1,
    dropout: true,
    bindings: { B: batch, S: source, T: target },
    lanes: 2,
    tokens: batch * (source + target),
    steps: 3,
    repetitions: 7,
    batch: () => ({ inputs: { inputIds, decoderInputIds, labels }, targetTokens: batch * target }),
  };
}

/** BERT-base, masked words: 15% of 128 positions, rounded up, are predicted in each sequence, and only their logits computed. */
function maskedLm(): Workload {
  const [batch, length, predicted] = [8, 128, 20];
  const positions = Int32Array.from({ length: batch * predicted }, (_, i) =>
    Math.floor(((i % predicted) * length) / predicted),
  );
  return {
    trace: () =>
      traceLoss(parseModel({ model_type: 'bert', architectures: ['BertForMaskedLM'] }), {
        training: true,
        smoothing: 0,
        padded: false,
        targetsOnly: true,
      }),
    optimizer: { name: 'adamw', beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.01 },
    learningRate: 1e-4,
    clipNorm: null,
    dropout: true,
    bindings: { B: batch, T: length, M: predicted },
    lanes: 1,
    tokens: batch * length,
    steps: 1,
    repetitions: 5,
    batch: () => ({
      inputs: {
        inputIds: randomIds([batch, length], 1000, 30522),
        targetPositions: int32([batch, predicted], positions),
        labels: randomIds([batch, predicted], 1000, 30522),
      },
      targetTokens: batch * predicted,
    }),
  };
}

export const workloads: Readonly<Record<string, () => Workload>> = {
  T1: () => nanoGpt(128, 4, 4, 64, 12, 100, 7),
  T2: () => nanoGpt(384, 6, 6, 256, 16, 2, 5),
  T3: maskedLm,
  T4: marian,
};

/** A step of the workload, ready to be repeated. */
export async function prepare(runtime: Runtime, workload: Workload): Promise<() => Promise<number>> {
  const { graph, declarations } = workload.trace();
  const arena = new ParameterArena(declarations);
  arena.initialise(1);
  const { optimizer, bindings } = workload;
  const step = await TrainStep.create(runtime, graph, arena, { optimizer, clipNorm: workload.clipNorm, bindings });
  return async () => {
    const { inputs, targetTokens } = workload.batch();
    const seeds = workload.dropout ? { dropoutSeeds: [deriveSeed(1, 'dropout', step.step)] } : {};
    return (await step.run({ micros: [inputs], targetTokens, learningRate: workload.learningRate, ...seeds })).loss;
  };
}
