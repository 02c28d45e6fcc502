import { brief } from '../base/brief.ts';
import { QkvError } from '../base/errors.ts';
import {
  type OutgoingTensor,
  openSafetensors,
  type StoredTensor,
  safetensorsChunks,
  storedBytes,
} from './safetensors.ts';
import type { Storage } from './storage.ts';
import { openTorchPickle } from './torchPickle.ts';
import { decodeUtf8, encodeUtf8 } from './utf8.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

/** A model folder in the Hugging Face layout, opened: its JSON read, its tensors still in the files. */
export interface Checkpoint {
  readonly location: string;
  /** `config.json` as found. */
  readonly config: JsonObject;
  /** `generation_config.json` as found. */
  readonly generationConfig: JsonObject | undefined;
  /** All tensors, of one file or of all shards, by key. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

const configFile = 'config.json';
const generationConfigFile = 'generation_config.json';
const weightsFile = 'model.safetensors';
const indexFile = 'model.safetensors.index.json';
/** Where the weights may be, in the order in which `from_pretrained` looks for them. */
const weightFormats = [
  { file: weightsFile, index: indexFile, shard: '.safetensors', open: readSafetensors },
  { file: 'pytorch_model.bin', index: 'pytorch_model.bin.index.json', shard: '.bin', open: openTorchPickle },
] as const;
const maxJsonBytes = 100_000_000;
const maxListed = 8;

/**
 * Opens a model folder: `config.json`, `generation_config.json` where there is one, and the weights in
 * `model.safetensors`, in the shards that `model.safetensors.index.json` names, in `pytorch_model.bin` or in its shards.
 * Where a folder has several of them the first is read, as `from_pretrained` does. Throws `QkvError('checkpoint')` for what is missing, damaged or contradictory.
 */
export async function openCheckpoint(storage: Storage): Promise<Checkpoint> {
  const names = await storage.list();
  if (!names.includes(configFile)) {
    throw new QkvError('checkpoint', { where: storage.location, got: `no ${configFile}`, expected: 'a model folder' });
  }
  const config = await readJson(storage, configFile);
  const hasGenerationConfig = names.includes(generationConfigFile);
  const generationConfig = hasGenerationConfig ? await readJson(storage, generationConfigFile) : undefined;
  const tensors = await openWeights(storage, names);
  return { location: storage.location, config, generationConfig, tensors };
}

/** All tensors of a folder with these files, of one file or of all shards, by key. @throws QkvError `checkpoint` */
export async function openWeights(
  storage: Storage,
  names: readonly string[],
): Promise<ReadonlyMap<string, StoredTensor>> {
  for (const format of weightFormats) {
    if (names.includes(format.file)) return format.open(storage, format.file);
    if (names.includes(format.index)) return openShards(storage, names, format);
  }
  throw new QkvError('checkpoint', {
    where: storage.location,
    got: `neither ${weightFormats.flatMap(({ file, index }) => [file, index]).join(' nor ')} among ${names.join(', ')}`,
    expected: 'weights as safetensors or as PyTorch saves them',
  });
}

async function readSafetensors(storage: Storage, name: string): Promise<ReadonlyMap<string, StoredTensor>> {
  return (await openSafetensors(storage, name)).tensors;
}

/** @throws QkvError `checkpoint` where the file holds no JSON object */
export async function readJson(storage: Storage, name: string): Promise<JsonObject> {
  const value = await readJsonValue(storage, name);
  if (!isObject(value))
    throw new QkvError('checkpoint', { where: name, got: kindOf(value), expected: 'a JSON object' });
  return value;
}

/** @throws QkvError `checkpoint` where the file is too large or not JSON */
export async function readJsonValue(storage: Storage, name: string): Promise<unknown> {
  const bytes = await storage.size(name);
  if (bytes > maxJsonBytes) {
    throw new QkvError('checkpoint', { where: name, got: `${bytes} bytes`, expected: `at most ${maxJsonBytes}` });
  }
  try {
    return JSON.parse(decodeUtf8(await storage.read(name, 0, bytes)));
  } catch (cause) {
    if (cause instanceof QkvError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new QkvError('checkpoint', { where: name, got: reason, expected: 'JSON text', cause });
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return value === null ? 'null' : 'nothing';
  return Array.isArray(value) ? 'an array' : `a ${typeof value}`;
}

/** The index's `weight_map` and the shards must say the same: every key in the shard named for it, and in no other. */
async function openShards(
  storage: Storage,
  names: readonly string[],
  { index, shard: extension, open }: (typeof weightFormats)[number],
): Promise<ReadonlyMap<string, StoredTensor>> {
  const { weight_map: map } = await readJson(storage, index);
  if (!isObject(map)) {
    throw new QkvError('checkpoint', {
      where: `${index}: weight_map`,
      got: kindOf(map),
      expected: 'a JSON object',
    });
  }
  const shardOf = new Map<string, string>();
  for (const [key, shard] of Object.entries(map)) {
    // Only a name in the folder's own list is opened, so that an index cannot lead elsewhere.
    if (typeof shard !== 'string' || !shard.endsWith(extension) || !names.includes(shard)) {
      throw new QkvError('checkpoint', {
        where: `${index}: ${brief(key)}`,
        got: brief(shard),
        expected: `the name of a ${extension} file in the folder`,
        hint: 'Fetch the shards that are missing',
      });
    }
    shardOf.set(key, shard);
  }
  const tensors = new Map<string, StoredTensor>();
  const faults: string[] = [];
  for (const shard of [...new Set(shardOf.values())].sort()) {
    for (const [key, tensor] of await open(storage, shard)) {
      if (shardOf.get(key) === shard) tensors.set(key, tensor);
      else faults.push(`${brief(key)} is in ${shard}, the index says ${shardOf.get(key) ?? 'nothing of it'}`);
    }
  }
  for (const [key, shard] of shardOf) if (!tensors.has(key)) faults.push(`${brief(key)} is not in ${shard}`);
  if (faults.length > 0) {
    const more = faults.length > maxListed ? `; and ${faults.length - maxListed} more` : '';
    const got = `${faults.slice(0, maxListed).join('; ')}${more}`;
    throw new QkvError('checkpoint', { where: index, got, expected: 'what the shards hold' });
  }
  return tensors;
}

export interface CheckpointToSave {
  readonly config: JsonObject;
  readonly generationConfig?: JsonObject;
  readonly tensors: readonly OutgoingTensor[];
  /** Weights larger than this are split into shards of at most so many bytes of data (a larger tensor has its own). */
  readonly maxShardBytes?: number;
}

/**
 * Writes a model folder that `openCheckpoint` and Python's `from_pretrained` open. Each file is replaced atomically, and
 * files of older weights are removed last; to replace a whole folder at once, write into `replaceFolder`, which is also the
 * way where `tensors` are still to be read from the folder that is being replaced.
 */
export async function saveCheckpoint(storage: Storage, checkpoint: CheckpointToSave): Promise<void> {
  const { config, generationConfig, tensors, maxShardBytes = Number.POSITIVE_INFINITY } = checkpoint;
  if (!(maxShardBytes > 0)) {
    throw new QkvError('usage', { where: 'maxShardBytes', got: String(maxShardBytes), expected: 'more than 0' });
  }
  const written = new Set<string>();
  const write = async (name: string, chunks: Parameters<Storage['writeAtomic']>[1]) => {
    await storage.writeAtomic(name, chunks);
    written.add(name);
  };
  await write(configFile, [encodeJson(config)]);
  if (generationConfig) await write(generationConfigFile, [encodeJson(generationConfig)]);
  const shards = planShards(tensors, maxShardBytes);
  if (shards.length === 1) await write(weightsFile, safetensorsChunks(shards[0]!));
  else {
    const weightMap: [string, string][] = [];
    for (const [i, shard] of shards.entries()) {
      const name = `model-${String(i + 1).padStart(5, '0')}-of-${String(shards.length).padStart(5, '0')}.safetensors`;
      await write(name, safetensorsChunks(shard));
      for (const tensor of shard) weightMap.push([tensor.name, name]);
    }
    const totalSize = tensors.reduce((sum, tensor) => sum + storedBytes(tensor), 0);
    weightMap.sort(([a], [b]) => (a < b ? -1 : 1));
    const index = { metadata: { total_size: totalSize }, weight_map: Object.fromEntries(weightMap) };
    await write(indexFile, [encodeJson(index)]);
  }
  const isOurs = /^(model(-\d{5}-of-\d{5})?\.safetensors|model\.safetensors\.index\.json|generation_config\.json)$/;
  for (const name of await storage.list()) if (isOurs.test(name) && !written.has(name)) await storage.remove(name);
}

/** Fields that are fractions in the configs of transformers, which refuses whole numbers written without a point in them. */
const fractions =
  /^(\s*"\w*(?:drop|dropout|dropout_prob|dropout_rate|layerdrop|pdrop|eps|epsilon|std|range|factor|theta|temperature|penalty|top_p)": -?\d+)(?=,?$)/gm;

function encodeJson(value: JsonObject): Uint8Array {
  return encodeUtf8(`${JSON.stringify(value, null, 2).replace(fractions, '$1.0')}\n`);
}

/** In the given order, a new shard whenever the next tensor would pass the limit. */
function planShards(tensors: readonly OutgoingTensor[], maxShardBytes: number): OutgoingTensor[][] {
  let shard: OutgoingTensor[] = [];
  const shards = [shard];
  let bytes = 0;
  for (const tensor of tensors) {
    const size = storedBytes(tensor);
    if (shard.length > 0 && bytes + size > maxShardBytes) {
      shards.push((shard = []));
      bytes = 0;
    }
    shard.push(tensor);
    bytes += size;
  }
  return shards;
}
