import { scalar } from '../base/tensor.ts';
import type { ParameterArena } from '../nn/parameterArena.ts';
import type { Program, Runtime, Tensors } from '../runtime/runtime.ts';
import { traceLoss } from './objectives.ts';
import type { StopSignal, TrainingTask } from './task.ts';

/** The loss of the whole validation part without dropout and label smoothing, a mean over its target tokens. */
export class ValidationLoss {
  readonly #runtime: Runtime;
  readonly #program: Program;
  readonly #arena: ParameterArena;
  readonly #task: TrainingTask;

  private constructor(runtime: Runtime, program: Program, arena: ParameterArena, task: TrainingTask) {
    this.#runtime = runtime;
    this.#program = program;
    this.#arena = arena;
    this.#task = task;
  }

  static async create(runtime: Runtime, arena: ParameterArena, task: TrainingTask): Promise<ValidationLoss> {
    const { graph } = traceLoss(task.model, { training: false, smoothing: 0, padded: task.padded });
    return new ValidationLoss(runtime, await runtime.compile(graph, { label: 'validation loss' }), arena, task);
  }

  /** Undefined when `stop` was set meanwhile. The lanes take batches in turn; sums are added in the order of the batches. */
  async measure(stop: StopSignal): Promise<number | undefined> {
    const batches = this.#task.validation()[Symbol.iterator]();
    const sums: number[] = [];
    let targetTokens = 0;
    const work = async (lane: number): Promise<void> => {
      for (let next = batches.next(); !next.done && !stop.aborted; next = batches.next()) {
        const index = sums.push(0) - 1;
        targetTokens += next.value.targetTokens;
        sums[index] = await this.#sum(next.value.inputs, lane);
      }
    };
    await Promise.all(Array.from({ length: this.#runtime.lanes }, (_, lane) => work(lane)));
    return stop.aborted ? undefined : sums.reduce((a, b) => a + b, 0) / targetTokens;
  }

  async #sum(inputs: Tensors, lane: number): Promise<number> {
    const all: Tensors = { ...this.#arena.tensors, ...inputs, lossScale: scalar(1) };
    const feeds = Object.fromEntries(this.#program.feeds.map((name) => [name, all[name]!]));
    const [outputs] = await this.#runtime.run([{ program: this.#program, feeds }], lane);
    return outputs!['loss']!.data[0]!;
  }
}
