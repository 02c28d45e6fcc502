import { brief } from '../base/brief.ts';
import { QkvError } from '../base/errors.ts';
import { type StorageDType, sizeOf } from '../base/tensor.ts';
import { decodeUtf8, encodeUtf8 } from './utf8.ts';

/**
 * Bytes per element, in the order in which the reference writes tensors: wider alignment first, then its own order of
 * types (`Dtype` in safetensors/src/tensor.rs, descending).
 */
export const elementBytes: Readonly<Record<StorageDType, number>> = {
  U64: 8,
  I64: 8,
  F64: 8,
  F32: 4,
  U32: 4,
  I32: 4,
  BF16: 2,
  F16: 2,
  U16: 2,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
};
const writeOrder = Object.keys(elementBytes);

/** The reference refuses longer headers too; without a bound a damaged length could ask for any amount of memory. */
export const maxHeaderBytes = 100_000_000;

export interface TensorEntry {
  readonly dtype: StorageDType;
  readonly shape: readonly number[];
  /** Bytes from the end of the header. */
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly metadata: ReadonlyMap<string, string>;
  /** In the order in which their data lie in the file. */
  readonly tensors: ReadonlyMap<string, TensorEntry>;
}

export function damaged(where: string, got: string, expected: string): QkvError {
  return new QkvError('checkpoint', {
    where,
    got,
    expected,
    hint: 'The file is damaged or is not safetensors: fetch or save it again',
  });
}

/**
 * The JSON header: `{"__metadata__": {string: string}, name: {"dtype", "shape", "data_offsets"}, …}`.
 * Stricter than the reference, which takes the last of two equal keys and skips fields it does not know. The tensors
 * must cover the `dataBytes` after the header exactly: no hole, no overlap, nothing behind them.
 * Format: https://github.com/huggingface/safetensors#format
 */
export function parseHeader(bytes: Uint8Array, dataBytes: number, where: string): SafetensorsHeader {
  let text: string;
  try {
    text = decodeUtf8(bytes);
  } catch {
    throw damaged(where, 'a header that is not UTF-8', 'JSON text');
  }
  const scanner = new Scanner(text, where);
  const metadata = new Map<string, string>();
  const entries: [string, TensorEntry][] = [];
  scanner.object((name) => {
    if (name === '__metadata__') scanner.object((key) => metadata.set(key, scanner.string()));
    else entries.push([name, readEntry(scanner, where, name)]);
  });
  scanner.end();

  entries.sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let covered = 0;
  for (const [name, { begin, end }] of entries) {
    if (begin !== covered) {
      const fault = begin < covered ? 'overlaps the tensor before it' : 'leaves a hole before it';
      throw damaged(tensorAt(where, name), `data from byte ${begin}, which ${fault}`, `byte ${covered}`);
    }
    covered = end;
  }
  if (covered !== dataBytes) {
    const fault = covered > dataBytes ? 'truncated' : 'too long';
    throw damaged(where, `a ${fault} file: ${dataBytes} bytes of data`, `${covered} bytes, as the header says`);
  }
  return { metadata, tensors: new Map(entries) };
}

function readEntry(scanner: Scanner, where: string, name: string): TensorEntry {
  const at = tensorAt(where, name);
  let dtype: StorageDType | undefined;
  let shape: number[] | undefined;
  let offsets: number[] | undefined;
  scanner.object((field) => {
    if (field === 'dtype') {
      const text = scanner.string();
      if (!isStorageDType(text)) throw damaged(at, `dtype ${brief(text)}`, `one of ${writeOrder.join(', ')}`);
      dtype = text;
    } else if (field === 'shape') shape = scanner.integers();
    else if (field === 'data_offsets') offsets = scanner.integers();
    else throw damaged(at, `field ${brief(field)}`, 'dtype, shape and data_offsets');
  });
  if (dtype === undefined || shape === undefined || offsets === undefined) {
    const missing = [!dtype && 'dtype', !shape && 'shape', !offsets && 'data_offsets'].filter(Boolean);
    throw damaged(at, `no ${missing.join(', no ')}`, 'dtype, shape and data_offsets');
  }
  const [begin, end] = offsets;
  if (begin === undefined || end === undefined || offsets.length !== 2 || begin > end) {
    throw damaged(at, `data_offsets [${offsets.slice(0, 8).join(', ')}]`, '[begin, end] with begin ≤ end');
  }
  // A product beyond 2^53 is not exact, but then it is no file's length either.
  const bytes = shape.includes(0) ? 0 : sizeOf(shape) * elementBytes[dtype];
  if (bytes !== end - begin) {
    throw damaged(at, `${end - begin} bytes`, `${bytes} for ${dtype} of shape [${shape.slice(0, 16).join(', ')}]`);
  }
  return { dtype, shape, begin, end };
}

export function tensorAt(where: string, name: string): string {
  return `${where}: tensor ${brief(name)}`;
}

function isStorageDType(text: string): text is StorageDType {
  return Object.hasOwn(elementBytes, text);
}

/** A reader of JSON that knows what must come next, so that equal keys, wrong types and inexact numbers are seen, which `JSON.parse` hides. */
class Scanner {
  readonly #text: string;
  readonly #where: string;
  #at = 0;

  constructor(text: string, where: string) {
    this.#text = text;
    this.#where = where;
    if (text[0] !== '{') throw this.#unexpected('"{"'); // the format allows no space before it
  }

  object(onKey: (key: string) => void): void {
    this.#take('{');
    const keys = new Set<string>();
    for (let more = this.#peek() !== '}'; more; more = this.#taken(',')) {
      const key = this.string();
      if (keys.has(key)) throw damaged(this.#where, `the key ${brief(key)} twice`, 'every key once');
      keys.add(key);
      this.#take(':');
      onKey(key);
    }
    this.#take('}');
  }

  string(): string {
    if (this.#peek() !== '"') throw this.#unexpected('a string');
    let end = this.#at + 1;
    while (end < this.#text.length && this.#text[end] !== '"') end += this.#text[end] === '\\' ? 2 : 1;
    let value: unknown;
    try {
      value = JSON.parse(this.#text.slice(this.#at, end + 1));
    } catch {
      throw this.#unexpected('a string');
    }
    if (typeof value !== 'string' || !value.isWellFormed()) throw this.#unexpected('a string of whole characters');
    this.#at = end + 1;
    return value;
  }

  integers(): number[] {
    this.#take('[');
    const values: number[] = [];
    for (let more = this.#peek() !== ']'; more; more = this.#taken(',')) values.push(this.#integer());
    this.#take(']');
    return values;
  }

  /** Only padding may follow. */
  end(): void {
    if (this.#peek() !== undefined) throw this.#unexpected('the end of the header');
  }

  #integer(): number {
    this.#peek();
    const digits = /(?:0|[1-9]\d*)(?![\d.eE])/y;
    digits.lastIndex = this.#at;
    const found = digits.exec(this.#text);
    if (!found || !Number.isSafeInteger(Number(found[0]))) throw this.#unexpected('an integer from 0 to 2^53 − 1');
    this.#at = digits.lastIndex;
    return Number(found[0]);
  }

  #peek(): string | undefined {
    while (' \t\n\r'.includes(this.#text[this.#at] ?? '.')) this.#at++;
    return this.#text[this.#at];
  }

  #taken(mark: string): boolean {
    if (this.#peek() !== mark) return false;
    this.#at++;
    return true;
  }

  #take(mark: string): void {
    if (!this.#taken(mark)) throw this.#unexpected(`"${mark}"`);
  }

  #unexpected(expected: string): QkvError {
    const here = this.#text.slice(this.#at, this.#at + 20);
    const got = here === '' ? 'its end' : JSON.stringify(here);
    return damaged(`${this.#where}: header, character ${this.#at}`, got, expected);
  }
}

export interface TensorLayout {
  readonly name: string;
  readonly dtype: StorageDType;
  readonly shape: readonly number[];
}

/**
 * The bytes before the data (length, JSON, padding to a multiple of 8 with spaces) and the tensors in the order of their
 * data: by type (`elementBytes`), then by the bytes of the name, as the reference orders them.
 */
export function encodeHeader<T extends TensorLayout>(
  tensors: readonly T[],
  metadata: Readonly<Record<string, string>>,
): { head: Uint8Array<ArrayBuffer>; ordered: readonly T[] } {
  const keyed = tensors.map((tensor) => ({ tensor, key: encodeUtf8(tensor.name) }));
  keyed.sort(
    (a, b) => writeOrder.indexOf(a.tensor.dtype) - writeOrder.indexOf(b.tensor.dtype) || compareBytes(a.key, b.key),
  );
  const ordered = keyed.map(({ tensor }) => tensor);
  const pairs = Object.entries(metadata).map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
  const members = pairs.length > 0 ? [`"__metadata__":{${pairs.sort().join(',')}}`] : [];
  let begin = 0;
  for (const { name, dtype, shape } of ordered) {
    const end = begin + sizeOf(shape) * elementBytes[dtype];
    members.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, end] })}`);
    begin = end;
  }
  const json = encodeUtf8(`{${members.join(',')}}`);
  const headerBytes = Math.ceil(json.length / 8) * 8;
  const head = new Uint8Array(8 + headerBytes).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(headerBytes), true);
  head.set(json, 8);
  return { head, ordered };
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    if (a[i] !== b[i]) return a[i]! - b[i]!;
  }
  return a.length - b.length;
}
