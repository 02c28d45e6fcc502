let largest = 0;

/** The largest array in bytes that was made since the last call, where `countAllocations` was called before. */
export function largestAllocation(): number {
  const bytes = largest;
  largest = 0;
  return bytes;
}

/** Counts in this thread what constructors of arrays and memories are asked for, before it is there. */
export function countAllocations(): void {
  const arrays = [Uint8Array, Int8Array, Uint8ClampedArray, Uint16Array, Int16Array, Uint32Array, Int32Array];
  for (const array of [...arrays, Float32Array, Float64Array, BigInt64Array, BigUint64Array]) {
    count(globalThis, array.name, ([length]) => (typeof length === 'number' ? length * array.BYTES_PER_ELEMENT : 0));
  }
  const bytes = ([length]: readonly unknown[]) => Number(length);
  count(globalThis, 'ArrayBuffer', bytes);
  count(globalThis, 'SharedArrayBuffer', bytes);
  const pages = ([size]: readonly unknown[]) => (size as { readonly initial: number }).initial * 65536;
  count(Reflect.get(globalThis, 'WebAssembly') as object, 'Memory', pages);
}

function count(holder: object, name: string, bytesOf: (args: readonly unknown[]) => number): void {
  const made = Reflect.get(holder, name) as new (...args: unknown[]) => object;
  const counting = new Proxy(made, {
    construct(target, args, newTarget) {
      largest = Math.max(largest, bytesOf(args));
      return Reflect.construct(target, args, newTarget);
    },
  });
  Object.defineProperty(holder, name, { value: counting, configurable: true, writable: true });
}
