import { QkvError } from './errors.ts';

/**
 * Counter-based randomness: every number is a function of (key, counter), so nothing has to be saved but the seed and
 * the step. A stream is named by `deriveSeed(seed, step, site)`; element i of it depends on nothing but that key and i.
 *
 * Generator: Philox4x32-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011,
 * doi:10.1145/2063384.2063405; known answers: https://github.com/DEShawResearch/random123 (tests/kat_vectors).
 */

/** Two unsigned 32-bit words that name a stream. */
export type Key = readonly [number, number];
/** Four unsigned 32-bit words, a place in a stream; the last words may be left out and are then 0. */
export type Counter =
  | readonly [number]
  | readonly [number, number]
  | readonly [number, number, number]
  | readonly [number, number, number, number];
/** Where streams start: a user's seed (a safe integer ≥ 0), or a key derived from one. */
export type Seed = number | Key;

const TWO32 = 2 ** 32;
const ROUNDS = 10;

/** High word of the unsigned product a·b, by 16-bit halves; the low word is `Math.imul`. */
function mulHigh(a: number, b: number): number {
  const a0 = a & 0xffff;
  const a1 = a >>> 16;
  const b0 = b & 0xffff;
  const b1 = b >>> 16;
  const middle = a1 * b0 + ((a0 * b0) >>> 16); // below 2^32
  const cross = a0 * b1 + (middle & 0xffff); // below 2^32
  return (a1 * b1 + (middle >>> 16) + (cross >>> 16)) >>> 0;
}

/** One Philox block into `out`; the form without allocation that the fillers below run on. */
function philox(k0: number, k1: number, c0: number, c1: number, c2: number, c3: number, out: Uint32Array): void {
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = mulHigh(0xd2511f53, c0);
    const low0 = Math.imul(0xd2511f53, c0);
    const high1 = mulHigh(0xcd9e8d57, c2);
    const low1 = Math.imul(0xcd9e8d57, c2);
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1 >>> 0;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0 >>> 0;
    k0 = (k0 + 0x9e3779b9) >>> 0; // Weyl sequences: golden ratio, √3 − 1
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/** The four words (unsigned, 32 bits each) of stream `key` at `counter`. */
export function randomBits(key: Key, counter: Counter): [number, number, number, number] {
  const words = [...key, ...counter];
  for (const word of words) {
    if (!Number.isInteger(word) || word < 0 || word >= TWO32) {
      throw new QkvError('usage', { where: 'randomBits', got: `word ${word}`, expected: 'an unsigned 32-bit integer' });
    }
  }
  const out = new Uint32Array(4);
  const [k0 = 0, k1 = 0, c0 = 0, c1 = 0, c2 = 0, c3 = 0] = words;
  philox(k0, k1, c0, c1, c2, c3, out);
  return [out[0]!, out[1]!, out[2]!, out[3]!];
}

function toKey(seed: Seed): Key {
  if (typeof seed !== 'number') return seed;
  requireWhole('seed', seed);
  return [seed % TWO32, Math.floor(seed / TWO32)];
}

function requireWhole(where: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new QkvError('usage', { where, got: String(value), expected: 'a whole number from 0 to 2^53 − 1' });
  }
}

// Kinds of block that deriveSeed absorbs, so that the label 1 is not the label '1'.
const NUMBER_LABEL = 1;
const STRING_LABEL = 2;

/**
 * The key of the stream named by `labels`, e.g. `deriveSeed(seed, 'dropout', step, 'encoder.layers.0')`.
 * Each label is absorbed by a Philox block under the key so far, so two different lists of labels meet with
 * probability 2⁻⁶⁴, and `deriveSeed(deriveSeed(s, a), b)` is `deriveSeed(s, a, b)`.
 * Numbers must be safe integers ≥ 0.
 */
export function deriveSeed(seed: Seed, ...labels: readonly (string | number)[]): Key {
  let [k0, k1] = toKey(seed);
  const out = new Uint32Array(4);
  const absorb = (low: number, high: number, size: number, kind: number): void => {
    philox(k0, k1, low, high, size, kind, out);
    k0 = out[0]!;
    k1 = out[1]!;
  };
  for (const label of labels) {
    if (typeof label === 'number') {
      requireWhole('deriveSeed: label', label);
      absorb(label % TWO32, Math.floor(label / TWO32), 0, NUMBER_LABEL);
      continue;
    }
    // Four UTF-16 units a block. The units left are part of the block, so no string is a prefix of another.
    for (let at = 0; at === 0 || at < label.length; at += 4) {
      const unit = (i: number): number => (at + i < label.length ? label.charCodeAt(at + i) : 0);
      absorb((unit(0) | (unit(1) << 16)) >>> 0, (unit(2) | (unit(3) << 16)) >>> 0, label.length - at, STRING_LABEL);
    }
  }
  return [k0, k1];
}

/** 53 bits of two words as a float64 in [0, 1). */
function unit53(high: number, low: number): number {
  return ((high >>> 5) * 67108864 + (low >>> 6)) / 9007199254740992;
}

/** `count` float64 values, uniform on [0, 1) in steps of 2⁻⁵³. A longer call begins with a shorter one's values. */
export function uniform01(key: Key, count: number): Float64Array {
  const values = new Float64Array(count);
  const out = new Uint32Array(4);
  for (let i = 0; i < count; i += 2) {
    const block = i / 2;
    philox(key[0], key[1], block % TWO32, Math.floor(block / TWO32), 0, 0, out);
    values[i] = unit53(out[0]!, out[1]!);
    if (i + 1 < count) values[i + 1] = unit53(out[2]!, out[3]!);
  }
  return values;
}

/** Two standard normal values into `pair`: r = √(−2 ln u), (r cos 2πv, r sin 2πv), u in (0, 1], v in [0, 1). */
function boxMuller(key: Key, block: number, attempt: number, out: Uint32Array, pair: Float64Array): void {
  philox(key[0], key[1], block % TWO32, Math.floor(block / TWO32), attempt, 0, out);
  const radius = Math.sqrt(-2 * Math.log(1 - unit53(out[0]!, out[1]!)));
  const angle = 2 * Math.PI * unit53(out[2]!, out[3]!);
  pair[0] = radius * Math.cos(angle);
  pair[1] = radius * Math.sin(angle);
}

/** `count` float64 values of the standard normal distribution (Box and Muller 1958, doi:10.1214/aoms/1177706645). */
export function normal(key: Key, count: number): Float64Array {
  const values = new Float64Array(count);
  const out = new Uint32Array(4);
  const pair = new Float64Array(2);
  for (let i = 0; i < count; i += 2) {
    boxMuller(key, i / 2, 0, out, pair);
    values[i] = pair[0]!;
    if (i + 1 < count) values[i + 1] = pair[1]!;
  }
  return values;
}

/**
 * `count` float64 values of the standard normal distribution given that |value| ≤ `bound` (in standard deviations,
 * at least 0.1): a value outside is drawn again at the same place with the next attempt's counter.
 * Its standard deviation is below 1: 0.8796 for a bound of 2.
 */
export function truncatedNormal(key: Key, count: number, bound: number): Float64Array {
  if (!(bound >= 0.1)) {
    throw new QkvError('usage', { where: 'truncatedNormal: bound', got: String(bound), expected: 'at least 0.1' });
  }
  const values = normal(key, count);
  const out = new Uint32Array(4);
  const pair = new Float64Array(2);
  for (let i = 0; i < count; i++) {
    for (let attempt = 1; Math.abs(values[i]!) > bound; attempt++) {
      boxMuller(key, Math.floor(i / 2), attempt, out, pair);
      values[i] = pair[i % 2]!;
    }
  }
  return values;
}

/** Sequential draws from one stream, for algorithms whose number of draws is not known beforehand. */
export class RandomStream {
  readonly #key: Key;
  readonly #block = new Uint32Array(4);
  #drawn = 0;

  constructor(key: Key) {
    this.#key = key;
  }

  /** The next unsigned 32-bit word. */
  word(): number {
    const lane = this.#drawn % 4;
    if (lane === 0) {
      const block = this.#drawn / 4;
      philox(this.#key[0], this.#key[1], block % TWO32, Math.floor(block / TWO32), 0, 0, this.#block);
    }
    this.#drawn++;
    return this.#block[lane]!;
  }

  /** A whole number, uniform on 0 … n − 1, n from 1 to 2³². Words of the incomplete last cycle are drawn again: no bias. */
  below(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > TWO32) {
      throw new QkvError('usage', {
        where: 'RandomStream.below',
        got: String(n),
        expected: 'a whole number from 1 to 2^32',
      });
    }
    const limit = TWO32 - (TWO32 % n);
    let word = this.word();
    while (word >= limit) word = this.word();
    return word % n;
  }

  /** A float64, uniform on [0, 1) in steps of 2⁻⁵³. */
  uniform(): number {
    const high = this.word();
    return unit53(high, this.word());
  }

  /** A random order of 0 … n − 1, by Fisher and Yates' shuffle. */
  permutation(n: number): Uint32Array {
    const order = Uint32Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = this.below(i + 1);
      const held = order[i]!;
      order[i] = order[j]!;
      order[j] = held;
    }
    return order;
  }
}

/** A random order of 0 … n − 1, a function of (seed, step, n). */
export function permutation(seed: Seed, step: number, n: number): Uint32Array {
  return new RandomStream(deriveSeed(seed, 'permutation', step)).permutation(n);
}
