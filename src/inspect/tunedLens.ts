import { gradients } from '../autodiff/gradients.ts';
import { QkvError } from '../base/errors.ts';
import { float32, type HostTensor } from '../base/tensor.ts';
import { openSafetensors, readHostTensor, type StoredTensor, safetensorsChunks } from '../checkpoint/safetensors.ts';
import type { Storage } from '../checkpoint/storage.ts';
import type { Cancellation } from '../generate/options.ts';
import type { Graph } from '../graph/graph.ts';
import type { Value } from '../graph/value.ts';
import { Trace } from '../nn/scope.ts';
import { add, div, exp, mul, sub } from '../ops/elementwise.ts';
import { dimSize, input, scalarConstant } from '../ops/leaf.ts';
import { matmul } from '../ops/matmul.ts';
import { sum } from '../ops/reduce.ts';
import { reshape } from '../ops/shape.ts';
import { logSoftmax } from '../ops/softmax.ts';
import { sharedTensor } from '../runtime/sharedTensor.ts';
import { type OptimizerConfig, updateCall } from '../train/optimizer.ts';
import type { Inspection } from './inspection.ts';
import type { Pass } from './pass.ts';
import { requireCount } from './predictions.ts';
import type { Reading } from './reading.ts';
import { residualStreams } from './residualStreams.ts';
import { finish, predictingStack, residualNames, streamShape } from './stream.ts';
import { wordLogits } from './wordHead.ts';

/** A translator h + h A + b of a residual stream: A [D, D], b [D]. */
export interface Translator {
  readonly weight: HostTensor;
  readonly bias: HostTensor;
}

/** Translators by the name of the stream; that of the last layer needs none. */
export type TunedLens = ReadonlyMap<string, Translator>;

/** A tuned lens under this name, beside the weights of a model, is the model's. */
export const tunedLensFile = 'tuned-lens.safetensors';

export interface TrainTunedLensOptions {
  /** Texts that are learned from, one after the other, over and over. */
  readonly steps: number;
  /** Of Adam; 0.001 when left out. */
  readonly learningRate?: number;
  readonly signal?: Cancellation;
  /** Called after each step with the mean over the layers of KL(model ‖ lens), nats a token. */
  readonly onStep?: (step: number, divergence: number) => void;
}

const adam: OptimizerConfig = { name: 'adam', beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0 };

/** Elements of a matrix of logits that a step makes. */
const MAX_LOGITS = 2 ** 24;

/**
 * The tuned lens (Belrose et al. 2023, "Eliciting Latent Predictions from Transformers with the Tuned Lens"): for each
 * layer an affine map of its residual stream, from the identity on, so that what the lens then says is what the model says:
 * it minimises KL(p ‖ q), p the model's prediction and q the lens's, over all positions of some texts.
 */
export async function trainTunedLens(
  inspection: Inspection,
  readings: readonly Reading[],
  { steps, learningRate = 1e-3, signal, onStep }: TrainTunedLensOptions,
): Promise<TunedLens> {
  requireCount('steps', steps);
  if (readings.length === 0) {
    throw new QkvError('usage', { where: 'trainTunedLens', got: 'no text', expected: 'one or more' });
  }
  const { pass, model, runtime } = inspection;
  const width = streamShape(pass)[2] as number;
  const size = width * (width + 1);
  const names = residualNames(predictingStack(pass)).slice(0, -1);
  const states = names.map(() =>
    Object.fromEntries(
      ['parameter', 'gradient', 'exp_avg', 'exp_avg_sq'].map((name) => [name, sharedTensor('float32', [size])]),
    ),
  );
  const parts = states.map(({ parameter }) => translatorOn(parameter!, width));
  const most = Math.max(1, Math.floor(MAX_LOGITS / model.vocabSize));
  for (let step = 1; step <= steps; step++) {
    signal?.throwIfAborted();
    const reading = readings[(step - 1) % readings.length]!;
    const positions = reading.ids.map((_, i) => i).slice(0, most);
    const { streams } = await residualStreams(inspection, reading, {}, positions);
    const rows = positions.length * width;
    const streamOf = (i: number): HostTensor =>
      float32([1, positions.length, width], streams.data.subarray(i * rows, (i + 1) * rows) as Float32Array);
    let divergence = 0;
    for (const [i, state] of states.entries()) {
      const found = await inspection.runGraph('tuned lens step', () => stepGraph(inspection), {
        stream: streamOf(i),
        last: streamOf(names.length),
        'lens.weight': parts[i]!.weight,
        'lens.bias': parts[i]!.bias,
      });
      const gradient = state['gradient']!.data as Float32Array;
      gradient.set(found['weight']!.data);
      gradient.set(found['bias']!.data, width * width);
      divergence += found['divergence']!.data[0]! / names.length;
      const arrays = Object.fromEntries(Object.entries(state).map(([name, { data }]) => [name, data as Float32Array]));
      await runtime.runFlat([updateCall(adam, { arrays, gradientScale: 1, learningRate, decays: false, step })]);
    }
    onStep?.(step, divergence);
  }
  return new Map(names.map((name, i) => [name, parts[i]!]));
}

/**
 * Streams [L + 1, P, D] of layers by name, each translated but the last.
 *
 * @throws QkvError `usage` for the lens of another model: without a translator of a stream, or of another width
 */
export async function translate(
  inspection: Inspection,
  tuned: TunedLens,
  layers: readonly string[],
  streams: HostTensor,
): Promise<HostTensor> {
  const [, positions, width] = streams.shape as [number, number, number];
  const size = positions * width;
  const all = Float32Array.from(streams.data);
  for (const [i, name] of layers.entries()) {
    const own = tuned.get(name);
    if (!own) {
      if (i === layers.length - 1) continue;
      const got = `translators of ${[...tuned.keys()].join(', ') || 'nothing'}`;
      throw new QkvError('usage', { where: 'tuned lens', got, expected: `one of ${name} too: a lens of this model` });
    }
    if (own.bias.data.length !== width) {
      throw new QkvError('usage', {
        where: `tuned lens of ${name}`,
        got: `width ${own.bias.data.length}`,
        expected: `${width}, that of the model`,
      });
    }
    const trace = (): Graph => ({
      outputs: { translated: translator(inspection.pass).translated },
      names: new Map(),
    });
    const part = float32([1, positions, width], all.slice(i * size, (i + 1) * size));
    const { translated } = await inspection.runGraph('translator', trace, {
      stream: part,
      'lens.weight': own.weight,
      'lens.bias': own.bias,
    });
    all.set(translated!.data, i * size);
  }
  return float32(streams.shape, all);
}

/** Writes translators as safetensors, `<stream>.weight` and `<stream>.bias`. */
export async function saveTunedLens(storage: Storage, file: string, lens: TunedLens): Promise<void> {
  const tensors = [...lens].flatMap(([name, { weight, bias }]) =>
    Object.entries({ weight, bias }).map(([part, { shape, data }]) => ({
      name: `${name}.${part}`,
      dtype: 'F32' as const,
      shape,
      data: data as Float32Array,
    })),
  );
  await storage.writeAtomic(file, safetensorsChunks(tensors));
}

/** @throws QkvError `checkpoint` for a file that holds something else */
export async function loadTunedLens(storage: Storage, file: string): Promise<TunedLens> {
  const { tensors } = await openSafetensors(storage, file);
  const lens = new Map<string, Translator>();
  for (const key of tensors.keys()) {
    const name = /^(.+\.residual(?:Pre|Post))\.(?:weight|bias)$/.exec(key)?.[1];
    const [weight, bias] = [tensors.get(`${name}.weight`), tensors.get(`${name}.bias`)];
    const width = bias?.shape[0] ?? -1;
    const isTranslator =
      name !== undefined &&
      isFloat(weight) &&
      isFloat(bias) &&
      bias.shape.length === 1 &&
      weight.shape.join() === `${width},${width}`;
    if (!isTranslator) {
      throw new QkvError('checkpoint', {
        where: `${file}: ${key}`,
        got: 'no translator of a residual stream',
        expected: 'weight [D, D] and bias [D] of each, as saveTunedLens writes them',
      });
    }
    if (!lens.has(name)) lens.set(name, { weight: await readHostTensor(weight), bias: await readHostTensor(bias) });
  }
  return lens;
}

function isFloat(tensor: StoredTensor | undefined): tensor is StoredTensor {
  return tensor !== undefined && /^(F|BF)\d/.test(tensor.dtype);
}

/** h + h A + b: [B, T, D], with A and b as inputs. */
function translator(pass: Pass): { readonly weight: Value; readonly bias: Value; readonly translated: Value } {
  const shape = streamShape(pass);
  const width = shape[2] as number;
  const stream = input('stream', 'float32', shape);
  const weight = input('lens.weight', 'float32', [width, width]);
  const bias = input('lens.bias', 'float32', [width]);
  return { weight, bias, translated: add(stream, add(matmul(stream, weight), bias)) };
}

/** KL(p ‖ q), a mean over the rows, and its gradients. */
function stepGraph({ pass, model }: Inspection): Graph {
  const { weight, bias, translated } = translator(pass);
  const logProbs = (stream: Value): Value => logSoftmax(wordLogits(model, new Trace().root, finish(pass, stream)));
  const p = logProbs(input('last', 'float32', streamShape(pass)));
  const q = logProbs(translated);
  const rows = dimSize(p.shape[0]!);
  const divergence = div(sum(mul(exp(p), sub(p, q)), [0, 1]), rows);
  const [dWeight, dBias] = gradients([{ value: divergence, seed: scalarConstant(1) }], [weight, bias]);
  return {
    outputs: { divergence: reshape(divergence, [1]), weight: dWeight!, bias: dBias! },
    names: new Map(),
  };
}

function translatorOn({ data }: HostTensor, width: number): Translator {
  const all = data as Float32Array;
  return {
    weight: float32([width, width], all.subarray(0, width * width)),
    bias: float32([width], all.subarray(width * width)),
  };
}
