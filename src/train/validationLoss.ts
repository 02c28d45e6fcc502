import { scalar } from '../base/tensor.ts';
import { IGNORED_LABEL } from '../data/bucketBatches.ts';
import type { Model } from '../models/model.ts';
import type { ParameterArena } from '../nn/parameterArena.ts';
import type { Program, Runtime, Tensors } from '../runtime/runtime.ts';
import { type TracedLoss, targetsOf, traceLoss } from './objectives.ts';
import type { StopSignal, TrainingTask } from './task.ts';

/** The loss of the whole validation part without dropout and label smoothing, a mean over its target tokens. */
export class ValidationLoss {
  readonly #runtime: Runtime;
  readonly #program: Program;
  readonly #arena: ParameterArena;
  readonly #task: TrainingTask;
  readonly #weights: TracedLoss['weights'];

  private constructor(
    runtime: Runtime,
    program: Program,
    arena: ParameterArena,
    task: TrainingTask,
    weights: TracedLoss['weights'],
  ) {
    this.#weights = weights;
    this.#runtime = runtime;
    this.#program = program;
    this.#arena = arena;
    this.#task = task;
  }

  static async create(runtime: Runtime, arena: ParameterArena, task: TrainingTask): Promise<ValidationLoss> {
    const { graph, weights } = traceLoss(task.model, { ...task.loss, training: false, smoothing: 0 });
    const program = await runtime.compile(graph, { label: 'validation loss' });
    return new ValidationLoss(runtime, program, arena, task, weights);
  }

  /** Undefined when `stop` was set meanwhile. The lanes take batches in turn; sums are added in the order of the batches. */
  async measure(stop: StopSignal): Promise<ValidationResult | undefined> {
    const batches = this.#task.validation()[Symbol.iterator]();
    const sums: Record<string, number>[] = [];
    const targets: Record<string, number> = {};
    const words = new Map<number, number>();
    const work = async (lane: number): Promise<void> => {
      for (let next = batches.next(); !next.done && !stop.aborted; next = batches.next()) {
        const index = sums.push({}) - 1;
        const { model, loss } = this.#task;
        const { inputs } = next.value;
        for (const label of isWords(model) ? inputs['labels']!.data : []) {
          if (label !== IGNORED_LABEL) words.set(Number(label), (words.get(Number(label)) ?? 0) + 1);
        }
        const counts = targetsOf(model, inputs, loss.distillation);
        for (const [scale, count] of Object.entries(counts)) targets[scale] = (targets[scale] ?? 0) + count;
        sums[index] = await this.#sums(inputs, Object.keys(counts), lane);
      }
    };
    await Promise.all(Array.from({ length: this.#runtime.lanes }, (_, lane) => work(lane)));
    if (stop.aborted) return undefined;
    const result = resultOf(sums, targets, this.#weights);
    return { ...result, ...(words.size > 0 && { unigram: entropy([...words.values()]) }) };
  }

  async #sums(inputs: Tensors, scales: readonly string[], lane: number): Promise<Record<string, number>> {
    const ones = Object.fromEntries(scales.map((scale) => [scale, scalar(1)]));
    const all: Tensors = { ...this.#arena.tensors, ...this.#task.teacher?.parameters, ...inputs, ...ones };
    const feeds = Object.fromEntries(this.#program.feeds.map((name) => [name, all[name]!]));
    const [outputs] = await this.#runtime.run([{ program: this.#program, feeds }], lane);
    return Object.fromEntries(Object.entries(outputs!).map(([name, { data }]) => [name, data[0]!]));
  }
}

/** Means over the targets of the whole validation part. */
export interface ValidationResult {
  readonly loss: number;
  /** Of a loss of several terms each, by the name of its scale. */
  readonly terms: Readonly<Record<string, number>>;
  /** Of the terms over classes the share that is right, by the name of its scale. */
  readonly accuracies: Readonly<Record<string, number>>;
  /** Of predicted words: the entropy of their frequencies, the loss of who knows no more than these. */
  readonly unigram?: number;
}

/** Whether the labels of a model are tokens. */
function isWords(model: Model): boolean {
  return model.kind !== 'encoder' || ['masked-lm', 'pretraining'].includes(model.head.name);
}

/** −Σ p log p of counts, in nats. */
function entropy(counts: readonly number[]): number {
  const total = counts.reduce((a, b) => a + b, 0);
  return counts.reduce((sum, count) => sum - (count / total) * Math.log(count / total), 0);
}

function resultOf(
  sums: readonly Readonly<Record<string, number>>[],
  targets: Readonly<Record<string, number>>,
  weights: TracedLoss['weights'],
): ValidationResult {
  const scales = Object.keys(targets);
  const meanOf = (name: string, scale: string): number =>
    sums.reduce((total, sum) => total + (sum[name] ?? 0), 0) / Math.max(1, targets[scale]!);
  const means = (kind: 'loss' | 'hits'): Record<string, number> =>
    Object.fromEntries(
      scales
        .filter((scale) => sums[0]?.[`${kind}.${scale}`] !== undefined)
        .map((scale) => [scale, meanOf(`${kind}.${scale}`, scale)]),
    );
  const terms = means('loss');
  const parts = Object.entries(terms).map(([scale, mean]) => weights[scale]! * mean);
  const loss = parts.length > 0 ? parts.reduce((a, b) => a + b, 0) : meanOf('loss', scales[0] ?? 'lossScale');
  return { loss, terms, accuracies: means('hits') };
}
