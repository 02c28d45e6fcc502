import { QkvError } from '../base/errors.ts';
import { float32, type HostTensor, int32, sizeOf } from '../base/tensor.ts';
import type { Graph } from '../graph/graph.ts';
import type { GenerativeModel, Model } from '../models/model.ts';
import type { Program, Runtime, Tensors } from '../runtime/runtime.ts';
import { encoderGraph, prefillGraph, stepGraph, type Wanted, wantedText } from './graphs.ts';

/** What a program is for. Each is traced and compiled when it is first needed, and then serves all sizes. */
export type Task =
  | { readonly kind: 'encode' }
  | { readonly kind: 'prefill'; readonly wanted: Wanted }
  | { readonly kind: 'step'; readonly wanted: Wanted };

/**
 * A model with its weights, ready to generate: the programs for it, compiled once each. Several generations may go on
 * with one session; each has its own `Decoding`.
 */
export class GenerationSession implements Disposable {
  readonly model: GenerativeModel;
  readonly runtime: Runtime;
  /** By path, on SharedArrayBuffers. */
  readonly parameters: Tensors;
  readonly #programs = new Map<string, Promise<Program>>();

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
    this.runtime = runtime;
    this.model = model;
    this.parameters = Object.fromEntries(Object.entries(parameters).map(([path, tensor]) => [path, onShared(tensor)]));
  }

  /** Runs a program on these inputs and the parameters that it needs, its results written into `into` where given. */
  async run(task: Task, inputs: Tensors, into: Tensors = {}): Promise<Tensors> {
    const program = await this.#program(task);
    const feeds: Record<string, HostTensor> = {};
    for (const name of program.feeds) {
      const tensor = inputs[name] ?? this.parameters[name];
      if (!tensor) {
        throw new QkvError('runtime', {
          where: `parameter ${name}`,
          got: 'nothing',
          expected: `the ${this.model.family} model's weights`,
        });
      }
      feeds[name] = tensor;
    }
    const [outputs] = await this.runtime.run([{ program, feeds, into }]);
    return { ...outputs, ...into };
  }

  [Symbol.dispose](): void {
    for (const program of this.#programs.values()) program.then((made) => made[Symbol.dispose]()).catch(() => {});
    this.#programs.clear();
  }

  #program(task: Task): Promise<Program> {
    const label = task.kind === 'encode' ? 'encode' : `${task.kind} for ${wantedText(task.wanted)}`;
    let program = this.#programs.get(label);
    if (!program) {
      program = this.runtime.compile(this.#graph(task), { label });
      this.#programs.set(label, program);
      program.catch(() => this.#programs.delete(label));
    }
    return program;
  }

  #graph(task: Task): Graph {
    if (task.kind === 'step') return stepGraph(this.model, task.wanted);
    if (task.kind === 'prefill' && this.model.kind === 'causal') return prefillGraph(this.model, task.wanted);
    if (task.kind === 'encode' && this.model.kind === 'encoder-decoder') return encoderGraph(this.model);
    throw new Error(`qkv defect: no ${task.kind} for a ${this.model.kind} model`);
  }
}

/** A tensor of zeros on a SharedArrayBuffer, which an engine in another thread reads and writes in place. */
export function sharedTensor(dtype: 'float32' | 'int32', shape: readonly number[]): HostTensor {
  const buffer = new SharedArrayBuffer(sizeOf(shape) * 4);
  return dtype === 'float32' ? float32(shape, new Float32Array(buffer)) : int32(shape, new Int32Array(buffer));
}

function onShared(tensor: HostTensor): HostTensor {
  if (tensor.data.buffer instanceof SharedArrayBuffer || tensor.dtype !== 'float32') return tensor;
  const copy = sharedTensor('float32', tensor.shape);
  copy.data.set(tensor.data);
  return copy;
}
