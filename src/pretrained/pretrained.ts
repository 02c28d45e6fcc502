import type { StorageDType } from '../base/tensor.ts';
import {
  type Checkpoint,
  type JsonObject,
  openCheckpoint,
  readJson,
  saveCheckpoint,
} from '../checkpoint/checkpoint.ts';
import { loadStrictInto, type StrictLoad } from '../checkpoint/loadStrict.ts';
import type { Storage } from '../checkpoint/storage.ts';
import { toCheckpoint } from '../checkpoint/toCheckpoint.ts';
import { encodeUtf8 } from '../checkpoint/utf8.ts';
import { declarationsOf } from '../models/declarations.ts';
import type { HeadName } from '../models/encoderHead.ts';
import type { Model } from '../models/model.ts';
import { parseModel } from '../models/registry.ts';
import { isLoraParameter } from '../nn/lora.ts';
import { ParameterArena } from '../nn/parameterArena.ts';
import { loadTokenizer, type Tokenizer } from '../tokenizer/tokenizer.ts';
import type { TokenizerFiles } from '../tokenizer/tokenizerFiles.ts';
import { mergeAdapter, openAdapter } from './adapterFolder.ts';
import { tokenizerFilesFor } from './modelInputNames.ts';
import { type GgufModel, onlyGguf, openGgufModel } from './openGgufModel.ts';
import { tokenizerSource } from './tokenizerSource.ts';

/** A model folder in memory: what runs, what it was trained to, and how text becomes ids. */
export interface Pretrained {
  readonly location: string;
  readonly model: Model;
  readonly arena: ParameterArena;
  /** Absent where the folder has none. */
  readonly tokenizer: Tokenizer | undefined;
  /** What `tokenizer_config.json` holds, or would hold. */
  readonly tokenizerConfig: JsonObject | undefined;
  readonly generationConfig: JsonObject | undefined;
  /** Keys of the checkpoint that the model does not need, with the reason. */
  readonly ignored: StrictLoad['ignored'];
  /** The number of the checkpoint's tensors of each stored type. */
  readonly storedAs: Readonly<Partial<Record<StorageDType, number>>>;
}

export interface LoadOptions {
  /** Of an encoder, in place of the one that config.json names. */
  readonly head?: HeadName | undefined;
  /** The GGUF file that holds the model; by default that of a folder with one such file and no config.json. */
  readonly gguf?: string;
  /** A folder with a LoRA adapter in PEFT's layout, which is merged into the weights. */
  readonly adapter?: Storage | undefined;
}

/**
 * Opens a model folder of a known family, or a GGUF file: every key of the checkpoint is used or ignored for a reason, every
 * parameter filled. The weights are read straight into the arena.
 *
 * @throws QkvError `config`, `checkpoint`, `tokenizer` or `io`
 */
export async function loadPretrained(
  storage: Storage,
  { head, gguf, adapter: folder }: LoadOptions = {},
): Promise<Pretrained> {
  const base = await openParts(storage, gguf);
  const adapter = folder && (await openAdapter(folder));
  const { checkpoint, tokenizer } = folder ? await withFilesOf(folder, base, adapter!.whole) : base;
  const stored = new Set(checkpoint.tensors.keys());
  const model = parseModel(checkpoint.config, `${checkpoint.location}/config.json`, stored, head);
  const declarations = declarationsOf(model);
  // made when the shapes have been compared, so that a config that lies cannot ask for more than the file holds
  let made: ParameterArena | undefined;
  const arenaOf = (): ParameterArena => (made ??= new ParameterArena(declarations));
  const ignored = await loadStrictInto(
    model.keyMap,
    checkpoint.tensors,
    declarations,
    (path) => arenaOf().tensors[path]!.data as Float32Array,
  );
  if (adapter) await mergeAdapter(model, arenaOf(), adapter);
  return {
    location: checkpoint.location,
    model,
    arena: arenaOf(),
    tokenizer: tokenizer && loadTokenizer(tokenizer.json, tokenizer.config),
    tokenizerConfig: tokenizer?.config,
    generationConfig: checkpoint.generationConfig,
    ignored,
    storedAs: countTypes(checkpoint.tensors.values()),
  };
}

/** The base with what an adapter's folder has in place of its own: config, tokenizer, tensors. */
async function withFilesOf(folder: Storage, base: GgufModel, tensors: Checkpoint['tensors']): Promise<GgufModel> {
  const { checkpoint } = base;
  const names = await folder.list();
  const config = names.includes('config.json') ? await readJson(folder, 'config.json') : checkpoint.config;
  const tokenizer = await tokenizerSource(folder, config);
  return {
    checkpoint: {
      ...checkpoint,
      config,
      location: tokenizer ? folder.location : checkpoint.location,
      tensors: new Map([...checkpoint.tensors, ...tensors]),
    },
    tokenizer: tokenizer ?? base.tokenizer,
  };
}

/** Reads a model's weights into its arena, but for an adapter's and those of `but`; gives the keys that it does not need. @throws QkvError `checkpoint` */
export function fillArena(
  model: Model,
  { tensors }: Checkpoint,
  arena: ParameterArena,
  but: ReadonlySet<string> = new Set(),
): Promise<StrictLoad['ignored']> {
  const targetOf = (path: string): Float32Array => arena.tensors[path]!.data as Float32Array;
  const own = arena.placements.filter(({ path }) => !isLoraParameter(path) && !but.has(path));
  return loadStrictInto(model.keyMap, tensors, own, targetOf);
}

/** What there is of a model before its weights are read. */
export async function openParts(storage: Storage, gguf?: string): Promise<GgufModel> {
  const file = gguf ?? onlyGguf(await storage.list());
  if (file !== undefined) return openGgufModel(storage, file);
  const checkpoint = await openCheckpoint(storage);
  return { checkpoint, tokenizer: await tokenizerSource(storage, checkpoint.config) };
}

function countTypes(tensors: Iterable<{ readonly dtype: StorageDType }>): Pretrained['storedAs'] {
  const counts: Partial<Record<StorageDType, number>> = {};
  for (const { dtype } of tensors) counts[dtype] = (counts[dtype] ?? 0) + 1;
  return counts;
}

export interface PretrainedToSave {
  readonly model: Model;
  readonly arena: ParameterArena;
  readonly tokenizerFiles?: TokenizerFiles;
  readonly generationConfig?: JsonObject;
  /** What the weights are rounded to; float32 by default. */
  readonly dtype?: WeightType;
  readonly maxShardBytes?: number;
}

export type WeightType = keyof typeof storedTypes;
/** Their names in safetensors. */
export const storedTypes = { float32: 'F32', float16: 'F16', bfloat16: 'BF16' } as const;

/** Writes a model folder that `loadPretrained`, and Python's `from_pretrained` for its families, open. */
export async function savePretrained(
  storage: Storage,
  { model, arena, tokenizerFiles, generationConfig, dtype = 'float32', maxShardBytes }: PretrainedToSave,
): Promise<void> {
  const values = arena.placements.map(({ path, shape }) => ({
    path,
    shape,
    data: arena.tensors[path]!.data as Float32Array,
  }));
  const beside = tokenizerFiles && tokenizerFilesFor(model, tokenizerFiles);
  for (const [name, text] of Object.entries(beside ?? {})) await storage.writeAtomic(name, [encodeUtf8(text)]);
  const { dtype: _, ...config } = model.config;
  await saveCheckpoint(storage, {
    // Python computes in the type that is named here; newer versions write it as dtype and read both
    config: { ...config, torch_dtype: dtype },
    tensors: toCheckpoint(model.keyMap, values, storedTypes[dtype]),
    ...(generationConfig && { generationConfig }),
    ...(maxShardBytes !== undefined && { maxShardBytes }),
  });
}
