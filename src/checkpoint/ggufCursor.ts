import { brief } from '../base/brief.ts';
import { QkvError } from '../base/errors.ts';
import { decodeUtf8 } from './utf8.ts';

export type GgufScalar = number | bigint | boolean | string;
/** 64-bit numbers beyond 2^53 are bigints. */
export type GgufValue = GgufScalar | readonly GgufScalar[];

/** The bytes at hand end before the header does, and the file goes on. */
export class GgufTooShort extends Error {}

export function ggufFault(where: string, got: string, expected: string): QkvError {
  return new QkvError('checkpoint', {
    where,
    got,
    expected,
    hint: 'The file is damaged or of a kind that is not read: fetch or convert it again',
  });
}

const arrayType = 9;
/** `gguf_type` by its number: the least bytes of one, and how it is read. */
const types: readonly (readonly [bytes: number, read: (cursor: GgufCursor) => GgufScalar] | undefined)[] = [
  [1, (c) => c.view(1, (v, at) => v.getUint8(at))],
  [1, (c) => c.view(1, (v, at) => v.getInt8(at))],
  [2, (c) => c.view(2, (v, at) => v.getUint16(at, true))],
  [2, (c) => c.view(2, (v, at) => v.getInt16(at, true))],
  [4, (c) => c.uint32()],
  [4, (c) => c.view(4, (v, at) => v.getInt32(at, true))],
  [4, (c) => c.view(4, (v, at) => v.getFloat32(at, true))],
  [1, (c) => c.boolean()],
  [8, (c) => c.string()],
  undefined, // an array
  [8, (c) => narrow(c.view(8, (v, at) => v.getBigUint64(at, true)))],
  [8, (c) => narrow(c.view(8, (v, at) => v.getBigInt64(at, true)))],
  [8, (c) => c.view(8, (v, at) => v.getFloat64(at, true))],
];

function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** Reads the fields of a GGUF header from the first bytes of a file. */
export class GgufCursor {
  readonly fileBytes: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #where: string;
  #at = 0;

  constructor(bytes: Uint8Array, fileBytes: number, where: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.fileBytes = fileBytes;
    this.#where = where;
  }

  get at(): number {
    return this.#at;
  }

  /** Bytes of the file from here on. */
  get remaining(): number {
    return this.fileBytes - this.#at;
  }

  view<T>(length: number, read: (view: DataView, at: number) => T): T {
    this.#need(length);
    const value = read(this.#view, this.#at);
    this.#at += length;
    return value;
  }

  uint32(): number {
    return this.view(4, (view, at) => view.getUint32(at, true));
  }

  uint64(): number {
    const value = this.view(8, (view, at) => view.getBigUint64(at, true));
    if (value > Number.MAX_SAFE_INTEGER) throw this.#fault(`the number ${value}`, 'one below 2^53');
    return Number(value);
  }

  /** How many things follow, each of at least `leastBytes`. */
  count(what: string, leastBytes: number): number {
    const value = this.view(8, (view, at) => view.getBigUint64(at, true));
    const most = Math.floor(this.remaining / leastBytes);
    if (value > most)
      throw this.#fault(`${value} ${what}`, `at most ${most}: the file has ${this.remaining} bytes more`);
    return Number(value);
  }

  boolean(): boolean {
    const byte = this.view(1, (view, at) => view.getUint8(at));
    if (byte > 1) throw this.#fault(`the bool ${byte}`, '0 or 1');
    return byte === 1;
  }

  string(): string {
    const length = this.count('bytes of text', 1);
    this.#need(length);
    const bytes = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    try {
      return decodeUtf8(bytes);
    } catch {
      throw this.#fault('text that is not UTF-8', 'UTF-8');
    }
  }

  /** A type and a value of it. `key`: whose, for messages. */
  value(key: string): GgufValue {
    const type = this.uint32();
    const isArray = type === arrayType;
    const elementType = isArray ? this.uint32() : type;
    const [bytes, read] = types[elementType] ?? [];
    if (!read) {
      const got = isArray && elementType === arrayType ? 'an array of arrays' : `the type ${elementType}`;
      throw ggufFault(
        `${this.#where}: ${key.slice(0, 100)}`,
        got,
        `a type from 0 to ${types.length - 1}, or an array of them`,
      );
    }
    if (!isArray) return read(this);
    const count = this.count(`elements of ${brief(key)}`, bytes!);
    const values: GgufScalar[] = [];
    for (let i = 0; i < count; i++) values.push(read(this));
    return values;
  }

  #need(length: number): void {
    if (length > this.remaining)
      throw this.#fault(`a file of ${this.fileBytes} bytes`, `${length} bytes more from here`);
    if (this.#at + length > this.#bytes.length) throw new GgufTooShort();
  }

  #fault(got: string, expected: string): QkvError {
    return ggufFault(`${this.#where}: header, byte ${this.#at}`, got, expected);
  }
}
