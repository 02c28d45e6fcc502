import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { QkvError } from '../base/errors.ts';
import { nodeStorage } from '../checkpoint/storage.node.ts';
import { type LoadOptions, loadPretrained, type Pretrained } from './pretrained.ts';

const weightFiles = [
  'model.safetensors',
  'model.safetensors.index.json',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
] as const;

/**
 * Opens the model in a folder: a model folder, or the folder of a training run with one in `model/`.
 *
 * @throws QkvError `io` where there is none, and what `loadPretrained` throws.
 */
export async function openModel(path: string, options: LoadOptions = {}): Promise<Pretrained> {
  return loadPretrained(nodeStorage(modelFolder(path)), options);
}

/** The folder that holds config.json and the rest. @throws QkvError `io` */
export function modelFolder(path: string): string {
  if (!existsSync(path)) {
    const looksLikeId = /^[\w.-]+(\/[\w.-]+)?$/.test(path) && !path.startsWith('.');
    throw new QkvError('io', {
      where: `model ${path}`,
      got: 'no folder of this name',
      expected:
        'a model folder (config.json, model.safetensors, tokenizer.json) or the output folder of a training run',
      ...(looksLikeId && {
        hint: 'A name on the Hugging Face hub is not fetched: download its files into a folder and give the folder',
      }),
    });
  }
  if (!statSync(path).isDirectory()) {
    throw new QkvError('io', { where: `model ${path}`, got: 'a file', expected: 'the folder that the model is in' });
  }
  const inner = join(path, 'model');
  const folder = existsSync(join(path, 'config.json')) || !existsSync(inner) ? path : inner;
  const missing = [
    existsSync(join(folder, 'config.json')) ? [] : ['config.json'],
    weightFiles.some((name) => existsSync(join(folder, name))) ? [] : ['model.safetensors'],
  ].flat();
  if (missing.length > 0) {
    const isRun = existsSync(join(path, 'recipe.yaml')) || existsSync(join(path, 'metrics.jsonl'));
    throw new QkvError('io', {
      where: `model ${folder}`,
      got: `a folder without ${missing.join(' and ')}`,
      expected: 'config.json and model.safetensors (or shards with model.safetensors.index.json, or pytorch_model.bin)',
      ...(isRun && { hint: 'This training run has written no model yet: qkv train RECIPE --resume goes on with it' }),
    });
  }
  return folder;
}
