import { deriveSeed } from '../base/random.ts';
import { int32 } from '../base/tensor.ts';
import { countLabels } from '../models/encoderHead.ts';
import type { EncoderModel } from '../models/model.ts';
import { parseModel } from '../models/registry.ts';
import type { ParameterArena } from '../nn/parameterArena.ts';
import { type MaskedLmOptions, maskedLm } from '../objectives/maskedLm.ts';
import type { Tensors } from '../runtime/runtime.ts';
import type { Distillation } from '../train/distillationTerms.ts';
import { gatherTargets, lossScales, traceLoss } from '../train/objectives.ts';
import type { ExperimentContext } from './experiment.ts';
import { measure } from './measure.ts';
import { halfPoems, type Poem, type Poems, special, specialIds } from './poems.ts';
import { train } from './training.ts';

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
): (step: number) => MaskedBatch {
  return (step) => maskedBatch(halfPoems(poems, count, seed, 'train', step), options, seed, 'train', step);
}

export interface HalvesTraining {
  readonly poems: readonly Poem[];
  readonly masking: MaskedLmOptions;
  /** Of the weights, of the order of poems and of the places that are masked. */
  readonly seed: number;
  readonly steps: number;
  readonly batch: number;
  /** Highest learning rate: it rises over a tenth of the steps, and falls to 0. */
  readonly peak: number;
  /** Learnt from as well as from the labels. */
  readonly teacher?: { readonly distillation: Distillation; readonly parameters: Tensors };
}

/** Trains on half poems, which are drawn and masked anew in every step; gives the loss's graph beside the trained weights. */
export async function trainOnHalves(
  context: ExperimentContext,
  model: EncoderModel,
  { poems, masking, seed, steps, batch, peak, teacher }: HalvesTraining,
): Promise<ReturnType<typeof traceLoss> & { readonly arena: ParameterArena }> {
  const distillation = teacher?.distillation;
  const batchAt = maskedHalves(poems, batch, masking, seed);
  const traced = traceLoss(model, { ...lossOptions, training: true, ...(distillation && { distillation }) });
  const { arena } = await train(context, {
    loss: traced.graph,
    declarations: traced.declarations,
    seed,
    steps,
    schedule: { name: 'linear', peak, warmup: Math.ceil(steps / 10), final: 0 },
    batchAt: (step) => {
      const made = batchAt(step);
      return { ...made, ...(distillation && { scales: lossScales(model, [made.inputs], distillation) }) };
    },
    bindings: halvesSizes(batch),
    ...(teacher && { constants: teacher.parameters }),
  });
  return { ...traced, arena };
}

const lossOptions = { smoothing: 0, padded: false, targetsOnly: true } as const;

/** Sizes of a batch of half poems. */
export function halvesSizes(batch: number): Readonly<Record<'B' | 'T' | 'M', number>> {
  return { B: batch, T: HALF_POEM, M: 3 };
}

/** Mean −ln p of the characters that are asked for in `count` held-out half poems: the same places whatever `masking` puts there. */
export async function heldLoss(
  context: ExperimentContext,
  model: EncoderModel,
  arena: ParameterArena,
  poems: Poems,
  count: number,
  masking: MaskedLmOptions,
): Promise<number> {
  const { inputs, targets } = maskedBatch(halfPoems(poems.held, count, 0, 'held', 0), masking, 0, 'held', 0);
  const { graph } = traceLoss(model, { ...lossOptions, training: false });
  const scale = { lossScale: { dtype: 'float32', shape: [], data: Float32Array.of(1 / targets) } } as const;
  const { loss } = await measure(context, graph, ['loss'], { ...arena.tensors, ...inputs, ...scale });
  return loss!.data[0]!;
}
