import gpuMjs from 'onnxruntime-web/ort-wasm-simd-threaded.asyncify.mjs?url';
import gpuWasm from 'onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?url';
import mjs from 'onnxruntime-web/ort-wasm-simd-threaded.mjs?url';
import wasm from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url';
import { type Backend, createWebRuntime, evaluate, type Runtime } from '../../../src/web.ts';
import { deviation } from '../../ops/deviation.ts';
import { allSamples, buildSample, withGradients } from '../../ops/samples.ts';
import { brokenPromises } from '../../runtime/runtimeContract.ts';
import { trainTiny } from '../../runtime/trainTiny.ts';
import type { Conformance, Deviating } from '../conformance.ts';

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

  threads(): { isolated: boolean; shared: boolean; workers: boolean } {
    return {
      isolated: globalThis.crossOriginIsolated,
      shared: typeof SharedArrayBuffer !== 'undefined',
      workers: typeof globalThis.document === 'undefined',
    };
  },
};
