import { QkvError } from './errors.ts';

/** A `WebAssembly.Memory` that threads share, as far as it is used here: these types are in no library of the core. */
export interface SharedMemory {
  readonly buffer: SharedArrayBuffer;
}
declare const WebAssembly: {
  readonly Memory: new (size: { initial: number; maximum: number; shared: true }) => SharedMemory;
};

const PAGE = 65536;
const MAX_PAGES = 65536;
/** Distance of the first element from the start of the memory, times the number of the array modulo 16: 5 pages and a cache line. */
const STAGGER = 5 * 4096 + 64;

const memories = new WeakMap<ArrayBufferLike, SharedMemory>();
let made = 0;

/** Whether there is memory that threads share: always in Node, in a page only where its headers isolate it (COOP and COEP). */
export const canShare: boolean = typeof SharedArrayBuffer !== 'undefined';

/** Whether engines read this memory in place: it is shared, or nothing is, and then they are in this thread. */
export function isInPlace(buffer: ArrayBufferLike): boolean {
  return !canShare || buffer instanceof SharedArrayBuffer;
}

/**
 * Zeros that engines read in place: on a SharedArrayBuffer where there are any.
 *
 * @throws QkvError `runtime` where there is not so much memory
 */
export function sharedBuffer(bytes: number): ArrayBufferLike {
  try {
    return canShare ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes);
  } catch (cause) {
    const expected = 'as many as the machine has to give';
    throw new QkvError('runtime', { where: 'memory for parameters', got: `${bytes} bytes`, expected, cause });
  }
}

/**
 * Zeros that threads share and that WebAssembly can work on in place. Each array has a memory of its own. Memories lie
 * at multiples of gigabytes, where equal offsets compete for the same lines of a core's first cache: a loop over four
 * arrays was five times as slow, so each array starts at another offset. An array too large for a memory, or one more than
 * the process may reserve addresses for, is on a plain SharedArrayBuffer; where threads share nothing, on an ArrayBuffer.
 *
 * @throws QkvError `runtime` where there is not so much memory
 */
export function sharedFloats(length: number): Float32Array {
  const offset = (made++ % 16) * STAGGER;
  const pages = Math.ceil((offset + 4 * length) / PAGE);
  const memory = canShare && pages <= MAX_PAGES ? reserve(pages) : undefined;
  if (!memory) return new Float32Array(sharedBuffer(4 * length));
  memories.set(memory.buffer, memory);
  return new Float32Array(memory.buffer, offset, length);
}

/** The memory under a view of an array that `sharedFloats` made in this thread. */
export function memoryOf(view: Float32Array): SharedMemory | undefined {
  return memories.get(view.buffer);
}

function reserve(pages: number): SharedMemory | undefined {
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
