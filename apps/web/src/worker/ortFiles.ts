import type { Backend, WasmPaths } from '../../../../src/runtime/web/ort.ts';

const names = {
  wasm: { mjs: 'ort-wasm-simd-threaded.mjs', wasm: 'ort-wasm-simd-threaded.wasm' },
  webgpu: { mjs: 'ort-wasm-simd-threaded.asyncify.mjs', wasm: 'ort-wasm-simd-threaded.asyncify.wasm' },
} as const;

/** ONNX Runtime's own files, which lie in `ort/` beside the page. */
export const ortFileNames: readonly string[] = Object.values(names).flatMap(({ mjs, wasm }) => [mjs, wasm]);

/** Where those of a backend are. */
export function ortFiles(baseUrl: string, backend: Backend = 'wasm'): WasmPaths {
  const { mjs, wasm } = names[backend];
  return { mjs: new URL(`ort/${mjs}`, baseUrl).href, wasm: new URL(`ort/${wasm}`, baseUrl).href };
}
