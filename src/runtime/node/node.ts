import { availableParallelism } from 'node:os';
import { QkvError } from '../../base/errors.ts';
import type { Graph } from '../../graph/graph.ts';
import { lower } from '../../onnx/lower.ts';
import type { FlatCall } from '../flatKernels.ts';
import { ProgramCache } from '../programCache.ts';
import type { Call, Program, ProgramOptions, Runtime, Tensors } from '../runtime.ts';
import { onMemories } from '../simdKernels.ts';
import { Lane } from './lane.ts';
import type { EngineOptions, WireCall } from './protocol.ts';
import type { SentTensors } from './sentTensors.ts';

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

/**
 * ONNX Runtime on the CPU, in worker threads of its own: the caller's event loop stays free while a program runs.
 * Programs of equal graphs share one session on each lane.
 */
class NodeRuntime implements Runtime {
  readonly name = 'node';
  readonly #lanes: readonly Lane[];
  readonly #programs: ProgramCache;

  constructor(lanes: number, options: EngineOptions) {
    this.#lanes = Array.from({ length: lanes }, () => new Lane(options));
    this.#programs = new ProgramCache({
      compile: async (program, graph) => {
        const model = lower(graph).bytes;
        await Promise.all(this.#lanes.map((lane) => lane.request({ kind: 'compile', program, model })));
      },
      release: (program) => {
        for (const lane of this.#lanes) if (!lane.isClosed) lane.request({ kind: 'release', program }).catch(() => {});
      },
    });
  }

  get lanes(): number {
    return this.#lanes.length;
  }

  compile(graph: Graph, options?: ProgramOptions): Promise<Program> {
    return this.#programs.compile(graph, options);
  }

  async run(calls: readonly Call[], lane = 0): Promise<Tensors[]> {
    const engine = this.#lane(lane);
    const wired = calls.map((call) => this.#wire(call, engine.sent));
    const { tensors } = await engine.request({ kind: 'run', calls: wired, ...engine.sent.news() });
    return tensors as Tensors[];
  }

  async runFlat(calls: readonly FlatCall[], lane = 0): Promise<number[]> {
    const { numbers } = await this.#lane(lane).request({ kind: 'flat', calls: calls.map(onMemories) });
    return numbers as number[];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.close()));
  }

  #wire(call: Call, sent: SentTensors): WireCall {
    const program = this.#programs.check(call);
    const { feeds, into = {} } = call;
    for (const [name, { data }] of Object.entries(into)) {
      if (data.buffer instanceof SharedArrayBuffer) continue;
      throw new QkvError('runtime', {
        where: `${call.program.label}: output ${name}`,
        got: 'a target in memory of this thread alone',
        expected: 'a view of a SharedArrayBuffer',
      });
    }
    return { program, feeds: sent.refer(feeds), into: sent.refer(into) };
  }

  #lane(index: number): Lane {
    const lane = this.#lanes[index];
    if (!lane) {
      throw new QkvError('usage', { where: 'lane', got: `${index}`, expected: `0 to ${this.#lanes.length - 1}` });
    }
    return lane;
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
