import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type Bindings, concreteShape } from '../../base/dim.ts';
import { QkvError } from '../../base/errors.ts';
import type { Graph, Leaf } from '../../graph/graph.ts';
import { printGraph } from '../../graph/print.ts';
import { lower } from '../../onnx/lower.ts';
import { checkFeeds, feedLeaves } from '../checkFeeds.ts';
import type { Call, Program, ProgramOptions, Runtime, Tensors } from '../runtime.ts';
import type { EngineOptions, Request, Response, WireTensors } from './protocol.ts';

export interface NodeRuntimeOptions {
  /** Threads of one operator; all cores when left out. */
  readonly threads?: number;
  /** Idle threads wait busily for the next operator. Right for training, wasteful for a server; true when left out. */
  readonly spinning?: boolean;
  /** Prefix of the files into which ONNX Runtime writes the time of every kernel. */
  readonly profile?: string;
}

class NodeProgram implements Program {
  readonly number: number;
  readonly label: string;
  readonly declared: readonly Leaf[];
  readonly outputs: Graph['outputs'];
  readonly #release: (program: NodeProgram) => void;
  users = 1;

  constructor(
    number: number,
    label: string,
    declared: readonly Leaf[],
    outputs: Graph['outputs'],
    release: (program: NodeProgram) => void,
  ) {
    this.number = number;
    this.label = label;
    this.declared = declared;
    this.outputs = outputs;
    this.#release = release;
  }

  get feeds(): readonly string[] {
    return this.declared.map(({ name }) => name);
  }

  get fetches(): readonly string[] {
    return Object.keys(this.outputs);
  }

  [Symbol.dispose](): void {
    if (--this.users === 0) this.#release(this);
  }
}

type Outcome = Extract<Response, { outputs: unknown }>['outputs'];
type Unnumbered<T> = T extends unknown ? Omit<T, 'id'> : never;

/**
 * ONNX Runtime on the CPU, in a worker thread of its own: the caller's event loop stays free while a program runs.
 * Programs of equal graphs share one session.
 */
class NodeRuntime implements Runtime {
  readonly name = 'node';
  readonly #worker: Worker;
  readonly #waiting = new Map<number, { resolve: (outputs: Outcome) => void; reject: (error: unknown) => void }>();
  readonly #programs = new Map<string, Promise<NodeProgram>>();
  #next = 0;
  #failure: QkvError | undefined;

  constructor(options: EngineOptions) {
    const module = new URL(`./engine${extname(import.meta.url)}`, import.meta.url);
    this.#worker = new Worker(module, { workerData: options });
    this.#worker.unref();
    this.#worker.on('message', (response: Response) => {
      const waiting = this.#waiting.get(response.id);
      this.#waiting.delete(response.id);
      if (this.#waiting.size === 0) this.#worker.unref();
      if ('error' in response) waiting?.reject(new QkvError('runtime', { where: 'ONNX Runtime', got: response.error }));
      else waiting?.resolve(response.outputs);
    });
    this.#worker.on('error', (error) => this.#fail(error));
    this.#worker.on('exit', () => this.#fail(new Error('the engine has been closed')));
  }

  async compile(graph: Graph, options: ProgramOptions = {}): Promise<Program> {
    const key = printGraph(graph);
    const known = this.#programs.get(key);
    if (known) {
      const program = await known;
      program.users++;
      return program;
    }
    const made = this.#compile(graph, key, options.label ?? 'program');
    this.#programs.set(key, made);
    made.catch(() => this.#programs.delete(key));
    return made;
  }

  async #compile(graph: Graph, key: string, label: string): Promise<NodeProgram> {
    const { bytes } = lower(graph);
    const number = this.#next++;
    await this.#request({ kind: 'compile', program: number, model: bytes });
    return new NodeProgram(number, label, feedLeaves(graph), graph.outputs, (program) => {
      this.#programs.delete(key);
      if (!this.#failure) this.#request({ kind: 'release', program: program.number }).catch(() => {});
    });
  }

  async run(calls: readonly Call[]): Promise<Tensors[]> {
    const wire = calls.map(({ program, feeds, into = {} }) => {
      if (!(program instanceof NodeProgram) || program.users === 0) {
        throw new QkvError('runtime', {
          where: program.label,
          got: 'a program of another runtime, or a disposed one',
          expected: 'one that this runtime compiled',
        });
      }
      const bindings = checkFeeds(program.declared, feeds, program.label);
      checkTargets(program, into, bindings);
      return { program: program.number, feeds: feeds as WireTensors, into: into as WireTensors };
    });
    return (await this.#request({ kind: 'run', calls: wire })) as Tensors[];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#failure) return;
    await this.#request({ kind: 'close' });
    this.#failure = new QkvError('runtime', { where: 'node runtime', got: 'a call after it was closed' });
    await this.#worker.terminate();
  }

  #request(message: Unnumbered<Request>): Promise<Outcome> {
    if (this.#failure) return Promise.reject(this.#failure);
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.ref();
      this.#worker.postMessage({ ...message, id } as Request);
    });
  }

  #fail(cause: unknown): void {
    this.#failure ??= new QkvError('runtime', { where: 'engine thread', got: String(cause), cause });
    for (const { reject } of this.#waiting.values()) reject(this.#failure);
    this.#waiting.clear();
  }
}

function checkTargets(program: NodeProgram, into: Tensors, bindings: Bindings): void {
  for (const [name, target] of Object.entries(into)) {
    const output = program.outputs[name];
    const where = `${program.label}: output ${name}`;
    if (!output)
      throw new QkvError('graph', {
        where,
        got: 'a place to write it',
        expected: `only ${program.fetches.join(', ')}`,
      });
    const shape = concreteShape(output.shape, bindings, where);
    if (target.dtype !== output.dtype || target.shape.join() !== shape.join()) {
      throw new QkvError('shape', {
        where,
        got: `a target of ${target.dtype}[${target.shape.join(', ')}]`,
        expected: `${output.dtype}[${shape.join(', ')}]`,
      });
    }
    if (!(target.data.buffer instanceof SharedArrayBuffer)) {
      throw new QkvError('runtime', {
        where,
        got: 'a target in memory of this thread alone',
        expected: 'a view of a SharedArrayBuffer',
      });
    }
  }
}

export async function createNodeRuntime(options: NodeRuntimeOptions = {}): Promise<Runtime> {
  const { threads = availableParallelism(), spinning = true, profile } = options;
  if (!Number.isInteger(threads) || threads < 1) {
    throw new QkvError('usage', { where: 'threads', got: String(threads), expected: 'a whole number from 1 on' });
  }
  return new NodeRuntime({ threads, spinning, profile: profile ?? null });
}
