import { QkvError } from '../base/errors.ts';
import type { HostTensor } from '../base/tensor.ts';
import type { Graph } from '../graph/graph.ts';
import type { Program, Runtime, Tensors } from './runtime.ts';
import { onShared } from './sharedTensor.ts';

export interface ModelRunOptions {
  /** Outputs to be written into these tensors. */
  readonly into?: Tensors;
  readonly lane?: number;
}

/** A model's weights and its programs, each traced and compiled when it is first needed; it then serves all sizes. */
export class ModelPrograms implements Disposable {
  readonly runtime: Runtime;
  /** By path, on SharedArrayBuffers. */
  readonly parameters: Tensors;
  readonly #programs = new Map<string, Promise<Program>>();

  /** `parameters` by path; those that are not on a SharedArrayBuffer are copied to one, the others are read in place. */
  constructor(runtime: Runtime, parameters: Tensors) {
    this.runtime = runtime;
    this.parameters = Object.fromEntries(Object.entries(parameters).map(([path, tensor]) => [path, onShared(tensor)]));
  }

  /** Runs the program of this label, which `trace` gives the graph of, on the inputs and the parameters that it needs. */
  async run(
    label: string,
    trace: () => Graph,
    inputs: Tensors,
    { into = {}, lane = 0 }: ModelRunOptions = {},
  ): Promise<Tensors> {
    const program = await this.#program(label, trace);
    const feeds: Record<string, HostTensor> = {};
    for (const name of program.feeds) {
      const tensor = inputs[name] ?? this.parameters[name];
      if (!tensor) {
        throw new QkvError('runtime', {
          where: `parameter ${name}`,
          got: 'nothing',
          expected: "all of the model's weights",
        });
      }
      feeds[name] = tensor;
    }
    const [outputs] = await this.runtime.run([{ program, feeds, into }], lane);
    return { ...outputs, ...into };
  }

  [Symbol.dispose](): void {
    for (const program of this.#programs.values()) program.then((made) => made[Symbol.dispose]()).catch(() => {});
    this.#programs.clear();
  }

  #program(label: string, trace: () => Graph): Promise<Program> {
    let program = this.#programs.get(label);
    if (!program) {
      program = this.runtime.compile(trace(), { label });
      this.#programs.set(label, program);
      program.catch(() => this.#programs.delete(label));
    }
    return program;
  }
}
