import { QkvError } from '../../src/base/errors.ts';
import { openTokenizer } from '../../src/pretrained/openTokenizer.ts';
import type { Tokenizer } from '../../src/tokenizer/tokenizer.ts';
import { type FuzzReport, randomSource } from '../checkpoint/fuzzSafetensors.ts';
import { memoryStorage } from '../checkpoint/memoryStorage.ts';

/** A model folder of which one file is damaged. */
export interface FuzzedFolder {
  readonly damaged: string;
  readonly files: Readonly<Record<string, Uint8Array>>;
  readonly family: string;
}

const texts = ['', 'Hello, wörld 世界 👍\n\t x </s> [MASK] 12', 'a'.repeat(300)];

/** Changes a file in 1 to 4 places: bits, bytes, digits, marks of JSON, its length, a part repeated or moved. */
function mutate(original: Uint8Array, random: (below: number) => number): Uint8Array {
  let bytes = original.slice();
  for (let edits = 1 + random(4); edits > 0 && bytes.length > 0; edits--) {
    const at = random(bytes.length);
    const kind = random(16);
    if (kind < 4) bytes[at]! ^= 1 << random(8);
    else if (kind < 7) bytes[at] = random(256);
    else if (kind < 9) bytes[at] = 0x30 + random(10);
    else if (kind < 12) bytes[at] = '{}[]",:\\ \n'.charCodeAt(random(10));
    else if (kind === 12) bytes.fill(0xff, at, at + 1 + random(8));
    else if (kind === 13) bytes.copyWithin(at, random(bytes.length), random(bytes.length) + 1);
    else if (kind === 14) bytes = bytes.slice(0, at);
    else bytes = new Uint8Array([...bytes.slice(0, at), ...bytes.slice(random(at + 1))]);
  }
  return bytes;
}

/** Throws where opening or use gives anything but a QkvError or ids of the vocabulary with spans of the text. */
async function check({ damaged, files, family }: FuzzedFolder, bytes: Uint8Array): Promise<'refused' | 'read'> {
  const use = async (): Promise<void> => {
    const storage = memoryStorage({ ...files, [damaged]: bytes });
    const tokenizer = await openTokenizer(storage, { model_type: family });
    for (const text of tokenizer ? texts : []) checkUse(tokenizer!, text);
  };
  try {
    await use();
    return 'read';
  } catch (error) {
    if (error instanceof QkvError && error.code === 'tokenizer') return 'refused';
    throw error;
  }
}

function checkUse(tokenizer: Tokenizer, text: string): void {
  const { ids, offsets } = tokenizer.encodeWithOffsets(text, { pair: 'b' });
  if (ids.length > 10 * text.length + 20) throw new Error(`${ids.length} ids of ${text.length} characters`);
  for (const id of ids)
    if (!(id >= 0 && id < tokenizer.vocabSize)) throw new Error(`id ${id} of ${tokenizer.vocabSize}`);
  for (const [start, end] of offsets) {
    if (!(0 <= start && start <= end && end <= Math.max(1, text.length))) throw new Error(`span ${start} to ${end}`);
  }
  tokenizer.decode(ids, { skipSpecialTokens: true });
}

/** Opens and uses mutations of a file; an error names the round, so that `seed` and it reproduce the case. */
export async function fuzzTokenizer(folder: FuzzedFolder, rounds: number, seed: number): Promise<FuzzReport> {
  const random = randomSource(seed);
  const report = { refused: 0, read: 0 };
  for (let round = 0; round < rounds; round++) {
    const bytes = mutate(folder.files[folder.damaged]!, random);
    try {
      report[await check(folder, bytes)]++;
    } catch (cause) {
      const text = Buffer.from(bytes).toString('base64').slice(0, 20_000);
      throw new Error(`${folder.damaged}, seed ${seed}, round ${round}: ${String(cause)}\n${text}`, { cause });
    }
  }
  return report;
}
