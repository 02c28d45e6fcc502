import { QkvError } from '../base/errors.ts';

/** What the compact protocol of Thrift has: 64-bit numbers are rounded to what a number holds. */
export type ThriftValue = boolean | number | Uint8Array | readonly ThriftValue[] | ThriftStruct;
/** The fields by their numbers. */
export type ThriftStruct = ReadonlyMap<number, ThriftValue>;

/** Structs within structs and lists; parquet needs 8. */
const MAX_DEPTH = 32;
/** Of 7 bits each: what 64 bits need. */
const MAX_VARINT_BYTES = 10;

/**
 * Reads numbers and structs from bytes that may be damaged, never beyond their end.
 * https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
 */
export class ThriftCursor {
  readonly bytes: Uint8Array;
  readonly where: string;
  at: number;
  readonly #end: number;

  constructor(bytes: Uint8Array, where: string, at = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.where = where;
    this.at = at;
    this.#end = end;
  }

  get left(): number {
    return this.#end - this.at;
  }

  refuse(got: string, expected: string): QkvError {
    return new QkvError('data', { where: this.where, got, expected, hint: 'The file is damaged: make it again' });
  }

  /** Goes on by so many bytes; gives the place before. */
  skip(count: number): number {
    if (!(count >= 0 && count <= this.left))
      throw this.refuse(`${count} bytes`, `at most ${this.left}, where they end`);
    const before = this.at;
    this.at += count;
    return before;
  }

  /** A cursor of its own for some of the bytes. */
  part(start: number, end: number): ThriftCursor {
    return new ThriftCursor(this.bytes, this.where, start, end);
  }

  byte(): number {
    return this.bytes[this.skip(1)]!;
  }

  uint32(): number {
    return new DataView(this.bytes.buffer, this.bytes.byteOffset + this.skip(4)).getUint32(0, true);
  }

  varint(): number {
    let value = 0;
    for (let i = 0; i < MAX_VARINT_BYTES; i++) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return value;
    }
    throw this.refuse('a number without an end', `one of at most ${MAX_VARINT_BYTES} bytes`);
  }

  zigzag(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  struct(depth = 0): ThriftStruct {
    if (depth > MAX_DEPTH) throw this.refuse('structs in each other without an end', `at most ${MAX_DEPTH}`);
    const fields = new Map<number, ThriftValue>();
    for (let id = 0; ; ) {
      const head = this.byte();
      if ((head & 0x0f) === 0) return fields;
      id = head >> 4 === 0 ? this.zigzag() : id + (head >> 4);
      fields.set(id, this.#value(head & 0x0f, depth));
    }
  }

  #value(type: number, depth: number): ThriftValue {
    switch (type) {
      case 1:
      case 2:
        return type === 1;
      case 3:
        return this.byte();
      case 4:
      case 5:
      case 6:
        return this.zigzag();
      case 7:
        return new DataView(this.bytes.buffer, this.bytes.byteOffset + this.skip(8)).getFloat64(0, true);
      case 8: {
        const length = this.varint();
        const start = this.skip(length);
        return this.bytes.subarray(start, start + length);
      }
      case 9:
        return this.#list(depth);
      case 12:
        return this.struct(depth + 1);
      default:
        throw this.refuse(`a value of type ${type}`, 'a type that parquet uses');
    }
  }

  #list(depth: number): ThriftValue[] {
    if (depth > MAX_DEPTH) throw this.refuse('lists in each other without an end', `at most ${MAX_DEPTH}`);
    const head = this.byte();
    const length = head >> 4 === 15 ? this.varint() : head >> 4;
    // each element has a byte or more
    if (length > this.left) throw this.refuse(`a list of ${length}`, `at most ${this.left}, the bytes behind it`);
    const isBoolean = (head & 0x0f) <= 2;
    return Array.from({ length }, () => (isBoolean ? this.byte() === 1 : this.#value(head & 0x0f, depth + 1)));
  }
}
