import type { Backend } from '../../../../src/runtime/web/ort.ts';
import type { Training } from '../training/contract.ts';
import type { Engine, EngineError } from './contract.ts';
import type { Places } from './openSource.ts';

/** What a call of the engine came to, as it crosses threads: comlink keeps of an error only its message. */
export type Outcome<T> = { readonly value: T } | { readonly error: EngineError };

/** What a worker can be: one thread computes for the views, another trains. */
export interface Services {
  readonly engine: Engine;
  readonly training: Training;
}

/** A service as its worker exposes it. */
export interface RemoteService {
  /** Must be called first. Models, texts and ONNX Runtime's files lie beside the page. */
  start(service: keyof Services, places: Places, backend: Backend): Promise<void>;
  call(name: string, ...args: unknown[]): Promise<Outcome<unknown>>;
}

/** The buffers of the large arrays in a result, which go to the page instead of being copied. */
export function buffersIn(value: unknown, found: Set<ArrayBuffer> = new Set()): Set<ArrayBuffer> {
  if (value instanceof Float32Array) {
    const { buffer, byteLength } = value;
    // a view of something larger is copied, so that the rest stays where it is
    if (buffer instanceof ArrayBuffer && byteLength === buffer.byteLength && byteLength > 0) found.add(buffer);
  } else if (typeof value === 'object' && value !== null) {
    for (const part of Object.values(value)) buffersIn(part, found);
  }
  return found;
}
