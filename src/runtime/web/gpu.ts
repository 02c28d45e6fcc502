import type { InferenceSession, Tensor } from 'onnxruntime-web';
import { QkvError } from '../../base/errors.ts';
import type { HostTensor } from '../../base/tensor.ts';
import type { Graph } from '../../graph/graph.ts';
import { lower } from '../../onnx/lower.ts';
import { exp } from '../../ops/elementwise.ts';
import { input } from '../../ops/leaf.ts';
import type { Ort } from './ort.ts';

/* The parts of WebGPU that are used here: the types of pages do not have them. */

interface GpuBuffer {
  getMappedRange(): ArrayBuffer;
  unmap(): void;
  destroy(): void;
}

interface GpuDevice {
  readonly lost: Promise<{ readonly reason: string; readonly message: string }>;
  createBuffer(options: { size: number; usage: number; mappedAtCreation: boolean }): GpuBuffer;
  pushErrorScope(filter: 'validation' | 'out-of-memory'): void;
  popErrorScope(): Promise<{ readonly message: string } | null>;
}

interface NavigatorGpu {
  requestAdapter(): Promise<object | null>;
}

/** `COPY_SRC | COPY_DST | STORAGE` of https://www.w3.org/TR/webgpu/#namespacedef-gpubufferusage */
const USAGE = 0x04 | 0x08 | 0x80;
/** ONNX Runtime reads vectors of four numbers: its own buffers are multiples of their size. */
const MULTIPLE = 16;

interface Placed {
  readonly buffer: GpuBuffer;
  readonly tensor: Tensor;
}

interface Kept {
  users: number;
  placed?: Promise<Placed>;
}

/** The GPU that ONNX Runtime computes on: what lies on it from one run to the next, and that it can go away. */
export class Gpu {
  readonly #ort: Ort;
  readonly #kept = new Map<HostTensor['data'], Kept>();
  isLost = false;
  #anchor: InferenceSession | undefined;
  #device: GpuDevice | undefined;
  #lost: Promise<never> | undefined;

  constructor(ort: Ort) {
    this.#ort = ort;
  }

  /** Must be called before another session is made. ONNX Runtime's device goes with the last of them: one stays here. */
  async start(options: InferenceSession.SessionOptions): Promise<void> {
    if (this.#anchor) return;
    const graph: Graph = { outputs: { y: exp(input('x', 'float32', [1])) }, names: new Map() };
    this.#anchor = await this.#ort.InferenceSession.create(lower(graph).bytes, options);
    const device = (await this.#ort.env.webgpu.device) as GpuDevice;
    this.#device = device;
    this.#lost = device.lost.then(({ reason, message }) => {
      this.isLost = true;
      throw new QkvError('runtime', {
        where: 'WebGPU',
        got: `a GPU that was lost (${reason || 'unknown'}): ${message || 'the browser does not say why'}`,
        hint: "Reload the page, or use the backend 'wasm'",
      });
    });
    this.#lost.catch(() => {});
  }

  /** The result, unless the GPU is lost before: ONNX Runtime may wait for it for ever. */
  orLost<T>(result: Promise<T>): Promise<T> {
    return this.#lost ? Promise.race([result, this.#lost]) : result;
  }

  /** From now on these stay where they are used first, until they were let go as often as kept. */
  keep(tensors: Iterable<HostTensor>): void {
    for (const { dtype, data } of tensors) {
      if (dtype !== 'float32') continue; // what counts and shapes is read by the processor
      const kept = this.#kept.get(data);
      if (kept) kept.users++;
      else this.#kept.set(data, { users: 1 });
    }
  }

  letGo(tensors: Iterable<HostTensor>): void {
    for (const { data } of tensors) {
      const kept = this.#kept.get(data);
      if (!kept || --kept.users > 0) continue;
      this.#kept.delete(data);
      destroy(kept);
    }
  }

  async close(): Promise<void> {
    for (const kept of this.#kept.values()) destroy(kept);
    this.#kept.clear();
    await this.#anchor?.release();
  }

  /** The tensor on the GPU, where it is kept. @throws QkvError `runtime` where it has no room for it */
  async find({ shape, data }: HostTensor): Promise<Tensor | undefined> {
    const kept = this.#kept.get(data);
    if (!kept || !this.#device || data.length === 0) return undefined;
    kept.placed ??= this.#place(this.#device, shape, data as Float32Array);
    return (await kept.placed).tensor;
  }

  async #place(device: GpuDevice, shape: readonly number[], data: Float32Array): Promise<Placed> {
    const size = Math.ceil(data.byteLength / MULTIPLE) * MULTIPLE;
    // A buffer that cannot be made looks like any other, and reads as nothing.
    device.pushErrorScope('out-of-memory');
    device.pushErrorScope('validation');
    let buffer: GpuBuffer | undefined;
    let cause: unknown;
    try {
      buffer = device.createBuffer({ size, usage: USAGE, mappedAtCreation: true });
      new Float32Array(buffer.getMappedRange()).set(data);
      buffer.unmap();
    } catch (error) {
      cause = error;
    }
    const failures = await Promise.all([device.popErrorScope(), device.popErrorScope()]);
    cause ??= failures.find((failure) => failure !== null);
    if (buffer && !cause) {
      const tensor = this.#ort.Tensor.fromGpuBuffer(buffer as never, { dataType: 'float32', dims: shape });
      return { buffer, tensor: tensor as Tensor };
    }
    throw new QkvError('runtime', {
      where: 'WebGPU',
      got: `no room for weights [${shape.join(', ')}], ${size} bytes: ${(cause as Error).message}`,
      hint: "A smaller model, or the backend 'wasm'",
      cause,
    });
  }
}

function destroy({ placed }: Kept): void {
  placed?.then(
    ({ buffer }) => buffer.destroy(),
    () => {},
  );
}

/** @throws QkvError `runtime` where pages get no GPU */
export async function requireGpu(): Promise<void> {
  const gpu = 'gpu' in navigator ? (navigator.gpu as NavigatorGpu) : undefined;
  const adapter = await gpu?.requestAdapter();
  if (adapter) return;
  throw new QkvError('runtime', {
    where: 'WebGPU',
    got: gpu ? 'no GPU that the browser lets pages use' : 'a browser, or an address that is not https, without it',
    hint: "Use the backend 'wasm'",
  });
}
