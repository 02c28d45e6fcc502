import { QkvError } from '../base/errors.ts';
import { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from '../base/half.ts';
import { release } from '../base/release.ts';
import { bool, float32, type HostTensor, int32, type StorageDType, sizeOf } from '../base/tensor.ts';
import {
  damaged,
  elementBytes,
  encodeHeader,
  maxHeaderBytes,
  parseHeader,
  type TensorEntry,
  type TensorLayout,
  tensorAt,
} from './safetensorsHeader.ts';
import type { Storage } from './storage.ts';

/** What a stored tensor can be read as, and from which stored types. */
export interface ReadAs {
  /** F32; F16 and BF16 exactly; F64 rounded to nearest, refused where a finite value would become infinite. */
  float32: Float32Array<ArrayBuffer>;
  /** I8 to I64 and U8 to U64; refused where a value is outside int32. */
  int32: Int32Array<ArrayBuffer>;
  /** I64 as it is. */
  int64: BigInt64Array<ArrayBuffer>;
  /** BOOL, as bytes 0 and 1. */
  bool: Uint8Array<ArrayBuffer>;
  /** Any type: its little-endian bytes as they lie in the file. */
  bytes: Uint8Array<ArrayBuffer>;
}

export interface StoredTensor extends TensorLayout {
  /**
   * Reads the data from the file, now: all elements or, row-major, those from `start` to before `end`; in memory
   * that is the caller's. Throws `QkvError('checkpoint')` where the stored type cannot be read so.
   */
  read<As extends keyof ReadAs>(as: As, start?: number, end?: number): Promise<ReadAs[As]>;
}

export interface Safetensors {
  readonly metadata: ReadonlyMap<string, string>;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

/** Reads and checks the header of a `.safetensors` file; the data are read tensor by tensor, when asked for. */
export async function openSafetensors(storage: Storage, name: string): Promise<Safetensors> {
  const fileBytes = await storage.size(name);
  if (fileBytes < 8) throw damaged(name, `${fileBytes} bytes`, 'at least 8, the length of the header');
  const prefix = await storage.read(name, 0, 8);
  const headerBytes = new DataView(prefix.buffer, prefix.byteOffset, 8).getBigUint64(0, true);
  if (headerBytes > maxHeaderBytes || Number(headerBytes) > fileBytes - 8) {
    const expected = `at most ${Math.min(maxHeaderBytes, fileBytes - 8)}`;
    throw damaged(name, `a header of ${headerBytes} bytes`, expected);
  }
  const dataStart = 8 + Number(headerBytes);
  const header = parseHeader(await storage.read(name, 8, Number(headerBytes)), fileBytes - dataStart, name);
  const tensors = new Map<string, StoredTensor>();
  for (const [key, entry] of header.tensors) {
    const bytes = (from: number, length: number) => storage.read(name, dataStart + entry.begin + from, length);
    tensors.set(key, storedTensor(key, entry, tensorAt(name, key), bytes));
  }
  return { metadata: header.metadata, tensors };
}

/** A tensor whose little-endian bytes, row-major, `bytes` reads when asked: `length` of them from byte `from` on, whole elements. */
export function storedTensor(
  name: string,
  { dtype, shape }: Pick<TensorEntry, 'dtype' | 'shape'>,
  where: string,
  bytes: (from: number, length: number) => Promise<Uint8Array<ArrayBuffer>>,
): StoredTensor {
  const width = elementBytes[dtype];
  return {
    name,
    dtype,
    shape,
    async read(as, start = 0, end = sizeOf(shape)) {
      const convert = conversions[as][dtype];
      if (!convert) {
        const readable = Object.keys(conversions[as]).join(', ');
        throw new QkvError('checkpoint', { where, got: dtype, expected: `${readable} to read it as ${as}` });
      }
      const stored = aligned(await bytes(start * width, (end - start) * width));
      const values = convert(stored, where);
      if (values.buffer !== stored.buffer) release(stored);
      return values;
    },
  };
}

/** Typed arrays start at a multiple of their element's size; a storage may return a view that does not. */
function aligned(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
}

type Convert<T> = (bytes: Uint8Array<ArrayBuffer>, where: string) => T;
type Bytes = Uint8Array<ArrayBuffer>;

const viewAs = {
  F64: (b: Bytes) => new Float64Array(b.buffer, b.byteOffset, b.length / 8),
  F32: (b: Bytes) => new Float32Array(b.buffer, b.byteOffset, b.length / 4),
  U16: (b: Bytes) => new Uint16Array(b.buffer, b.byteOffset, b.length / 2),
  I16: (b: Bytes) => new Int16Array(b.buffer, b.byteOffset, b.length / 2),
  I8: (b: Bytes) => new Int8Array(b.buffer, b.byteOffset, b.length),
  I32: (b: Bytes) => new Int32Array(b.buffer, b.byteOffset, b.length / 4),
  U32: (b: Bytes) => new Uint32Array(b.buffer, b.byteOffset, b.length / 4),
  I64: (b: Bytes) => new BigInt64Array(b.buffer, b.byteOffset, b.length / 8),
  U64: (b: Bytes) => new BigUint64Array(b.buffer, b.byteOffset, b.length / 8),
};

const same: Convert<Bytes> = (bytes) => bytes;

const conversions: { readonly [As in keyof ReadAs]: { readonly [D in StorageDType]?: Convert<ReadAs[As]> } } = {
  float32: {
    F32: viewAs.F32,
    F16: (bytes) => float16ToFloat32(viewAs.U16(bytes)),
    BF16: (bytes) => bfloat16ToFloat32(viewAs.U16(bytes)),
    F64: (bytes, where) => narrowFloat64(viewAs.F64(bytes), where),
  },
  int32: {
    I32: viewAs.I32,
    I16: (bytes) => Int32Array.from(viewAs.I16(bytes)),
    I8: (bytes) => Int32Array.from(viewAs.I8(bytes)),
    U16: (bytes) => Int32Array.from(viewAs.U16(bytes)),
    U8: (bytes) => Int32Array.from(bytes),
    U32: (bytes, where) => narrowInteger(viewAs.U32(bytes), where),
    I64: (bytes, where) => narrowInteger(viewAs.I64(bytes), where),
    U64: (bytes, where) => narrowInteger(viewAs.U64(bytes), where),
  },
  int64: { I64: viewAs.I64 },
  bool: { BOOL: checkBool },
  bytes: {
    U64: same,
    I64: same,
    F64: same,
    F32: same,
    U32: same,
    I32: same,
    BF16: same,
    F16: same,
    U16: same,
    I16: same,
    I8: same,
    U8: same,
    BOOL: same,
  },
};

function narrowFloat64(values: Float64Array, where: string): Float32Array<ArrayBuffer> {
  const narrow = Float32Array.from(values);
  for (let i = 0; i < narrow.length; i++) {
    if (!Number.isFinite(narrow[i]) && Number.isFinite(values[i])) {
      throw new QkvError('checkpoint', {
        where,
        got: `${values[i]} at element ${i}`,
        expected: 'the range of float32',
      });
    }
  }
  return narrow;
}

function narrowInteger(values: BigInt64Array | BigUint64Array | Uint32Array, where: string): Int32Array<ArrayBuffer> {
  const narrow = new Int32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = Number(values[i]);
    narrow[i] = value;
    if (narrow[i] !== value) {
      throw new QkvError('checkpoint', { where, got: `${values[i]} at element ${i}`, expected: 'the range of int32' });
    }
  }
  return narrow;
}

function checkBool(bytes: Bytes, where: string): Bytes {
  const wrong = bytes.findIndex((byte) => byte > 1);
  if (wrong >= 0) throw damaged(where, `byte ${bytes[wrong]} at element ${wrong}`, 'BOOL as 0 or 1');
  return bytes;
}

/** A stored tensor as a host tensor of the nearest of our types: floats as float32, integers as int32, BOOL as bool. */
export async function readHostTensor(stored: StoredTensor): Promise<HostTensor> {
  if (stored.dtype === 'BOOL') return bool(stored.shape, await stored.read('bool'));
  if (conversions.float32[stored.dtype]) return float32(stored.shape, await stored.read('float32'));
  return int32(stored.shape, await stored.read('int32'));
}

export type TensorArray =
  | Float64Array
  | Float32Array
  | BigUint64Array
  | BigInt64Array
  | Uint32Array
  | Int32Array
  | Uint16Array
  | Int16Array
  | Int8Array
  | Uint8Array;

/**
 * A tensor to be written. `data` holds its values, or makes them when their turn comes, so that of tensors which must be
 * rearranged one at a time is in memory. The array is the one of the stored type (F16 and BF16: a Uint16Array of bit
 * patterns; BOOL: a Uint8Array of 0 and 1), or a Float32Array to be rounded to F16 or BF16, or an Int32Array to be
 * widened to I64.
 */
export interface OutgoingTensor extends TensorLayout {
  readonly data: TensorArray | (() => TensorArray | Promise<TensorArray>);
}

const arrayOf: Readonly<Record<StorageDType, { readonly name: string }>> = {
  U64: BigUint64Array,
  I64: BigInt64Array,
  F64: Float64Array,
  F32: Float32Array,
  U32: Uint32Array,
  I32: Int32Array,
  BF16: Uint16Array,
  F16: Uint16Array,
  U16: Uint16Array,
  I16: Int16Array,
  I8: Int8Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
};

const chunkElements = 1 << 20;

/** Bytes of a tensor's data in a file. */
export function storedBytes({ shape, dtype }: TensorLayout): number {
  return sizeOf(shape) * elementBytes[dtype];
}

/**
 * The bytes of a `.safetensors` file, in chunks that are views of the tensors' own memory wherever no conversion is
 * needed: pass them to `Storage.writeAtomic`. Equal to what Python's `safetensors` writes. Do not change the tensors meanwhile.
 */
export async function* safetensorsChunks(
  tensors: readonly OutgoingTensor[],
  metadata: Readonly<Record<string, string>> = { format: 'pt' },
): AsyncGenerator<Uint8Array, void, undefined> {
  const names = new Set<string>();
  for (const { name } of tensors) {
    if (names.has(name) || name === '__metadata__' || !name.isWellFormed()) {
      throw new QkvError('checkpoint', {
        where: `tensor ${JSON.stringify(name)} to write`,
        got: names.has(name) ? 'the same name twice' : 'a name that the format cannot hold',
      });
    }
    names.add(name);
  }
  const { head, ordered } = encodeHeader(tensors, metadata);
  yield head;
  for (const tensor of ordered) {
    const data = typeof tensor.data === 'function' ? await tensor.data() : tensor.data;
    checkData(tensor, data);
    for (let start = 0; start < data.length; start += chunkElements) {
      const part = storedForm(tensor.dtype, data.subarray(start, start + chunkElements));
      yield new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
    }
  }
}

function storedForm(dtype: StorageDType, data: TensorArray): TensorArray {
  if (dtype === 'F16' && data instanceof Float32Array) return float32ToFloat16(data);
  if (dtype === 'BF16' && data instanceof Float32Array) return float32ToBfloat16(data);
  if (dtype === 'I64' && data instanceof Int32Array) return BigInt64Array.from(data, BigInt);
  return data;
}

function checkData(tensor: OutgoingTensor, data: TensorArray): void {
  const where = `tensor ${JSON.stringify(tensor.name)} to write`;
  if (data.length !== sizeOf(tensor.shape)) {
    const expected = `${sizeOf(tensor.shape)} for shape [${tensor.shape.join(', ')}]`;
    throw new QkvError('checkpoint', { where, got: `${data.length} elements`, expected });
  }
  const kind = arrayOf[tensor.dtype].name;
  if (storedForm(tensor.dtype, data.subarray(0, 0)).constructor.name !== kind) {
    throw new QkvError('checkpoint', { where, got: data.constructor.name, expected: `${kind} for ${tensor.dtype}` });
  }
}
