import { QkvError } from '../../src/base/errors.ts';
import { sizeOf } from '../../src/base/tensor.ts';
import type { StoredTensor } from '../../src/checkpoint/safetensors.ts';
import type { Storage } from '../../src/checkpoint/storage.ts';
import { type FuzzReport, randomSource } from './fuzzSafetensors.ts';
import { memoryStorage } from './memoryStorage.ts';

export interface FuzzedParser {
  open(storage: Storage, name: string): Promise<ReadonlyMap<string, StoredTensor>>;
  /** How many bytes the values of a tensor may take for one byte of the file: 1, or the widening of the smallest blocks. */
  readonly widening: number;
}

/** Changes a binary file in 1 to 4 places: bits, bytes, whole numbers, its length, a part repeated. */
export function mutate(original: Uint8Array, random: (below: number) => number): Uint8Array {
  let bytes = original.slice();
  for (let edits = 1 + random(4); edits > 0 && bytes.length > 0; edits--) {
    const at = random(bytes.length);
    const kind = random(16);
    if (kind < 6) bytes[at]! ^= 1 << random(8);
    else if (kind < 10) bytes[at] = random(256);
    else if (kind < 12) bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random(5)]!;
    else if (kind === 12) bytes.fill(0xff, at, at + 1 + random(8));
    else if (kind === 13) bytes.copyWithin(at, random(bytes.length), random(bytes.length) + 1);
    else if (kind === 14) bytes = bytes.slice(0, at);
    else bytes = new Uint8Array([...bytes.slice(0, at), ...bytes.slice(random(at + 1))]);
  }
  return bytes;
}

/** Throws where the answer for these bytes is neither a QkvError nor tensors that can be read as they are described. */
async function check({ open, widening }: FuzzedParser, bytes: Uint8Array): Promise<'refused' | 'read'> {
  const storage = memoryStorage({ f: bytes });
  let tensors: ReadonlyMap<string, StoredTensor>;
  try {
    tensors = await open(storage, 'f');
  } catch (error) {
    if (!(error instanceof QkvError) || error.code !== 'checkpoint') throw error;
    if (storage.readBytes > 3 * bytes.length) throw new Error(`${storage.readBytes} bytes read of ${bytes.length}`);
    return 'refused';
  }
  for (const [name, tensor] of tensors) {
    for (const as of ['bytes', 'float32', 'int32', 'int64', 'bool'] as const) {
      try {
        const values = await tensor.read(as);
        if (values.byteLength > 8 * widening * bytes.length) throw new Error(`${name}: ${values.byteLength} bytes`);
        if (as !== 'bytes' && values.length !== sizeOf(tensor.shape))
          throw new Error(`${name}: ${values.length} values`);
      } catch (error) {
        if (!(error instanceof QkvError) || error.code !== 'checkpoint') throw error;
      }
    }
  }
  return 'read';
}

/** Runs mutations of a valid file through a parser; an error names the round, so that `seed` and it reproduce the case. */
export async function fuzzTensors(
  parser: FuzzedParser,
  original: Uint8Array,
  rounds: number,
  seed: number,
): Promise<FuzzReport> {
  const random = randomSource(seed);
  const report = { refused: 0, read: 0 };
  for (let round = 0; round < rounds; round++) {
    const bytes = mutate(original, random);
    try {
      report[await check(parser, bytes)]++;
    } catch (cause) {
      const text = Buffer.from(bytes).toString('base64');
      throw new Error(`seed ${seed}, round ${round}: ${String(cause)}\n${text}`, { cause });
    }
  }
  return report;
}
