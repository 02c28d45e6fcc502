import { memoryOf, type SharedMemory } from '../base/sharedFloats.ts';
import { flatKernelsWasm } from './flatKernels.gen.ts';
import { type AdamScalars, type FlatCall, runFlat } from './flatKernels.ts';

/** What is used of them; no library of the core has their types. */
declare const atob: (base64: string) => string;
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
};

/** A memory under its number, by which an engine knows it again. */
export interface NumberedMemory {
  readonly number: number;
  readonly memory: SharedMemory;
}

const memoryNumbers = new WeakMap<SharedMemory, number>();
let nextMemory = 0;

/** A call and, where WebAssembly can work on all of its arrays, their memories in the order of `arraysOf`. */
export interface WireFlatCall {
  readonly call: FlatCall;
  readonly memories: readonly NumberedMemory[] | null;
}

/** The arrays of a call that there is a WebAssembly kernel for. */
export function arraysOf(call: FlatCall): readonly Float32Array[] | null {
  switch (call.kernel) {
    case 'adam': {
      const { parameter, gradient, exp_avg, exp_avg_sq } = call.arrays;
      return [parameter, gradient, exp_avg, exp_avg_sq];
    }
    case 'accumulate':
      return [call.sum, call.part];
    case 'sumOfSquares':
      return [call.x];
    default:
      return null;
  }
}

/** The call with the memories of its arrays, which `sharedFloats` knows in the thread that made them. */
export function onMemories(call: FlatCall): WireFlatCall {
  const memories = arraysOf(call)?.map((array): NumberedMemory | undefined => {
    const memory = memoryOf(array);
    if (!memory) return undefined;
    const number = memoryNumbers.get(memory) ?? nextMemory++;
    memoryNumbers.set(memory, number);
    return { number, memory };
  });
  return { call, memories: memories?.every((memory) => memory !== undefined) ? memories : null };
}

interface Exports {
  readonly adam: (...args: number[]) => void;
  readonly accumulate: (sum: number, part: number, bytes: number) => void;
  readonly sumOfSquares: (x: number, bytes: number) => number;
}

/** Sets of arrays whose instances are kept; those used longest ago go first, so that arrays of the past can be collected. */
const KEPT = 16;

/** Runs flat calls: by WebAssembly where it can, four elements at a time, else by the plain loops. */
export class SimdKernels {
  readonly #module = compiled();
  readonly #instances = new Map<string, Exports>();

  run({ call, memories }: WireFlatCall): number {
    const arrays = arraysOf(call);
    const whole = arrays ? arrays[0]!.length & ~3 : 0;
    if (!arrays || !memories || !this.#module || whole === 0) return runFlat(call);
    const { adam, accumulate, sumOfSquares } = this.#instance(this.#module, memories);
    const offsets = arrays.map(({ byteOffset }) => byteOffset);
    const [first, second] = offsets as [number, number];
    const rest = (x: Float32Array): Float32Array => x.subarray(whole);
    switch (call.kernel) {
      case 'adam': {
        adam(...offsets, 4 * whole, ...adamFactors(call.scalars));
        const { parameter, gradient, exp_avg, exp_avg_sq } = call.arrays;
        return runFlat({
          ...call,
          arrays: {
            parameter: rest(parameter),
            gradient: rest(gradient),
            exp_avg: rest(exp_avg),
            exp_avg_sq: rest(exp_avg_sq),
          },
        });
      }
      case 'accumulate':
        accumulate(first, second, 4 * whole);
        return runFlat({ ...call, sum: rest(call.sum), part: rest(call.part) });
      case 'sumOfSquares':
        return sumOfSquares(first, 4 * whole) + runFlat({ ...call, x: rest(call.x) });
      default:
        return runFlat(call);
    }
  }

  /** The module on these memories; kernels of fewer than four arrays do not look at the others. */
  #instance(module: object, memories: readonly NumberedMemory[]): Exports {
    const key = memories.map(({ number }) => number).join();
    const known = this.#instances.get(key);
    this.#instances.delete(key);
    const imports = [0, 1, 2, 3].map((i) => [i, (memories[i] ?? memories[0]!).memory]);
    const instance =
      known ?? (new WebAssembly.Instance(module, { memories: Object.fromEntries(imports) }).exports as Exports);
    this.#instances.set(key, instance);
    if (this.#instances.size > KEPT) this.#instances.delete(this.#instances.keys().next().value!);
    return instance;
  }
}

/** Undefined in engines that lack several memories in a module. */
function compiled(): object | undefined {
  try {
    return new WebAssembly.Module(Uint8Array.from(atob(flatKernelsWasm), (char) => char.charCodeAt(0)));
  } catch {
    return undefined;
  }
}

/** The factors of the update in flatKernels.ts, in the order of the kernel's parameters. */
function adamFactors(scalars: AdamScalars): number[] {
  const { gradientScale, learningRate, beta1, beta2, eps, weightDecay, decoupled, step } = scalars;
  const coupled = decoupled ? 0 : weightDecay;
  const keep = decoupled ? 1 - learningRate * weightDecay : 1;
  const root = 1 / Math.sqrt(1 - beta2 ** step);
  const rate = learningRate / (1 - beta1 ** step);
  return [gradientScale, coupled, beta1, 1 - beta1, beta2, 1 - beta2, root, eps, keep, rate];
}
