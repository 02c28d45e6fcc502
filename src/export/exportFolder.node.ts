import { existsSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { QkvError } from '../base/errors.ts';
import type { JsonObject } from '../checkpoint/checkpoint.ts';
import { isAbsent, nodeStorage, replaceFolder } from '../checkpoint/storage.node.ts';
import type { Storage } from '../checkpoint/storage.ts';
import { decodeUtf8, encodeUtf8 } from '../checkpoint/utf8.ts';
import { lowerInto } from '../onnx/lower.ts';
import { modelFiles } from '../onnx/modelFile.ts';
import type { Pretrained } from '../pretrained/pretrained.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { tokenizerFiles } from '../tokenizer/tokenizerFiles.ts';
import { exportGraphs } from './exportGraphs.ts';
import { exportConfig, pipelineTask } from './transformersJs.ts';

export interface ExportOptions {
  /** Written into the models as the version of their producer. */
  readonly version?: string;
  /** Weights beyond this go to a file beside the model; by default what ONNX's format cannot hold, 2 GiB. */
  readonly maxInlineBytes?: number;
  readonly signal?: AbortSignal;
}

export interface Exported {
  /** Files with models and their weights, by path in the folder, in bytes. */
  readonly models: Readonly<Record<string, number>>;
  /** The pipeline of transformers.js that opens the folder, or why none does. */
  readonly task?: string;
  readonly obstacle?: string;
}

/** What sentence-transformers and tokenizers have beside a model. */
const companions = [
  'special_tokens_map.json',
  'added_tokens.json',
  'chat_template.jinja',
  'modules.json',
  'sentence_bert_config.json',
  'config_sentence_transformers.json',
];

/**
 * Writes a model as ONNX, in standard operators and with float32 weights, into the folder layout that transformers.js opens:
 * `onnx/*.onnx` (see `exportGraphs`), `config.json`, the tokenizer, and what else stands beside the model. The folder must be
 * new or empty; it is there as a whole or not at all.
 *
 * @throws QkvError `io`, also where the signal is aborted
 */
export async function exportFolder(
  pretrained: Pretrained,
  folder: string,
  { version, maxInlineBytes, signal }: ExportOptions = {},
): Promise<Exported> {
  await requireEmpty(folder);
  const { model, arena, tokenizer, generationConfig, location } = pretrained;
  const graphs = exportGraphs(model);
  const models: Record<string, number> = {};
  const external: string[] = [];
  await replaceFolder(folder, async (storage) => {
    const onnx = nodeStorage(join(storage.location, 'onnx'));
    for (const [stem, graph] of Object.entries(graphs)) {
      const builder = lowerInto(graph, { contrib: false, weights: arena.tensors, longInputs: true });
      const files = modelFiles(builder, `${stem}.onnx`, { ...(version !== undefined && { version }) }, maxInlineBytes);
      if (files.length > 1) external.push(files[0]!.name);
      for (const { name, chunks } of files) {
        await onnx.writeAtomic(name, untilAborted(chunks, signal));
        models[`onnx/${name}`] = await onnx.size(name);
      }
    }
    const classes = graphs['model']?.outputs['logits']?.shape.at(-1);
    const isClassifier = model.kind === 'encoder' && model.head.name.endsWith('-classification');
    const labels = isClassifier ? (classes as number) : undefined;
    await writeJson(storage, 'config.json', exportConfig(model, { labels, external }));
    if (generationConfig) await writeJson(storage, 'generation_config.json', generationConfig);
    // a model may come from a single file
    const from = statSync(location, { throwIfNoEntry: false })?.isDirectory() ? nodeStorage(location) : undefined;
    if (from) await copyCompanions(from, storage);
    if (tokenizer) await writeTokenizer(tokenizer, pretrained, storage);
  });
  const task = pipelineTask(model);
  if (task === undefined) return { models, obstacle: 'it has no class for such a model' };
  return { models, ...(tokenizer ? { task } : { obstacle: 'the model has no tokenizer' }) };
}

function* untilAborted(chunks: Iterable<Uint8Array>, signal: AbortSignal | undefined): Generator<Uint8Array> {
  for (const chunk of chunks) {
    signal?.throwIfAborted();
    yield chunk;
  }
}

/** @throws QkvError `io` where the folder has something in it */
export async function requireEmpty(folder: string): Promise<void> {
  const expected = 'a new folder, or an empty one';
  try {
    const entries = await readdir(folder);
    if (entries.length > 0) throw new QkvError('io', { where: folder, got: `a folder with ${entries[0]}`, expected });
  } catch (cause) {
    if (cause instanceof QkvError) throw cause;
    if (isAbsent(cause)) return;
    throw new QkvError('io', { where: folder, got: `no folder: ${(cause as Error).message}`, expected, cause });
  }
}

/** What stands beside the model besides its tokenizer. */
export async function copyCompanions(from: Storage, to: Storage): Promise<void> {
  const names = await from.list();
  for (const name of companions) if (names.includes(name)) await copy(from, to, name);
  // sentence-transformers keeps the settings of each further module in a folder of its own
  const modules = names.includes('modules.json') ? await readJson(from, 'modules.json') : [];
  for (const module of Object.values(modules) as ({ path?: unknown } | null)[]) {
    const path = module?.path;
    if (typeof path !== 'string' || !/^[\w-]+$/.test(path)) continue;
    const [inner, copied] = [from, to].map(({ location }) => nodeStorage(join(location, path))) as [Storage, Storage];
    for (const name of existsSync(inner.location) ? await inner.list() : []) await copy(inner, copied, name);
  }
}

/** Where none is named: the tokens that pipelines look for, as the families call them. */
const usualTokens = { mask_token: ['[MASK]', '<mask>'], sep_token: ['[SEP]', '</s>'], cls_token: ['[CLS]', '<s>'] };

/** `tokenizer.json`, also where the model has older files, and `tokenizer_config.json`, with the chat template in it. */
async function writeTokenizer(
  tokenizer: Tokenizer,
  { model, tokenizerConfig: given = {} }: Pretrained,
  to: Storage,
): Promise<void> {
  const roles = Object.entries(tokenizer.specialIds).map(([role, id]) => [role, tokenizer.idToToken(id)]);
  const files = tokenizerFiles(tokenizer.json, {
    specialTokens: Object.fromEntries(roles),
    modelMaxLength: model.maxLength,
  });
  const config: Record<string, unknown> = { ...(JSON.parse(files['tokenizer_config.json']) as JsonObject), ...given };
  if (model.kind === 'encoder') {
    for (const [role, tokens] of Object.entries(usualTokens)) {
      config[role] ??= tokens.find((token) => tokenizer.tokenToId(token) !== undefined);
    }
    // in transformers.js it is the class that says whether the segments of a pair are told apart
    const isGeneric = /^(PreTrainedTokenizer|TokenizersBackend)/.test(String(config['tokenizer_class']));
    if (model.segments > 1 && isGeneric) config['tokenizer_class'] = 'BertTokenizer';
  }
  await to.writeAtomic('tokenizer.json', [encodeUtf8(files['tokenizer.json'])]);
  await writeJson(to, 'tokenizer_config.json', config);
}

export async function copy(from: Storage, to: Storage, name: string): Promise<void> {
  await to.writeAtomic(name, [await readAll(from, name)]);
}

async function readAll(from: Storage, name: string): Promise<Uint8Array> {
  return from.read(name, 0, await from.size(name));
}

async function readJson(from: Storage, name: string): Promise<JsonObject> {
  try {
    return Object(JSON.parse(decodeUtf8(await readAll(from, name)))) as JsonObject;
  } catch (cause) {
    if (cause instanceof QkvError) throw cause;
    throw new QkvError('io', { where: `${from.location}/${name}`, got: String(cause), expected: 'JSON', cause });
  }
}

async function writeJson(to: Storage, name: string, value: JsonObject): Promise<void> {
  await to.writeAtomic(name, [encodeUtf8(`${JSON.stringify(value, null, 2)}\n`)]);
}
