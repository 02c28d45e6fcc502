import { QkvError } from '../base/errors.ts';
import type { Graph } from '../graph/graph.ts';
import type { GenerativeModel, Model } from '../models/model.ts';
import { ModelPrograms } from '../runtime/modelPrograms.ts';
import type { Runtime, Tensors } from '../runtime/runtime.ts';
import { encoderGraph, prefillGraph, stepGraph, type Wanted, wantedText } from './graphs.ts';

/** What a program is for. Each is traced and compiled when it is first needed, and then serves all sizes. */
export type Task =
  | { readonly kind: 'encode' }
  | { readonly kind: 'prefill'; readonly wanted: Wanted }
  | { readonly kind: 'step'; readonly wanted: Wanted };

/** What a generation needs of a session: a model that runs, on one lane of its runtime. */
export interface LaneSession {
  readonly model: GenerativeModel;
  run(task: Task, inputs: Tensors, into?: Tensors): Promise<Tensors>;
}

/**
 * A model with its weights, ready to generate: the programs for it, compiled once each. Several generations may go on
 * with one session; each has its own `Decoding`.
 */
export class GenerationSession implements Disposable {
  readonly model: GenerativeModel;
  readonly #programs: ModelPrograms;

  /**
   * `parameters` by path; those that are not on a SharedArrayBuffer are copied to one, the others are read in place.
   *
   * @throws QkvError `usage` for an encoder, which writes nothing
   */
  constructor(runtime: Runtime, model: Model, parameters: Tensors) {
    if (model.kind === 'encoder') {
      throw new QkvError('usage', {
        where: 'generation',
        got: `a ${model.family} model, which reads and does not write`,
        expected: 'a model that continues a text or translates',
      });
    }
    this.model = model;
    this.#programs = new ModelPrograms(runtime, parameters);
  }

  get runtime(): Runtime {
    return this.#programs.runtime;
  }

  /** By path, on SharedArrayBuffers. */
  get parameters(): Tensors {
    return this.#programs.parameters;
  }

  /** Runs a program on these inputs and the parameters that it needs, its results written into `into` where given. */
  run(task: Task, inputs: Tensors, into: Tensors = {}, lane = 0): Promise<Tensors> {
    const label = task.kind === 'encode' ? 'encode' : `${task.kind} for ${wantedText(task.wanted)}`;
    return this.#programs.run(label, () => this.#graph(task), inputs, { into, lane });
  }

  onLane(lane: number): LaneSession {
    return { model: this.model, run: (task, inputs, into) => this.run(task, inputs, into, lane) };
  }

  [Symbol.dispose](): void {
    this.#programs[Symbol.dispose]();
  }

  #graph(task: Task): Graph {
    if (task.kind === 'step') return stepGraph(this.model, task.wanted);
    if (task.kind === 'prefill' && this.model.kind === 'causal') return prefillGraph(this.model, task.wanted);
    if (task.kind === 'encode' && this.model.kind === 'encoder-decoder') return encoderGraph(this.model);
    throw new Error(`qkv defect: no ${task.kind} for a ${this.model.kind} model`);
  }
}
