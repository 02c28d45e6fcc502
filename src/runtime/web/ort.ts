import type * as OrtModule from 'onnxruntime-web';
import { QkvError } from '../../base/errors.ts';

export type Ort = typeof OrtModule;
export type Backend = 'wasm' | 'webgpu';

/** Where ONNX Runtime's own files lie. */
export type WasmPaths = string | { readonly mjs: string; readonly wasm: string };

export interface OrtSettings {
  readonly threads: number;
  readonly wasmPaths: WasmPaths | undefined;
}

const opened = new Map<Backend, { readonly ort: Promise<Ort>; readonly settings: OrtSettings }>();

/**
 * ONNX Runtime for a backend, loaded when it is first asked for: `onnxruntime-web/wasm` is small, `/webgpu` twice as large. Its
 * settings are those of the first call: a thread has one instance of each.
 *
 * @throws QkvError `usage` for other settings later, `runtime` where its files cannot be loaded
 */
export async function openOrt(backend: Backend, settings: OrtSettings): Promise<Ort> {
  const known = opened.get(backend);
  if (known && JSON.stringify(known.settings) !== JSON.stringify(settings)) {
    throw new QkvError('usage', {
      where: 'web runtime',
      got: JSON.stringify(settings),
      expected: `${JSON.stringify(known.settings)}, with which it was first made in this thread`,
    });
  }
  if (known) return known.ort;
  const ort = load(backend, settings);
  opened.set(backend, { ort, settings });
  ort.catch(() => opened.delete(backend));
  return ort;
}

async function load(backend: Backend, { threads, wasmPaths }: OrtSettings): Promise<Ort> {
  try {
    const ort = await (backend === 'webgpu' ? import('onnxruntime-web/webgpu') : import('onnxruntime-web/wasm'));
    ort.env.wasm.numThreads = threads;
    ort.env.wasm.proxy = false;
    ort.env.logLevel = 'error';
    if (wasmPaths !== undefined) ort.env.wasm.wasmPaths = wasmPaths;
    return ort;
  } catch (cause) {
    throw new QkvError('runtime', { where: `onnxruntime-web/${backend}`, got: `it does not load: ${cause}`, cause });
  }
}
