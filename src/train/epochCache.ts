/** Keeps the epoch at hand, for what is made of one as a whole. */
export class EpochCache<T> {
  readonly #make: (epoch: number) => T;
  #last: { readonly epoch: number; readonly value: T } | undefined;

  constructor(make: (epoch: number) => T) {
    this.#make = make;
  }

  at(epoch: number): T {
    if (this.#last?.epoch !== epoch) this.#last = { epoch, value: this.#make(epoch) };
    return this.#last.value;
  }
}
