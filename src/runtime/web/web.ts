import type { InferenceSession, Tensor } from 'onnxruntime-web';
import { QkvError } from '../../base/errors.ts';
import type { HostTensor } from '../../base/tensor.ts';
import type { Graph } from '../../graph/graph.ts';
import { lower } from '../../onnx/lower.ts';
import type { FlatCall } from '../flatKernels.ts';
import { ProgramCache } from '../programCache.ts';
import type { Call, Program, ProgramOptions, Runtime, Tensors } from '../runtime.ts';
import { onMemories, SimdKernels } from '../simdKernels.ts';
import { compareWithReference } from './compareWithReference.ts';
import { Gpu, requireGpu } from './gpu.ts';
import { letMessagesIn } from './letMessagesIn.ts';
import { type Backend, type Ort, openOrt, type WasmPaths } from './ort.ts';

export interface WebRuntimeOptions {
  /** `wasm`, the processor, when left out. `webgpu` is compared with the reference before it is given out. */
  readonly backend?: Backend;
  /**
   * Threads of one operator: about half of the logical cores, at most 4, when left out. Without SharedArrayBuffer (in a page whose headers do
   * not isolate it) there is one.
   */
  readonly threads?: number;
  /**
   * Where ONNX Runtime's files lie: the address of a folder, or of the two files for the backend
   * (`ort-wasm-simd-threaded.mjs` and `.wasm`; for WebGPU `ort-wasm-simd-threaded.asyncify.…`). When left out, beside the script.
   */
  readonly wasmPaths?: WasmPaths;
}

/** A runtime in a page, and what it was given. */
export interface WebRuntime extends Runtime {
  readonly backend: Backend;
  readonly threads: number;
}

/** Runs of a program may keep the thread for so long, in ms, until what was sent to it meanwhile is read. */
const BREATH = 10;

/**
 * ONNX Runtime in this thread of a page, best a worker of its own: on `wasm` a run blocks the thread. Programs of equal graphs
 * share one session; sessions work one after the other.
 */
class OrtRuntime implements WebRuntime {
  readonly name: string;
  readonly lanes = 1;
  readonly backend: Backend;
  readonly threads: number;
  readonly #ort: Ort;
  readonly #gpu: Gpu | undefined;
  readonly #sessions = new Map<number, InferenceSession>();
  readonly #programs: ProgramCache;
  readonly #flatKernels = new SimdKernels();
  #isClosed = false;
  #breathed = performance.now();
  /** The end of the work that was asked for so far. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(ort: Ort, backend: Backend, threads: number) {
    this.#ort = ort;
    this.backend = backend;
    this.threads = threads;
    this.name = `web (${backend})`;
    this.#gpu = backend === 'webgpu' ? new Gpu(ort) : undefined;
    const options = sessionOptions(backend);
    this.#programs = new ProgramCache({
      compile: (program, graph) =>
        this.#next(async () => {
          // What ONNX Runtime adds to the standard stays on the processor under WebGPU, between copies: standard operators there.
          const model = lower(graph, { contrib: backend === 'wasm' }).bytes;
          await this.#inOrt(async () => this.#gpu?.start(options));
          this.#sessions.set(program, await this.#inOrt(() => ort.InferenceSession.create(model, options)));
        }),
      release: (program) => {
        const session = this.#sessions.get(program);
        this.#sessions.delete(program);
        if (session) this.#next(() => session.release()).catch(() => {});
      },
    });
  }

  compile(graph: Graph, options?: ProgramOptions): Promise<Program> {
    return this.#programs.compile(graph, options);
  }

  run(calls: readonly Call[], lane = 0): Promise<Tensors[]> {
    return this.#next(async () => {
      checkLane(lane);
      const results: Tensors[] = [];
      for (const call of calls) results.push(await this.#run(call));
      return results;
    });
  }

  runFlat(calls: readonly FlatCall[], lane = 0): Promise<number[]> {
    return this.#next(async () => {
      checkLane(lane);
      return calls.map((call) => this.#flatKernels.run(onMemories(call)));
    });
  }

  keep(tensors: Iterable<HostTensor>): Disposable {
    const kept = [...tensors];
    this.#gpu?.keep(kept);
    let isKept = true;
    return {
      [Symbol.dispose]: () => {
        if (!isKept) return;
        isKept = false;
        // runs that were asked for before still read them
        this.#next(async () => this.#gpu?.letGo(kept)).catch(() => {});
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    const sessions = [...this.#sessions.values()];
    this.#sessions.clear();
    await this.#next(async () => {
      for (const session of sessions) await this.#inOrt(() => session.release());
      await this.#inOrt(async () => this.#gpu?.close());
    }).catch((error) => {
      // with a GPU that is gone all that lay on it is gone
      if (!this.#gpu?.isLost) throw error;
    });
    this.#isClosed = true;
  }

  async #run(call: Call): Promise<Tensors> {
    const session = this.#sessions.get(this.#programs.check(call))!;
    if (performance.now() - this.#breathed > BREATH) {
      await letMessagesIn();
      this.#breathed = performance.now();
    }
    const { into = {} } = call;
    const feeds: Record<string, Tensor> = {};
    for (const [name, tensor] of Object.entries(call.feeds)) {
      const { dtype, shape, data } = tensor;
      const placed = this.#gpu && (await this.#gpu.find(tensor));
      feeds[name] = placed ?? new this.#ort.Tensor(dtype, data as never, shape);
    }
    // Outputs that are given a place come back as zeros in a page: all are taken as they come, and copied.
    const results = await this.#inOrt(() => session.run(feeds));
    const outputs: Record<string, HostTensor> = {};
    for (const [name, tensor] of Object.entries(results)) {
      const target = into[name];
      if (target) target.data.set(tensor.data as Float32Array);
      else outputs[name] = fromOrt(tensor);
    }
    return outputs;
  }

  /** What ONNX Runtime throws, as a `QkvError`; of C++ it is only a number. */
  async #inOrt<T>(act: () => Promise<T>): Promise<T> {
    try {
      const result = act();
      return await (this.#gpu?.orLost(result) ?? result);
    } catch (cause) {
      if (cause instanceof QkvError) throw cause;
      const got = typeof cause === 'number' ? 'an exception in its code: memory may have run out' : String(cause);
      throw new QkvError('runtime', { where: 'ONNX Runtime', got, cause });
    }
  }

  /** Does the work when all that was asked for before is done. */
  #next<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isClosed) {
      return Promise.reject(new QkvError('runtime', { where: 'web runtime', got: 'a call after it was closed' }));
    }
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return done;
  }
}

function sessionOptions(backend: Backend): InferenceSession.SessionOptions {
  return {
    executionProviders: [backend],
    // The graph comes optimised. ONNX Runtime's own passes would fold the transpositions back into the products.
    graphOptimizationLevel: 'disabled',
    enableMemPattern: false,
    logSeverityLevel: 3,
  };
}

function fromOrt({ type, dims, data }: Tensor): HostTensor {
  return { dtype: type as HostTensor['dtype'], shape: dims, data: data as HostTensor['data'] };
}

function checkLane(lane: number): void {
  if (lane !== 0) throw new QkvError('usage', { where: 'lane', got: `${lane}`, expected: '0: a page has one' });
}

/**
 * The runtime for pages.
 *
 * @throws QkvError `usage` for impossible options, `runtime` where ONNX Runtime does not load, and where there is no GPU that
 * WebGPU can use or one that computes other numbers than it should
 */
export async function createWebRuntime(options: WebRuntimeOptions = {}): Promise<WebRuntime> {
  const { backend = 'wasm', wasmPaths } = options;
  if (backend !== 'wasm' && backend !== 'webgpu') {
    throw new QkvError('usage', { where: 'backend', got: String(backend), expected: 'wasm or webgpu' });
  }
  const cores = navigator.hardwareConcurrency;
  const wanted = options.threads ?? Math.min(4, cores, Math.max(2, Math.ceil(cores / 2)));
  if (!Number.isInteger(wanted) || wanted < 1) {
    throw new QkvError('usage', { where: 'threads', got: String(wanted), expected: 'a whole number from 1 on' });
  }
  if (backend === 'webgpu') await requireGpu();
  const threads = globalThis.crossOriginIsolated ? wanted : 1;
  const runtime = new OrtRuntime(await openOrt(backend, { threads, wasmPaths }), backend, threads);
  if (backend === 'webgpu') {
    try {
      await compareWithReference(runtime);
    } catch (error) {
      await runtime[Symbol.asyncDispose]();
      throw error;
    }
  }
  return runtime;
}
