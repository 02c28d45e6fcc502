import type { Backend, WasmPaths } from '../../../../src/runtime/web/ort.ts';

/** ONNX Runtime's own files, which lie beside the page. */
export function ortFiles(baseUrl: string, backend: Backend = 'wasm'): WasmPaths {
  const name = `ort/ort-wasm-simd-threaded${backend === 'webgpu' ? '.asyncify' : ''}`;
  const file = (ending: string): string => new URL(`${name}.${ending}`, baseUrl).href;
  return { mjs: file('mjs'), wasm: file('wasm') };
}
