import { QkvError } from '../../src/base/errors.ts';
import { openSafetensors } from '../../src/checkpoint/safetensors.ts';
import { memoryStorage } from './memoryStorage.ts';

export interface FuzzReport {
  readonly refused: number;
  readonly read: number;
}

/** mulberry32: reproducible, good enough to choose bytes. */
export function randomSource(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/** Changes a file in 1 to 4 places: bits, bytes, digits, marks of JSON, its length, a part repeated. Mostly in the header. */
function mutate(original: Uint8Array, headerEnd: number, random: (below: number) => number): Uint8Array {
  let bytes = original.slice();
  for (let edits = 1 + random(4); edits > 0 && bytes.length > 0; edits--) {
    const at = random(random(8) === 0 ? bytes.length : Math.min(headerEnd, bytes.length));
    const kind = random(8);
    if (kind < 2) bytes[at]! ^= 1 << random(8);
    else if (kind === 2) bytes[at] = random(256);
    else if (kind === 3) bytes[at] = 0x30 + random(10);
    else if (kind === 4) bytes[at] = '{}[]",:\\ '.charCodeAt(random(9));
    else if (kind === 5) bytes[random(8)] = random(256);
    else if (kind === 6) bytes = bytes.slice(0, at);
    else bytes = new Uint8Array([...bytes.slice(0, at), ...bytes.slice(random(at + 1))]);
  }
  return bytes;
}

/** Throws where the parser's answer for these bytes is neither a QkvError nor what the bytes say, or read too much. */
async function check(bytes: Uint8Array): Promise<'refused' | 'read'> {
  const storage = memoryStorage({ f: bytes });
  let tensors: Awaited<ReturnType<typeof openSafetensors>>['tensors'];
  try {
    tensors = (await openSafetensors(storage, 'f')).tensors;
  } catch (error) {
    if (!(error instanceof QkvError) || error.code !== 'checkpoint') throw error;
    if (storage.readBytes > bytes.length) throw new Error(`${storage.readBytes} bytes read of ${bytes.length}`);
    return 'refused';
  }
  // An independent reading: JSON.parse, which agrees wherever no key stands twice.
  const headerBytes = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = JSON.parse(Buffer.from(bytes.subarray(8, 8 + headerBytes)).toString('utf8'));
  delete header.__metadata__;
  if (tensors.size !== Object.keys(header).length) throw new Error('the number of tensors differs');
  for (const [name, tensor] of tensors) {
    const { dtype, shape, data_offsets: offsets } = header[name];
    if (tensor.dtype !== dtype || `${tensor.shape}` !== `${shape}`) throw new Error(`${name}: type or shape differs`);
    const slice = bytes.subarray(8 + headerBytes + offsets[0], 8 + headerBytes + offsets[1]);
    if (!Buffer.from(await tensor.read('bytes')).equals(slice)) throw new Error(`${name}: data differ`);
    for (const as of ['float32', 'int32', 'int64', 'bool'] as const) {
      try {
        const values = await tensor.read(as);
        const size = (shape as number[]).reduce((product, dim) => product * dim, 1);
        if (values.length !== size) throw new Error(`${name}: ${values.length} elements`);
      } catch (error) {
        if (!(error instanceof QkvError) || error.code !== 'checkpoint') throw error;
      }
    }
  }
  if (storage.readBytes > 6 * bytes.length) throw new Error(`${storage.readBytes} bytes read of ${bytes.length}`);
  return 'read';
}

/** Runs mutations of a valid file through the parser; an error names the round, so that `seed` and it reproduce the case. */
export async function fuzzSafetensors(original: Uint8Array, rounds: number, seed: number): Promise<FuzzReport> {
  const random = randomSource(seed);
  const headerEnd = 8 + Number(new DataView(original.buffer, original.byteOffset).getBigUint64(0, true));
  const report = { refused: 0, read: 0 };
  for (let round = 0; round < rounds; round++) {
    const bytes = mutate(original, headerEnd, random);
    try {
      report[await check(bytes)]++;
    } catch (cause) {
      throw new Error(`seed ${seed}, round ${round}: ${String(cause)}\n${Buffer.from(bytes).toString('latin1')}`, {
        cause,
      });
    }
  }
  return report;
}
