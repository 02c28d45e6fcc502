import gpuMjs from 'onnxruntime-web/ort-wasm-simd-threaded.asyncify.mjs?url';
import gpuWasm from 'onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?url';
import mjs from 'onnxruntime-web/ort-wasm-simd-threaded.mjs?url';
import wasm from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url';
import { exp } from '../../../src/ops/elementwise.ts';
import { input } from '../../../src/ops/leaf.ts';
import { matmul } from '../../../src/ops/matmul.ts';
import { type Backend, createWebRuntime, evaluate, float32, type Runtime } from '../../../src/web.ts';
import { deviation } from '../../ops/deviation.ts';
import { allSamples, buildSample, withGradients } from '../../ops/samples.ts';
import { brokenPromises } from '../../runtime/runtimeContract.ts';
import { trainTiny } from '../../runtime/trainTiny.ts';
import type { Conformance, Deviating } from '../conformance.ts';

/** Counts the bytes that go to the GPU: what is written into its buffers, and what those begin with. */
function countSent(): Disposable & { readonly bytes: number } {
  interface Sized {
    readonly size: number;
    readonly mappedAtCreation?: boolean;
  }
  type Create = (this: unknown, options: Sized) => object;
  type Write = (
    this: unknown,
    buffer: object,
    offset: number,
    data: ArrayBufferView,
    start?: number,
    size?: number,
  ) => void;
  const { GPUDevice: device, GPUQueue: queue } = globalThis as unknown as {
    readonly GPUDevice: { readonly prototype: { createBuffer: Create } };
    readonly GPUQueue: { readonly prototype: { writeBuffer: Write } };
  };
  const { createBuffer } = device.prototype;
  const { writeBuffer } = queue.prototype;
  const sent = {
    bytes: 0,
    [Symbol.dispose]: () => {
      device.prototype.createBuffer = createBuffer;
      queue.prototype.writeBuffer = writeBuffer;
    },
  };
  device.prototype.createBuffer = function (options) {
    if (options.mappedAtCreation) sent.bytes += options.size;
    return createBuffer.call(this, options);
  };
  queue.prototype.writeBuffer = function (buffer, offset, data, start, size) {
    sent.bytes += size ?? data.byteLength;
    writeBuffer.call(this, buffer, offset, data, start, size);
  };
  return sent;
}

const here = (path: string): string => new URL(path, import.meta.url).href;

export const wasmPaths = {
  wasm: { mjs: here(mjs), wasm: here(wasm) },
  webgpu: { mjs: here(gpuMjs), wasm: here(gpuWasm) },
} as const;

const runtimes = new Map<string, Promise<Runtime>>();

export function runtimeOf(backend: Backend = 'wasm'): Promise<Runtime> {
  let runtime = runtimes.get(backend);
  if (!runtime) runtimes.set(backend, (runtime = createWebRuntime({ backend, wasmPaths: wasmPaths[backend] })));
  return runtime;
}

export const runtimeSuite = {
  /**
   * The operators' samples and their gradients against the reference, within `usual` or the sample's own tolerance; all samples,
   * or so many of each operator.
   */
  async conformance(backend: Backend, usual: number, most: number | null): Promise<Conformance> {
    const runtime = await runtimeOf(backend);
    let compared = 0;
    const deviating: Deviating[] = [];
    const seen = new Map<string, number>();
    for (const { op, sample, title } of allSamples()) {
      seen.set(op, (seen.get(op) ?? 0) + 1);
      if (most !== null && seen.get(op)! > most) continue;
      const built = buildSample(op, sample);
      for (const one of [built, withGradients(built)]) {
        if (!one) continue;
        try {
          using program = await runtime.compile(one.graph);
          const [results] = await runtime.run([{ program, feeds: one.feeds }]);
          for (const [tensor, expected] of Object.entries(evaluate(one.graph, one.feeds))) {
            const found = deviation(results![tensor]!, expected);
            compared++;
            const allowed = expected.dtype === 'float32' ? Math.max(usual, sample.tolerance ?? 0) : 0;
            if (!(found <= allowed)) deviating.push({ title, tensor, deviation: found });
          }
        } catch (error) {
          deviating.push({ title, tensor: String(error), deviation: Infinity });
        }
      }
    }
    return { name: runtime.name, compared, deviating };
  },

  async brokenPromises(backend: Backend): Promise<string[]> {
    return brokenPromises(await runtimeOf(backend));
  },

  async trainTiny(backend: Backend): Promise<number[]> {
    return trainTiny(await runtimeOf(backend));
  },

  async refusals(): Promise<string[]> {
    const attempts = [
      createWebRuntime({ backend: 'cuda' as never }),
      createWebRuntime({ threads: 0 }),
      createWebRuntime({ threads: 3, wasmPaths: 'elsewhere/' }),
      createWebRuntime({ backend: 'webgpu' }),
    ];
    return Promise.all(attempts.map((attempt) => attempt.then(String, (error: unknown) => String(error))));
  },

  /** What it says where ONNX Runtime's files are not where they were said to be. */
  async lostFiles(): Promise<string> {
    const runtime = await createWebRuntime({ wasmPaths: here('no-such-folder/') });
    return brokenPromises(runtime).then(String, String);
  },

  async hasGpu(): Promise<boolean> {
    const gpu = 'gpu' in navigator ? (navigator.gpu as { requestAdapter(): Promise<object | null> }) : undefined;
    return (await gpu?.requestAdapter()) != null;
  },

  /**
   * A product with a table, run again and again: bytes that went to the GPU for each run, and the first number of each result. The table's
   * numbers are doubled before each run but the first.
   */
  async keptTable(): Promise<{ bytes: number[]; first: number[]; table: number }> {
    const runtime = await runtimeOf('webgpu');
    const size = 256;
    const x = input('x', 'float32', [1, size]);
    const table = float32([size, size], new Float32Array(size * size).fill(1));
    const graph = { outputs: { y: matmul(x, input('table', 'float32', [size, size])) }, names: new Map() };
    using program = await runtime.compile(graph);
    const feeds = { x: float32([1, size], new Float32Array(size).fill(1 / size)), table };
    using sent = countSent();
    const [bytes, first]: [number[], number[]] = [[], []];
    const run = async (): Promise<void> => {
      const before = sent.bytes;
      const [outputs] = await runtime.run([{ program, feeds }]);
      bytes.push(sent.bytes - before);
      first.push(outputs!['y']!.data[0]!);
      table.data.set(table.data.map((value) => 2 * (value as number)) as Float32Array);
    };
    await run();
    await run();
    const [kept, again] = [runtime.keep!([table]), runtime.keep!([table])];
    await run();
    kept[Symbol.dispose]();
    kept[Symbol.dispose]();
    await run();
    again[Symbol.dispose]();
    await run();
    return { bytes, first, table: table.data.byteLength };
  },

  /** What a run says that reads a kept table for which the GPU has no room, and the first number of the run after it is let go. */
  async noRoom(): Promise<[said: string, after: number]> {
    const runtime = await runtimeOf('webgpu');
    const graph = { outputs: { y: exp(input('x', 'float32', [4])) }, names: new Map() };
    using program = await runtime.compile(graph);
    const x = float32([4], [0, 1, 2, 3]);
    const kept = runtime.keep!([x]);
    const { GPUDevice: device } = globalThis as unknown as {
      readonly GPUDevice: { readonly prototype: { createBuffer(options: { size: number }): object } };
    };
    const { createBuffer } = device.prototype;
    device.prototype.createBuffer = function (options) {
      return createBuffer.call(this, { ...options, size: 2 ** 50 });
    };
    const said = await runtime.run([{ program, feeds: { x } }]).then(String, String);
    device.prototype.createBuffer = createBuffer;
    kept[Symbol.dispose]();
    const [outputs] = await runtime.run([{ program, feeds: { x } }]);
    return [said, outputs!['y']!.data[0] as number];
  },

  /** What a run says when the GPU goes away, and what closing the runtime says then; no other test can use WebGPU after it. */
  async loseGpu(): Promise<string[]> {
    const runtime = await runtimeOf('webgpu');
    const graph = { outputs: { y: exp(input('x', 'float32', [1])) }, names: new Map() };
    const program = await runtime.compile(graph);
    const { env } = await import('onnxruntime-web/webgpu');
    ((await env.webgpu.device) as unknown as { destroy(): void }).destroy();
    const run = runtime.run([{ program, feeds: { x: float32([1], [1]) } }]);
    const said = await run.then(String, String);
    return [said, await runtime[Symbol.asyncDispose]().then(() => 'closed', String)];
  },

  threads(): { isolated: boolean; shared: boolean; workers: boolean } {
    return {
      isolated: globalThis.crossOriginIsolated,
      shared: typeof SharedArrayBuffer !== 'undefined',
      workers: typeof globalThis.document === 'undefined',
    };
  },
};
