import { float32, type HostTensor } from '../base/tensor.ts';
import type { CacheShape } from '../models/model.ts';
import type { Tensors } from '../runtime/runtime.ts';
import { sharedTensor } from '../runtime/sharedTensor.ts';

/**
 * Slots are added this many steps at a time, and an eighth of those that are there: each growth moves the cache, each free
 * slot costs a little attention.
 */
const GROWTH_STEPS = 16;

/**
 * Keys and values of a batch of inputs, `past.<i>.key` and `.value` [B, H, capacity, K] on SharedArrayBuffers. New ones
 * are written into the next slots in place; nothing is moved when paths fork, swap or end, since which path sees which
 * slot is said elsewhere (`Decoding`). Free slots hold zeros, or what is left of a path that ended.
 */
export class SlotCache {
  readonly #shape: CacheShape;
  #batch: number;
  #capacity = 0;
  #used = 0;
  #tensors: Record<string, HostTensor> = {};

  constructor(shape: CacheShape, batch: number) {
    this.#shape = shape;
    this.#batch = batch;
  }

  get tensors(): Tensors {
    return this.#tensors;
  }

  /** Slots that a program is given. */
  get capacity(): number {
    return this.#capacity;
  }

  get used(): number {
    return this.#used;
  }

  /** Makes room for `count` more slots, and for those of several such steps. */
  reserve(count: number): void {
    if (this.#used + count > this.#capacity)
      this.#grow(this.#capacity + Math.max(GROWTH_STEPS * count, this.#capacity >> 3));
  }

  /** Writes `present.<i>.key` and `.value` [B, H, count, K] into the next slots. */
  append(presents: Tensors, count: number): void {
    if (this.#used + count > this.#capacity) this.#grow(this.#used + count);
    const { layers, heads, headSize } = this.#shape;
    const block = count * headSize;
    for (let i = 0; i < layers; i++) {
      for (const part of ['key', 'value']) {
        const from = presents[`present.${i}.${part}`]!.data as Float32Array;
        const to = this.#tensors[`past.${i}.${part}`]!.data as Float32Array;
        copyBlocks(from, to, this.#batch * heads, block, block, this.#capacity * headSize, this.#used * headSize);
      }
    }
    this.#used += count;
  }

  #grow(capacity: number): void {
    const { layers, heads, headSize } = this.#shape;
    const [old, blocks] = [this.#tensors, this.#batch * heads];
    this.#tensors = {};
    // one piece of memory for all: to map and clear a hundred small ones takes longer than to fill them
    const all = sharedTensor('float32', [layers, 2, this.#batch, heads, capacity, headSize]).data as Float32Array;
    const size = blocks * capacity * headSize;
    for (let i = 0; i < layers; i++) {
      for (const [p, part] of ['key', 'value'].entries()) {
        const name = `past.${i}.${part}`;
        const data = all.subarray((2 * i + p) * size, (2 * i + p + 1) * size);
        const from = old[name]?.data as Float32Array | undefined;
        const [used, oldStride] = [this.#used * headSize, this.#capacity * headSize];
        if (from) copyBlocks(from, data, blocks, used, oldStride, capacity * headSize, 0);
        this.#tensors[name] = float32([this.#batch, heads, capacity, headSize], data);
      }
    }
    this.#capacity = capacity;
  }

  /** Drops all inputs of the batch but those at `rows`, in rising order. */
  keep(rows: readonly number[]): void {
    for (const [name, tensor] of Object.entries(this.#tensors)) this.#tensors[name] = keepRows(tensor, rows);
    this.#batch = rows.length;
  }
}

/** `count` blocks of `size` elements, the starts `fromStride` and `toStride` apart. */
function copyBlocks(
  from: Float32Array,
  to: Float32Array,
  count: number,
  size: number,
  fromStride: number,
  toStride: number,
  toStart: number,
): void {
  for (let block = 0; block < count; block++) {
    let source = block * fromStride;
    let target = toStart + block * toStride;
    for (let end = source + size; source < end; source++, target++) to[target] = from[source]!;
  }
}

/** A tensor without the rows of its first axis that are not named (in rising order): moved together in place. */
export function keepRows<T extends HostTensor>(tensor: T, rows: readonly number[]): T {
  const [batch, ...rest] = tensor.shape;
  const size = tensor.data.length / batch!;
  rows.forEach((row, i) => {
    if (row !== i) tensor.data.copyWithin(i * size, row * size, (row + 1) * size);
  });
  return { ...tensor, shape: [rows.length, ...rest], data: tensor.data.subarray(0, rows.length * size) };
}
