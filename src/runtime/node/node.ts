import { availableParallelism } from 'node:os';
import { type Bindings, concreteShape } from '../../base/dim.ts';
import { QkvError } from '../../base/errors.ts';
import { memoryOf, type SharedMemory } from '../../base/sharedFloats.ts';
import type { Graph, Leaf } from '../../graph/graph.ts';
import { printGraph } from '../../graph/print.ts';
import { lower } from '../../onnx/lower.ts';
import { checkFeeds, feedLeaves } from '../checkFeeds.ts';
import type { FlatCall } from '../flatKernels.ts';
import type { Call, Program, ProgramOptions, Runtime, Tensors } from '../runtime.ts';
import { Lane } from './lane.ts';
import type { EngineOptions, WireCall } from './protocol.ts';
import type { SentTensors } from './sentTensors.ts';
import { arraysOf, type NumberedMemory, type WireFlatCall } from './simdKernels.ts';

export interface NodeRuntimeOptions {
  /** Engine threads that work side by side on calls of their own; 1 when left out. */
  readonly lanes?: number;
  /** Threads of one operator in each lane; together all cores when left out. */
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
  readonly #release: () => void;
  users = 1;

  constructor(
    number: number,
    label: string,
    declared: readonly Leaf[],
    outputs: Graph['outputs'],
    release: () => void,
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
    if (--this.users === 0) this.#release();
  }
}

/**
 * ONNX Runtime on the CPU, in worker threads of its own: the caller's event loop stays free while a program runs.
 * Programs of equal graphs share one session on each lane.
 */
class NodeRuntime implements Runtime {
  readonly name = 'node';
  readonly #lanes: readonly Lane[];
  readonly #programs = new Map<string, Promise<NodeProgram>>();
  #next = 0;

  constructor(lanes: number, options: EngineOptions) {
    this.#lanes = Array.from({ length: lanes }, () => new Lane(options));
  }

  get lanes(): number {
    return this.#lanes.length;
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
    const model = lower(graph).bytes;
    const program = this.#next++;
    await Promise.all(this.#lanes.map((lane) => lane.request({ kind: 'compile', program, model })));
    return new NodeProgram(program, label, feedLeaves(graph), graph.outputs, () => {
      this.#programs.delete(key);
      for (const lane of this.#lanes) if (!lane.isClosed) lane.request({ kind: 'release', program }).catch(() => {});
    });
  }

  async run(calls: readonly Call[], lane = 0): Promise<Tensors[]> {
    const engine = this.#lane(lane);
    const wired = calls.map((call) => wireCall(call, engine.sent));
    const { tensors } = await engine.request({ kind: 'run', calls: wired, ...engine.sent.news() });
    return tensors as Tensors[];
  }

  async runFlat(calls: readonly FlatCall[], lane = 0): Promise<number[]> {
    const { numbers } = await this.#lane(lane).request({ kind: 'flat', calls: calls.map(wireFlatCall) });
    return numbers as number[];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.close()));
  }

  #lane(index: number): Lane {
    const lane = this.#lanes[index];
    if (!lane) {
      throw new QkvError('usage', { where: 'lane', got: `${index}`, expected: `0 to ${this.#lanes.length - 1}` });
    }
    return lane;
  }
}

function wireCall({ program, feeds, into = {} }: Call, sent: SentTensors): WireCall {
  if (!(program instanceof NodeProgram) || program.users === 0) {
    throw new QkvError('runtime', {
      where: program.label,
      got: 'a program of another runtime, or a disposed one',
      expected: 'one that this runtime compiled',
    });
  }
  checkTargets(program, into, checkFeeds(program.declared, feeds, program.label));
  return { program: program.number, feeds: sent.refer(feeds), into: sent.refer(into) };
}

const memoryNumbers = new WeakMap<SharedMemory, number>();
let nextMemory = 0;

function wireFlatCall(call: FlatCall): WireFlatCall {
  const memories = arraysOf(call)?.map((array): NumberedMemory | undefined => {
    const memory = memoryOf(array);
    if (!memory) return undefined;
    const number = memoryNumbers.get(memory) ?? nextMemory++;
    memoryNumbers.set(memory, number);
    return { number, memory };
  });
  return { call, memories: memories?.every((memory) => memory !== undefined) ? memories : null };
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
  const { lanes = 1, spinning = true, profile } = options;
  const threads = options.threads ?? Math.max(1, Math.floor(availableParallelism() / lanes));
  if (!Number.isInteger(lanes) || lanes < 1) {
    throw new QkvError('usage', { where: 'lanes', got: String(lanes), expected: 'a whole number from 1 on' });
  }
  if (!Number.isInteger(threads) || threads < 1) {
    throw new QkvError('usage', { where: 'threads', got: String(threads), expected: 'a whole number from 1 on' });
  }
  return new NodeRuntime(lanes, { threads, spinning, profile: profile ?? null });
}
