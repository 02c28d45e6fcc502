import { brief } from '../base/brief.ts';
import { QkvError } from '../base/errors.ts';
import { release } from '../base/release.ts';
import { sizeOf } from '../base/tensor.ts';
import { type GgmlType, ggmlTypes } from './ggmlTypes.ts';
import { GgufCursor, GgufTooShort, type GgufValue, ggufFault } from './ggufCursor.ts';
import { type StoredTensor, storedTensor } from './safetensors.ts';
import { tensorAt } from './safetensorsHeader.ts';
import type { Storage } from './storage.ts';

export interface Gguf {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  /** By ggml's names. Shapes are row-major, the reverse of the file's; blocks of quantised values are read as F32. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

interface TensorInfo {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: GgmlType;
  /** Bytes from the start of the data. */
  readonly begin: number;
  readonly bytes: number;
}

const versions = [2, 3];
const maxDims = 4; // GGML_MAX_DIMS
const maxHeaderBytes = 1 << 28;
const firstHeaderBytes = 1 << 18;

/**
 * Opens a GGUF file of version 2 or 3, little-endian: the metadata are read, the tensors when asked for. The memory is
 * bounded by the file's size. Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 *
 * @throws QkvError `checkpoint` for a damaged file and for a type of tensor that is not read, by its name.
 */
export async function openGguf(storage: Storage, file: string): Promise<Gguf> {
  const fileBytes = await storage.size(file);
  // How long the header is shows only in reading it.
  for (let length = firstHeaderBytes; ; length *= 8) {
    const part = await storage.read(file, 0, Math.min(length, fileBytes, maxHeaderBytes));
    try {
      return readHeader(storage, file, new GgufCursor(part, fileBytes, file));
    } catch (cause) {
      if (!(cause instanceof GgufTooShort)) throw cause;
      if (part.length === maxHeaderBytes) throw ggufFault(file, 'a longer header', `at most ${maxHeaderBytes} bytes`);
    }
  }
}

function readHeader(storage: Storage, file: string, cursor: GgufCursor): Gguf {
  if (cursor.remaining < 24) throw ggufFault(file, `${cursor.remaining} bytes`, 'at least 24, the fixed part');
  if (cursor.uint32() !== 0x46554747) throw ggufFault(file, 'other bytes at its begin', '"GGUF"');
  const version = cursor.uint32();
  if (!versions.includes(version)) {
    const isBigEndian = version !== 0 && version % 0x1000000 === 0;
    const got = isBigEndian ? 'a big-endian file' : `GGUF version ${version}`;
    throw new QkvError('checkpoint', {
      where: file,
      got,
      expected: `version ${versions.join(' or ')}, little-endian`,
      hint: "Convert the model again with today's llama.cpp",
    });
  }
  const tensorCount = cursor.count('tensors', 24);
  const metadataCount = cursor.count('metadata', 13);
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < metadataCount; i++) {
    const key = cursor.string();
    if (metadata.has(key)) throw ggufFault(file, `the key ${brief(key)} twice`, 'every key once');
    metadata.set(key, cursor.value(key));
  }
  const alignment = metadata.get('general.alignment') ?? 32;
  if (typeof alignment !== 'number' || !(alignment >= 8) || !Number.isInteger(Math.log2(alignment))) {
    throw ggufFault(`${file}: general.alignment`, String(alignment), 'a power of two from 8');
  }
  const infos = new Map<string, TensorInfo>();
  for (let i = 0; i < tensorCount; i++) {
    const info = readInfo(cursor, file, alignment);
    if (infos.has(info.name)) throw ggufFault(tensorAt(file, info.name), 'the same twice', 'every name once');
    infos.set(info.name, info);
  }
  const dataStart = Math.ceil(cursor.at / alignment) * alignment;
  const ordered = [...infos.values()].sort((a, b) => a.begin - b.begin || a.bytes - b.bytes);
  let covered = 0;
  for (const { name, begin, bytes } of ordered) {
    const where = tensorAt(file, name);
    if (begin < covered) throw ggufFault(where, `data from byte ${begin}, in the tensor before it`, 'no overlap');
    covered = begin + bytes;
    const missing = dataStart + covered - cursor.fileBytes;
    if (missing > 0) throw ggufFault(where, `data that end ${missing} bytes behind the file`, 'a whole file');
  }
  return { metadata, tensors: new Map(ordered.map((info) => [info.name, openTensor(storage, file, info, dataStart)])) };
}

function readInfo(cursor: GgufCursor, file: string, alignment: number): TensorInfo {
  const name = cursor.string();
  const where = tensorAt(file, name);
  const dims = cursor.uint32();
  if (dims > maxDims) throw ggufFault(where, `${dims} dimensions`, `at most ${maxDims}`);
  const shape = Array.from({ length: dims }, () => cursor.uint64()).reverse();
  const id = cursor.uint32();
  const begin = cursor.uint64();
  const type = ggmlTypes.get(id);
  if (typeof type !== 'object') {
    const known = [...ggmlTypes.values()].flatMap((one) => (typeof one === 'object' ? [one.name] : []));
    throw ggufFault(where, `the type ${type ?? id}`, `one of ${known.join(', ')}`);
  }
  const size = sizeOf(shape);
  if (!Number.isSafeInteger(size)) throw ggufFault(where, `shape [${shape.join(', ')}]`, 'fewer than 2^53 elements');
  if ((shape.at(-1) ?? 1) % type.blockElements !== 0) {
    throw ggufFault(where, `rows of ${shape.at(-1)}`, `multiples of ${type.blockElements}, a block of ${type.name}`);
  }
  if (begin % alignment !== 0) throw ggufFault(where, `data from byte ${begin}`, `a multiple of ${alignment}`);
  return { name, shape, type, begin, bytes: (size / type.blockElements) * type.blockBytes };
}

function openTensor(
  storage: Storage,
  file: string,
  { name, shape, type, begin }: TensorInfo,
  dataStart: number,
): StoredTensor {
  const { dtype, blockElements, blockBytes, dequantize } = type;
  const where = tensorAt(file, name);
  const at = dataStart + begin;
  if (!dequantize)
    return storedTensor(name, { dtype, shape }, where, (from, length) => storage.read(file, at + from, length));
  return storedTensor(name, { dtype, shape }, where, async (from, length) => {
    const first = Math.floor(from / 4 / blockElements);
    const last = Math.ceil((from + length) / 4 / blockElements);
    const blocks = await storage.read(file, at + first * blockBytes, (last - first) * blockBytes);
    const values = new Float32Array((last - first) * blockElements);
    dequantize(blocks, values);
    release(blocks);
    return new Uint8Array(values.buffer, from - first * blockElements * 4, length);
  });
}
