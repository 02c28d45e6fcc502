import { deriveSeed } from '../base/random.ts';
import { int32 } from '../base/tensor.ts';
import { countLabels } from '../models/encoderHead.ts';
import type { EncoderModel } from '../models/model.ts';
import { parseModel } from '../models/registry.ts';
import type { ParameterArena } from '../nn/parameterArena.ts';
import { type MaskedLmOptions, maskedLm } from '../objectives/maskedLm.ts';
import type { Tensors } from '../runtime/runtime.ts';
import { gatherTargets, traceLoss } from '../train/objectives.ts';
import type { ExperimentContext } from './experiment.ts';
import { measure } from './measure.ts';
import { halfPoems, type Poem, special, specialIds } from './poems.ts';

/** Characters that have an id; the poems have five times as many, most of them rare. */
export const CHARACTERS = 1000;
/** Tokens of two couplets with [CLS] and [SEP]. */
export const HALF_POEM = 22;

export interface EncoderSize {
  readonly family: 'bert' | 'albert';
  readonly head: 'ForMaskedLM' | 'ForPreTraining';
  readonly vocabSize: number;
  readonly width: number;
  readonly layers: number;
  /** Of ALBERT: sets of weights that the layers share. */
  readonly groups?: number;
  readonly maxLength: number;
}

/** An encoder without dropout. */
export function smallEncoder({ family, head, vocabSize, width, layers, groups, maxLength }: EncoderSize): EncoderModel {
  return parseModel({
    model_type: family,
    architectures: [`${family === 'bert' ? 'Bert' : 'Albert'}${head}`],
    vocab_size: vocabSize,
    hidden_size: width,
    num_hidden_layers: layers,
    num_attention_heads: width / 16,
    intermediate_size: 4 * width,
    max_position_embeddings: maxLength,
    hidden_dropout_prob: 0,
    attention_probs_dropout_prob: 0,
    initializer_range: 0.5 * width ** -0.5,
    pad_token_id: special.pad,
    ...(family === 'albert' && {
      embedding_size: width,
      num_hidden_groups: groups,
      bos_token_id: null,
      eos_token_id: null,
    }),
  }) as EncoderModel;
}

/** BERT's masking of these tokens, unless told otherwise. */
export function maskingOf(
  vocabSize: number,
  shares: Pick<MaskedLmOptions, 'maskShare' | 'randomShare'> = {},
): MaskedLmOptions {
  return { vocabSize, maskId: special.mask, specialIds, rate: 0.15, ...shares };
}

export interface MaskedBatch {
  readonly inputs: Tensors;
  readonly targets: number;
}

/** Sequences of one length with their masks drawn. */
export function maskedBatch(
  sequences: readonly Int32Array[],
  options: MaskedLmOptions,
  seed: number,
  site: string,
  step: number,
): MaskedBatch {
  const masked = sequences.map((ids, row) => maskedLm(ids, options, deriveSeed(seed, `${site} mask`, step, row)));
  const shape = [sequences.length, sequences[0]!.length];
  const flat = (arrays: readonly Int32Array[]): Int32Array => Int32Array.from(arrays.flatMap((array) => [...array]));
  const labels = int32(shape, flat(masked.map((one) => one.labels)));
  return {
    inputs: { inputIds: int32(shape, flat(masked.map((one) => one.inputs))), ...gatherTargets(labels) },
    targets: countLabels(labels),
  };
}

/** Masked half poems of the training part by step. */
export function maskedHalves(
  poems: readonly Poem[],
  count: number,
  options: MaskedLmOptions,
  seed: number,
  site = 'train',
): (step: number) => MaskedBatch {
  return (step) => maskedBatch(halfPoems(poems, count, seed, site, step), options, seed, site, step);
}

/** Mean −ln p of the labels of a batch. */
export async function maskedLoss(
  context: ExperimentContext,
  model: EncoderModel,
  arena: ParameterArena,
  { inputs, targets }: MaskedBatch,
): Promise<number> {
  const { graph } = traceLoss(model, { training: false, smoothing: 0, padded: false, targetsOnly: true });
  const scale = { lossScale: { dtype: 'float32', shape: [], data: Float32Array.of(1 / targets) } } as const;
  const { loss } = await measure(context, graph, ['loss'], { ...arena.tensors, ...inputs, ...scale });
  return loss!.data[0]!;
}
