import { inCheckpoint } from '../../src/check/against.ts';
import { maxDifferenceOf } from '../../src/check/comparison.ts';
import { countLabels, lossInputs } from '../../src/check/referenceBatch.ts';
import { nodeStorage } from '../../src/checkpoint/storage.node.ts';
import type { Model } from '../../src/models/model.ts';
import type { ParameterArena } from '../../src/nn/parameterArena.ts';
import { loadPretrained } from '../../src/pretrained/pretrained.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { lossScales, traceLoss } from '../../src/train/objectives.ts';
import type { OptimizerConfig } from '../../src/train/optimizer.ts';
import { learningRate } from '../../src/train/schedule.ts';
import { TrainStep } from '../../src/train/trainStep.ts';
import { limits, type Measure, relative } from './measure.ts';
import { type Json, type ParityCase, readJson, readTensors, under } from './parityCase.ts';

interface LoggedStep {
  readonly loss: number;
  readonly grad_norm: number;
  readonly lr: number;
  readonly target_tokens: number;
}

/** A stored training run: loss and gradient norm of every step, and the weights at its end. */
export async function trainingRun(runtime: Runtime, { folder }: ParityCase, run: string): Promise<Measure[]> {
  const { model, arena } = await loadPretrained(nodeStorage(folder));
  const tensors = await readTensors(folder, `${run}.safetensors`);
  const info = await readJson(folder, `${run}.json`);
  const logged = info['steps'] as LoggedStep[];
  const batches = logged.map((_, t) => microBatches(tensors, t));
  // the reference trains with all dropout at 0, whatever the configuration says
  const segments = batches[0]![0]!.has('token_type_ids');
  const { graph } = traceLoss(model, { training: false, smoothing: smoothingOf(info), padded: true, segments });
  const options = { optimizer: optimizerOf(info), clipNorm: clipNormOf(info) };
  const step = await TrainStep.create(runtime, graph, arena, options);
  const measures: Measure[] = [...(await decayGroups(model, arena, info)), ...schedule(model, info, logged)];
  for (const [t, log] of logged.entries()) {
    const micros = batches[t]!.map((batch) => lossInputs(model, batch, log.target_tokens));
    const counted = micros.reduce((sum, { labels }) => sum + countLabels(labels!), 0);
    if (counted !== log.target_tokens) throw new Error(`${run}: step ${t} has ${counted} target tokens`);
    const result = await step.run({
      micros,
      targetTokens: log.target_tokens,
      learningRate: log.lr,
      ...(model.kind === 'encoder' && { scales: lossScales(model, micros) }),
    });
    measures.push(
      trained(`${run}: loss of step ${t}`, relative(result.loss, log.loss), limits.step),
      trained(`${run}: grad_norm of step ${t}`, relative(result.gradientNorm, log.grad_norm), limits.step),
    );
  }
  const final = await inCheckpoint(model, arena, (path) => arena.tensors[path]!.data as Float32Array);
  const expected = under(tensors, 'final.');
  if ([...final.keys()].toSorted().join() !== [...expected.keys()].toSorted().join()) {
    throw new Error(`${run}: trained ${[...final.keys()]}, the reference ${[...expected.keys()]}`);
  }
  const pairs = [...expected].map(([name, { data }]): Pair => {
    const own = final.get(name)!.data;
    return { name, ...comparable((info['not_comparable'] as Json)[name], own, data) };
  });
  return [...measures, ...compareWeights(run, model.family, pairs)];
}

interface Pair {
  readonly name: string;
  readonly own: ArrayLike<number>;
  readonly expected: ArrayLike<number>;
}

function compareWeights(run: string, family: string, pairs: readonly Pair[]): Measure[] {
  const isOriginal = family === 'transformer';
  const limit = isOriginal ? limits.finalWeightSmallEpsilon : limits.finalWeight;
  const measures = pairs.map(({ name, own, expected }) =>
    trained(`${run}: final ${name}`, maxDifferenceOf(own, expected), limit),
  );
  if (!isOriginal) return measures;
  let [count, beyond] = [0, 0];
  for (const { own, expected } of pairs) {
    count += expected.length;
    for (let i = 0; i < expected.length; i++) {
      if (!(Math.abs(own[i]! - expected[i]!) <= limits.finalWeight)) beyond++;
    }
  }
  if (beyond > 0.001 * count) {
    const name = `${run}: the share of final weights beyond ${limits.finalWeight}`;
    measures.push(trained(name, beyond / count, 0.001));
  }
  return measures;
}

/** All of a weight, nothing of it, or, of GPT-2's stacked query, key and value biases, those of query and value. */
function comparable(
  reason: unknown,
  own: ArrayLike<number>,
  expected: ArrayLike<number>,
): { readonly own: ArrayLike<number>; readonly expected: ArrayLike<number> } {
  if (reason === undefined) return { own, expected };
  if (!/middle third/.test(String(reason))) return { own: [], expected: [] };
  const third = expected.length / 3;
  const outer = (values: ArrayLike<number>): number[] =>
    Array.from(values).filter((_, i) => i < third || i >= 2 * third);
  return { own: outer(own), expected: outer(expected) };
}

/** Weight decay must act on what the reference decays. */
async function decayGroups(model: Model, arena: ParameterArena, info: Json): Promise<Measure[]> {
  const noDecay = info['no_decay'] as string[] | undefined;
  if (!noDecay) return [];
  const flags = new Map(
    arena.trained.map(({ path, decay, size }) => [path, new Float32Array(size).fill(decay ? 1 : 0)]),
  );
  const marked = await inCheckpoint(model, arena, (path) => flags.get(path)!);
  return [...marked].map(([name, { data }]) =>
    trained(
      `weight decay of ${name}`,
      maxDifferenceOf(
        data,
        data.map(() => (noDecay.includes(name) ? 0 : 1)),
      ),
      0,
    ),
  );
}

/** Where the numbers of the schedule are stored, our schedule must give the rates that were logged. */
function schedule(model: Model, info: Json, logged: readonly LoggedStep[]): Measure[] {
  const { factor, warmup } = info as { readonly factor?: number; readonly warmup?: number };
  if (factor === undefined || warmup === undefined) return [];
  const peak = factor * ((model.config['d_model'] as number) * warmup) ** -0.5;
  return logged.map(({ lr }, t) => {
    const own = learningRate({ name: 'inverse-sqrt', peak, warmup: warmup - 1 }, t, logged.length);
    return trained(`learning rate of step ${t}`, relative(own, lr), 1e-12);
  });
}

function trained(name: string, difference: number, limit: number): Measure {
  return { kind: 'training', name, difference, limit };
}

function microBatches(tensors: Awaited<ReturnType<typeof readTensors>>, t: number): (typeof tensors)[] {
  const whole = under(tensors, `step${t}.`);
  const count = new Set([...whole.keys()].map((key) => /^micro(\d+)\./.exec(key)?.[1])).size;
  return whole.has('input_ids') ? [whole] : Array.from({ length: count }, (_, m) => under(whole, `micro${m}.`));
}

function optimizerOf(info: Json): OptimizerConfig {
  const stored = info['optimizer'] as {
    readonly name: string;
    readonly betas: readonly [number, number];
    readonly eps: number;
    readonly weight_decay: number;
  };
  const name = ({ 'torch.optim.AdamW': 'adamw', 'torch.optim.Adam': 'adam' } as const)[stored.name];
  if (!name) throw new Error(`unknown optimizer ${stored.name}`);
  const [beta1, beta2] = stored.betas;
  return { name, beta1, beta2, eps: stored.eps, weightDecay: stored.weight_decay };
}

function clipNormOf(info: Json): number {
  const stored = info['max_grad_norm'] ?? /max_norm=([\d.]+)/.exec(String(info['clip']))?.[1];
  if (stored === undefined) throw new Error('no max_grad_norm');
  return Number(stored);
}

function smoothingOf(info: Json): number {
  return Number(info['label_smoothing'] ?? /label_smoothing=([\d.]+)/.exec(String(info['loss']))?.[1] ?? 0);
}
