/** A 64-bit hash of token ids, in hexadecimal: tells whether data are what they were, guards against no one. */
export class Fingerprint {
  // FNV-1a on two lanes with different offsets, http://www.isthe.com/chongo/tech/comp/fnv/
  #a = 0x811c9dc5;
  #b = 0x01234567;

  add(ids: ArrayLike<number>): this {
    this.#mix(ids.length);
    for (let i = 0; i < ids.length; i++) this.#mix(ids[i]!);
    return this;
  }

  #mix(word: number): void {
    this.#a = Math.imul(this.#a ^ word, 0x01000193);
    this.#b = Math.imul(this.#b ^ (word + 0x9e3779b9), 0x01000193);
    this.#b ^= this.#b >>> 15;
  }

  get text(): string {
    return [this.#a, this.#b].map((lane) => (lane >>> 0).toString(16).padStart(8, '0')).join('');
  }
}
