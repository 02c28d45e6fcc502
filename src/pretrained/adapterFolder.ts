import * as z from 'zod/mini';
import { QkvError } from '../base/errors.ts';
import { schemaMessages } from '../base/schemaMessages.ts';
import { type JsonObject, readJson } from '../checkpoint/checkpoint.ts';
import { claimsOf, compileKeyMap } from '../checkpoint/keyMap.ts';
import { join, splitInto, transpose } from '../checkpoint/layoutMove.ts';
import { loadStrictInto } from '../checkpoint/loadStrict.ts';
import { type OutgoingTensor, openSafetensors, type StoredTensor } from '../checkpoint/safetensors.ts';
import type { Storage } from '../checkpoint/storage.ts';
import { toCheckpoint } from '../checkpoint/toCheckpoint.ts';
import type { Model } from '../models/model.ts';
import { moduleOf } from '../models/storedNames.ts';
import { isLoraParameter } from '../nn/lora.ts';
import type { ParameterArena, Placement } from '../nn/parameterArena.ts';

export const adapterConfigFile = 'adapter_config.json';
export const adapterWeightsFile = 'adapter_model.safetensors';
/** What the adapter was trained on, beside what PEFT writes: a digest of the matrices that it changes. */
export const adapterBaseFile = 'adapter_base.json';
const prefix = 'base_model.model.';

/** A LoRA adapter in the layout of Hugging Face's PEFT, opened: its tensors are still in the file. */
export interface Adapter {
  readonly location: string;
  /** Folder or name of the model that it belongs to, as its config has it. */
  readonly base: string | undefined;
  readonly rank: number;
  readonly scale: number;
  /** By the module's name in the base: A [r, in] and B [out, r]. */
  readonly layers: ReadonlyMap<string, { readonly a: StoredTensor; readonly b: StoredTensor }>;
  /** Tensors that replace those of the base, by key. */
  readonly whole: ReadonlyMap<string, StoredTensor>;
  /** Of the base's matrices; undefined where the folder does not say it. */
  readonly digest: string | undefined;
}

const none = z.optional(z.union([z.record(z.string(), z.never()), z.null()]));
const Config = z.looseObject({
  peft_type: z.literal('LORA'),
  base_model_name_or_path: z.nullish(z.string()),
  r: z.int().check(z.minimum(1)),
  lora_alpha: z.number(),
  use_rslora: z.nullish(z.boolean()),
  use_dora: z.nullish(z.literal(false)),
  bias: z.nullish(z.literal('none')),
  rank_pattern: none,
  alpha_pattern: none,
  layer_replication: z.optional(z.null()),
});

/** @throws QkvError `checkpoint` for a folder without an adapter, another kind of adapter, and tensors that do not belong together */
export async function openAdapter(storage: Storage): Promise<Adapter> {
  const where = `${storage.location}/${adapterConfigFile}`;
  const parsed = Config.safeParse(await readJson(storage, adapterConfigFile), schemaMessages);
  if (!parsed.success) {
    throw new QkvError('checkpoint', {
      where,
      got: z.prettifyError(parsed.error),
      expected: 'a LoRA adapter of one rank, without DoRA and trained biases',
    });
  }
  const { r, lora_alpha, use_rslora, base_model_name_or_path: base } = parsed.data;
  const { tensors } = await openSafetensors(storage, adapterWeightsFile);
  const layers = new Map<string, { a?: StoredTensor; b?: StoredTensor }>();
  const whole = new Map<string, StoredTensor>();
  for (const [key, tensor] of tensors) {
    const own = key.startsWith(prefix) ? key.slice(prefix.length) : key;
    const found = /^(.*)\.lora_([AB])\.weight$/.exec(own);
    if (!found) whole.set(own, tensor);
    else layers.set(found[1]!, { ...layers.get(found[1]!), [found[2]!.toLowerCase()]: tensor });
  }
  for (const [module, { a, b }] of layers) {
    if (a?.shape.length === 2 && b?.shape.length === 2 && a.shape[0] === r && b.shape[1] === r) continue;
    const shape = (tensor?: StoredTensor): string => (tensor ? `[${tensor.shape.join(', ')}]` : 'nothing');
    throw new QkvError('checkpoint', {
      where: `${storage.location}/${adapterWeightsFile}: ${module}`,
      got: `lora_A ${shape(a)}, lora_B ${shape(b)}`,
      expected: `[${r}, in] and [out, ${r}]`,
    });
  }
  const hasDigest = (await storage.list()).includes(adapterBaseFile);
  const digest = hasDigest ? (await readJson(storage, adapterBaseFile))['sha256'] : undefined;
  return {
    location: storage.location,
    base: base ?? undefined,
    rank: r,
    scale: lora_alpha / (use_rslora ? Math.sqrt(r) : r),
    layers: layers as Adapter['layers'],
    whole,
    digest: typeof digest === 'string' ? digest : undefined,
  };
}

/** Adds the low-rank products to the matrices in the arena: W + scale · A B. @throws QkvError `checkpoint` as `loadAdapter` */
export async function mergeAdapter(model: Model, arena: ParameterArena, adapter: Adapter): Promise<void> {
  for (const { paths, a, b } of await fitting(model, arena, adapter)) {
    for (const [i, path] of paths.entries()) {
      const weight = arena.tensors[`${path}.weight`]!;
      addProduct(weight.data as Float32Array, a, b[i]!, adapter.rank, adapter.scale);
    }
  }
}

/**
 * Reads an adapter, and what was trained beside it, into the parameters of a model that has the same one.
 *
 * @throws QkvError `checkpoint` where the base is not the one that the adapter was trained on, or of other shapes
 */
export async function loadAdapter(model: Model, arena: ParameterArena, adapter: Adapter): Promise<void> {
  const layers = await fitting(model, arena, adapter);
  const expected = new Set(model.lora!.layers.keys());
  if (layers.some(({ paths }) => paths.some((path) => !expected.delete(path))) || expected.size > 0) {
    throw new QkvError('checkpoint', { where: adapter.location, got: 'an adapter for other layers' });
  }
  for (const { paths, a, b } of layers) {
    (arena.tensors[`${paths[0]}.loraA`]!.data as Float32Array).set(a);
    for (const [i, path] of paths.entries()) (arena.tensors[`${path}.loraB`]!.data as Float32Array).set(b[i]!);
  }
  const targetOf = (path: string): Float32Array => arena.tensors[path]!.data as Float32Array;
  await loadStrictInto(model.keyMap, adapter.whole, trainedWhole(arena), targetOf);
}

/** The files of an adapter folder, but for the tokenizer. `base` is how the base model is named. */
export async function adapterFiles(
  model: Model,
  arena: ParameterArena,
  base: string,
  dtype: 'F32' | 'F16' | 'BF16' = 'F32',
): Promise<{ readonly config: JsonObject; readonly base: JsonObject; readonly tensors: OutgoingTensor[] }> {
  const { rank, scale, dropout, layers: planned } = model.lora!;
  const layers = linearModules(model, arena).filter(({ paths }) => planned.has(paths[0]!));
  const whole = toCheckpoint(
    model.keyMap,
    trainedWhole(arena).map(({ path, shape }) => ({ path, shape, data: arena.tensors[path]!.data as Float32Array })),
    dtype,
  );
  const outgoing = (name: string, rows: number, columns: number, data: () => Float32Array): OutgoingTensor => ({
    name: prefix + name,
    dtype,
    shape: [rows, columns],
    data,
  });
  const tensors = layers.flatMap(({ module, paths }): OutgoingTensor[] => {
    const a = arena.tensors[`${paths[0]}.loraA`]!;
    const b = paths.map((path) => arena.tensors[`${path}.loraB`]!);
    const shapes = b.map(({ shape }) => shape);
    const width = shapes.reduce((sum, [, to]) => sum + to!, 0);
    const from = a.shape[0]!;
    return [
      outgoing(`${module}.lora_A.weight`, rank, from, () => transpose(a.data as Float32Array, from, rank)),
      outgoing(`${module}.lora_B.weight`, width, rank, () => {
        const values = b.map(({ data }) => data as Float32Array);
        return transpose(join(values, shapes, 1), rank, width);
      }),
    ];
  });
  const saved = [...new Set(whole.map(({ name }) => moduleOf(name)))].sort();
  const config = {
    auto_mapping: null,
    base_model_name_or_path: base,
    bias: 'none',
    fan_in_fan_out: layers.some(({ isStoredByInput }) => isStoredByInput),
    inference_mode: true,
    init_lora_weights: true,
    lora_alpha: scale * rank,
    lora_dropout: dropout,
    modules_to_save: saved.length > 0 ? saved : null,
    peft_type: 'LORA',
    r: rank,
    target_modules: layers.map(({ module }) => module).sort(),
    task_type: taskTypeOf(model),
  };
  return {
    config,
    base: {
      sha256: await digestOf(
        arena,
        layers.flatMap(({ paths }) => paths),
      ),
    },
    tensors: [...tensors, ...whole.map((tensor) => ({ ...tensor, name: prefix + tensor.name }))],
  };
}

/** A linear layer of a checkpoint, and the layers of ours that it holds. */
interface LinearModule {
  readonly module: string;
  readonly paths: readonly string[];
  /** Stored as [in, out], as ours are; else the other way round. */
  readonly isStoredByInput: boolean;
}

/** Of all matrices, by the key map: which of them are linear layers is for others to know. */
export function linearModules({ keyMap }: Model, { placements }: Pick<ParameterArena, 'placements'>): LinearModule[] {
  const own = placements.filter(({ path }) => !isLoraParameter(path));
  return claimsOf(compileKeyMap(keyMap), own)
    .filter(
      ({ key, params, rule }) =>
        key.endsWith('.weight') && params[0]!.shape.length === 2 && (rule.move !== 'split' || rule.axis === 1),
    )
    .map(({ key, params, rule }) => ({
      module: moduleOf(key),
      paths: params.map(({ path }) => moduleOf(path)),
      isStoredByInput: rule.move !== 'transpose',
    }));
}

function trainedWhole({ placements }: ParameterArena): Placement[] {
  return placements.filter(({ trainable, path }) => trainable && !isLoraParameter(path));
}

interface FittingLayer {
  readonly paths: readonly string[];
  /** [in, r] */
  readonly a: Float32Array;
  /** [r, out] for each path. */
  readonly b: readonly Float32Array[];
}

/** The adapter's layers in our layout, checked against the base. */
async function fitting(model: Model, arena: ParameterArena, adapter: Adapter): Promise<FittingLayer[]> {
  const modules = new Map(linearModules(model, arena).map((one) => [one.module, one]));
  const { basePrefix = '' } = model.keyMap;
  const faults: string[] = [];
  const found: { readonly paths: readonly string[]; readonly a: StoredTensor; readonly b: StoredTensor }[] = [];
  for (const [module, { a, b }] of adapter.layers) {
    const layer = modules.get(module) ?? modules.get(basePrefix + module);
    if (!layer) faults.push(`${module}: the base has no such layer`);
    else {
      const shapes = layer.paths.map((path) => arena.tensors[`${path}.weight`]!.shape);
      const [from, to] = [shapes[0]![0]!, shapes.reduce((sum, [, width]) => sum + width!, 0)];
      if (a.shape[1] === from && b.shape[0] === to) found.push({ paths: layer.paths, a, b });
      else faults.push(`${module}: from ${a.shape[1]} to ${b.shape[0]}, the base's is from ${from} to ${to}`);
    }
  }
  if (faults.length > 0) {
    throw new QkvError('checkpoint', {
      where: adapter.location,
      got: `${faults.slice(0, 4).join('; ')}${faults.length > 4 ? `; and ${faults.length - 4} more` : ''}`,
      expected: `layers of the base, a ${model.family} model`,
      hint: 'Give the model that it was trained on',
    });
  }
  const paths = found.flatMap((one) => one.paths);
  if (adapter.digest !== undefined && adapter.digest !== (await digestOf(arena, paths))) {
    throw new QkvError('checkpoint', {
      where: adapter.location,
      got: 'a base whose weights are not those that the adapter was trained on',
      expected: `the base as it was${adapter.base === undefined ? '' : ` (${adapter.base})`}`,
    });
  }
  const { rank } = adapter;
  return Promise.all(
    found.map(async (one) => {
      const shapes = one.paths.map((path) => [rank, arena.tensors[`${path}.weight`]!.shape[1]!]);
      const b = shapes.map(([, to]) => new Float32Array(rank * to!));
      splitInto(b, transpose(await one.b.read('float32'), one.b.shape[0]!, rank), 0, shapes, 1);
      return { paths: one.paths, a: transpose(await one.a.read('float32'), rank, one.a.shape[1]!), b };
    }),
  );
}

/** W [in, out] += scale · A [in, r] B [r, out] */
function addProduct(weight: Float32Array, a: Float32Array, b: Float32Array, rank: number, scale: number): void {
  const to = b.length / rank;
  const row = new Float64Array(to);
  for (let i = 0; i * rank < a.length; i++) {
    row.fill(0);
    for (let k = 0; k < rank; k++) {
      const factor = scale * a[i * rank + k]!;
      for (let j = 0; j < to; j++) row[j]! += factor * b[k * to + j]!;
    }
    for (let j = 0; j < to; j++) weight[i * to + j]! += row[j]!;
  }
}

/** Of every JavaScript environment; the types of neither Node nor a page are here. */
declare const crypto: {
  readonly subtle: { digest(name: 'SHA-256', data: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer> };
};

/** SHA-256 of the SHA-256 of the layers' matrices as float32 rows [in, out], in the order of their paths. */
async function digestOf(arena: ParameterArena, paths: readonly string[]): Promise<string> {
  const digests = new Uint8Array(32 * paths.length);
  for (const [i, path] of [...paths].sort().entries()) {
    const { buffer, byteOffset, byteLength } = arena.tensors[`${path}.weight`]!.data;
    // a copy: digests are not made of shared memory
    const bytes = new Uint8Array(new Uint8Array(buffer, byteOffset, byteLength));
    digests.set(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)), 32 * i);
  }
  const whole = new Uint8Array(await crypto.subtle.digest('SHA-256', digests));
  return Array.from(whole, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function taskTypeOf(model: Model): string | null {
  if (model.kind === 'causal') return 'CAUSAL_LM';
  if (model.kind === 'encoder-decoder') return 'SEQ_2_SEQ_LM';
  switch (model.head.name) {
    case 'sequence-classification':
      return 'SEQ_CLS';
    case 'token-classification':
      return 'TOKEN_CLS';
    case 'question-answering':
      return 'QUESTION_ANS';
    default:
      return null;
  }
}
