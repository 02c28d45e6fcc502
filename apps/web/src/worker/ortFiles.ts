import type { WasmPaths } from '../../../../src/runtime/web/ort.ts';

/** ONNX Runtime's own files, which lie beside the page. */
export function ortFiles(baseUrl: string): WasmPaths {
  const file = (ending: string): string => new URL(`ort/ort-wasm-simd-threaded.${ending}`, baseUrl).href;
  return { mjs: file('mjs'), wasm: file('wasm') };
}
