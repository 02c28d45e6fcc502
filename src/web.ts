/**
 * qkv in a page: the runtime on ONNX Runtime for WebAssembly and WebGPU, and where models come from there. The rest is in `qkv`, which
 * this has too.
 */
export { filesStorage } from './checkpoint/filesStorage.web.ts';
export { type FileProgress, type HttpStorageOptions, httpStorage } from './checkpoint/httpStorage.web.ts';
export { opfsStorage } from './checkpoint/opfsStorage.web.ts';
export type { HubProgress } from './hub/hubProgress.ts';
export { type HubStorageOptions, hubStorage } from './hub/hubStorage.web.ts';
export * from './index.ts';
export type { Backend, WasmPaths } from './runtime/web/ort.ts';
export { createWebRuntime, type WebRuntime, type WebRuntimeOptions } from './runtime/web/web.ts';
