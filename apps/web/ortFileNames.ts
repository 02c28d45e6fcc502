/** ONNX Runtime's own files that lie beside the page, for WebAssembly and for WebGPU. */
export const ortFileNames: readonly string[] = ['mjs', 'wasm', 'asyncify.mjs', 'asyncify.wasm'].map(
  (ending) => `ort-wasm-simd-threaded.${ending}`,
);
