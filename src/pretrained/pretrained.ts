import { type JsonObject, openCheckpoint, saveCheckpoint } from '../checkpoint/checkpoint.ts';
import { loadStrictInto, type StrictLoad } from '../checkpoint/loadStrict.ts';
import type { Storage } from '../checkpoint/storage.ts';
import { toCheckpoint } from '../checkpoint/toCheckpoint.ts';
import { encodeUtf8 } from '../checkpoint/utf8.ts';
import { declarationsOf } from '../models/declarations.ts';
import type { HeadName } from '../models/encoderHead.ts';
import type { Model } from '../models/model.ts';
import { parseModel } from '../models/registry.ts';
import { ParameterArena } from '../nn/parameterArena.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { TokenizerFiles } from '../tokenizer/tokenizerFiles.ts';
import { openTokenizer } from './openTokenizer.ts';

/** A model folder in memory: what runs, what it was trained to, and how text becomes ids. */
export interface Pretrained {
  readonly location: string;
  readonly model: Model;
  readonly arena: ParameterArena;
  /** Absent where the folder has none. */
  readonly tokenizer: Tokenizer | undefined;
  readonly generationConfig: JsonObject | undefined;
  /** Keys of the checkpoint that the model does not need, with the reason. */
  readonly ignored: StrictLoad['ignored'];
}

export interface LoadOptions {
  /** Of an encoder: in place of the head that config.json names. */
  readonly head?: HeadName | undefined;
}

/**
 * Opens a model folder of a known family: every key of the checkpoint is used or ignored for a reason, every parameter
 * filled. The weights are read straight into the arena.
 *
 * @throws QkvError `config`, `checkpoint`, `tokenizer` or `io`
 */
export async function loadPretrained(storage: Storage, { head }: LoadOptions = {}): Promise<Pretrained> {
  const checkpoint = await openCheckpoint(storage);
  const stored = new Set(checkpoint.tensors.keys());
  const model = parseModel(checkpoint.config, `${storage.location}/config.json`, stored, head);
  const arena = new ParameterArena(declarationsOf(model));
  const ignored = await loadStrictInto(model.keyMap, checkpoint.tensors, arena.placements, (path, values) => {
    (arena.tensors[path]!.data as Float32Array).set(values);
  });
  const tokenizer = await openTokenizer(storage, checkpoint.config);
  return {
    location: storage.location,
    model,
    arena,
    tokenizer,
    generationConfig: checkpoint.generationConfig,
    ignored,
  };
}

export interface PretrainedToSave {
  readonly model: Model;
  readonly arena: ParameterArena;
  readonly tokenizerFiles?: TokenizerFiles;
  readonly generationConfig?: JsonObject;
  readonly maxShardBytes?: number;
}

/** Writes a model folder that `loadPretrained`, and Python's `from_pretrained` for its families, open. */
export async function savePretrained(
  storage: Storage,
  { model, arena, tokenizerFiles, generationConfig, maxShardBytes }: PretrainedToSave,
): Promise<void> {
  const values = arena.placements.map(({ path, shape }) => ({
    path,
    shape,
    data: arena.tensors[path]!.data as Float32Array,
  }));
  for (const [name, text] of Object.entries(tokenizerFiles ?? {})) await storage.writeAtomic(name, [encodeUtf8(text)]);
  await saveCheckpoint(storage, {
    config: model.config,
    tensors: toCheckpoint(model.keyMap, values),
    ...(generationConfig && { generationConfig }),
    ...(maxShardBytes !== undefined && { maxShardBytes }),
  });
}
