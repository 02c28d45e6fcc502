import type { HostTensor } from '../../base/tensor.ts';
import type { WireTensor, WireValue } from './protocol.ts';

/**
 * Tensors that an engine thread knows. One on shared memory crosses the thread boundary once, then its number does: a step
 * of a decoder has hundreds of parameters, caches and targets, and to write and read a view of each takes milliseconds.
 * What nothing here refers to any longer is forgotten there too.
 */
export class SentTensors {
  readonly #numbers = new WeakMap<HostTensor, number>();
  readonly #collected = new FinalizationRegistry<number>((number) => this.#forget.push(number));
  #learn: [number, WireTensor][] = [];
  #forget: number[] = [];
  #next = 0;

  refer(tensors: Readonly<Record<string, HostTensor>>): Record<string, WireValue> {
    return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, this.#refer(tensor)]));
  }

  /** What the engine has to learn before what was referred to since, and what it can forget. */
  news(): { readonly learn: readonly [number, WireTensor][]; readonly forget: readonly number[] } {
    const news = { learn: this.#learn, forget: this.#forget };
    this.#learn = [];
    this.#forget = [];
    return news;
  }

  #refer(tensor: HostTensor): WireValue {
    if (!(tensor.data.buffer instanceof SharedArrayBuffer)) return tensor;
    const known = this.#numbers.get(tensor);
    if (known !== undefined) return known;
    const number = this.#next++;
    const { dtype, shape, data } = tensor;
    this.#numbers.set(tensor, number);
    this.#collected.register(tensor, number);
    this.#learn.push([number, { dtype, shape, data }]);
    return number;
  }
}
