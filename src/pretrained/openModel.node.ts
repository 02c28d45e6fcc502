import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { QkvError } from '../base/errors.ts';
import { nodeStorage } from '../checkpoint/storage.node.ts';
import type { Storage } from '../checkpoint/storage.ts';
import { checkRevision, parseHubName } from '../hub/hubName.ts';
import type { HubOptions } from '../hub/hubSnapshot.node.ts';
import { weightFiles } from '../hub/modelFiles.ts';
import { adapterConfigFile, openAdapter } from './adapterFolder.ts';
import { onlyGguf } from './openGgufModel.ts';
import { type LoadOptions, loadPretrained, type Pretrained } from './pretrained.ts';

/** How a model is opened, and for one of the hub how it is fetched. */
export interface OpenModelOptions extends HubOptions, Pick<LoadOptions, 'head'> {
  /** Branch, tag or commit; `main` by default. `org/name@revision` says the same. */
  readonly revision?: string;
  /** The folder of a LoRA adapter in PEFT's layout, or of a run that trained one: it is merged into the model. */
  readonly adapter?: string | undefined;
}

/**
 * Opens a model: a model folder, a GGUF file or a folder with one, the folder of a training run with one in `model/`, or,
 * where there is nothing of this name, `org/name` or `org/name@revision` of the Hugging Face hub, which is fetched into its
 * cache (see `hubModel`). The folder of a LoRA adapter, or of a run that trained one, opens as its base with the adapter merged.
 *
 * @throws QkvError `io` where there is none, and what `hubModel` and `loadPretrained` throw.
 */
export async function openModel(path: string, options: OpenModelOptions = {}): Promise<Pretrained> {
  const { head, adapter, ...where } = options;
  const own = adapterFolder(path);
  const folder = adapter === undefined ? own : adapterFolder(adapter);
  if (adapter !== undefined && folder === undefined) {
    throw new QkvError('io', {
      where: `adapter ${adapter}`,
      got: 'nothing',
      expected: `a folder with ${adapterConfigFile}`,
    });
  }
  const { storage, ...file } = await locateModel(own === undefined ? path : await baseOf(own), where);
  return loadPretrained(storage, { ...file, head, adapter: folder === undefined ? undefined : nodeStorage(folder) });
}

/** The folder of a LoRA adapter, or the one in the `model/` of a run. */
function adapterFolder(path: string): string | undefined {
  return [path, join(path, 'model')].find(
    (folder) => existsSync(join(folder, adapterConfigFile)) && !existsSync(join(folder, 'model.safetensors')),
  );
}

/** The model that an adapter belongs to: a path from where we are or from the adapter's folder, or a name of the hub. */
async function baseOf(folder: string): Promise<string> {
  const { base } = await openAdapter(nodeStorage(folder));
  const beside = base === undefined ? undefined : resolve(folder, base);
  if (base !== undefined && (existsSync(base) || !existsSync(beside!))) {
    if (existsSync(base) || parseHubName(base)) return base;
  } else if (beside !== undefined) return beside;
  throw new QkvError('io', {
    where: `base model of ${folder}`,
    got: base === undefined ? 'no base_model_name_or_path' : `no folder ${base}`,
    expected: 'the model that the adapter was trained on',
    hint: `Give the base as MODEL and --adapter ${folder}`,
  });
}

/** Where the model is that `openModel` opens. @throws QkvError as `openModel` */
export async function locateModel(
  path: string,
  options: OpenModelOptions = {},
): Promise<{ readonly storage: Storage; readonly gguf?: string }> {
  if (path.endsWith('.gguf') && statSync(path, { throwIfNoEntry: false })?.isFile()) {
    return { storage: nodeStorage(dirname(path)), gguf: basename(path) };
  }
  return { storage: nodeStorage(await modelFolder(path, options)) };
}

/** The folder that holds config.json and the rest, of the names that `openModel` takes. @throws QkvError as `openModel` */
export async function modelFolder(path: string, options: OpenModelOptions = {}): Promise<string> {
  const { revision, ...hub } = options;
  if (!existsSync(path)) {
    const name = parseHubName(path);
    if (!name) throw noModel(path);
    if (revision !== undefined && name.revision !== undefined) {
      const expected = 'one revision, in the name or in the options';
      throw new QkvError('usage', {
        where: `model ${path}`,
        got: `revision ${JSON.stringify(revision)} too`,
        expected,
      });
    }
    const { hubModel } = await import('../hub/hubModel.node.ts');
    return hubModel(revision === undefined ? name : { ...name, revision: checkRevision(revision) }, hub);
  }
  if (revision !== undefined) {
    throw new QkvError('usage', { where: `model ${path}`, got: `a folder, with revision ${JSON.stringify(revision)}` });
  }
  if (!statSync(path).isDirectory()) {
    const expected = 'the folder that the model is in, or a .gguf file';
    throw new QkvError('io', { where: `model ${path}`, got: 'a file', expected });
  }
  if (onlyGguf(readdirSync(path)) !== undefined) return path;
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

function noModel(path: string): QkvError {
  return new QkvError('io', {
    where: `model ${path}`,
    got: 'no folder of this name',
    expected:
      'a model folder (config.json, model.safetensors, tokenizer.json), a .gguf file or the output folder of a training run',
    ...(/^\w[\w.-]*$/.test(path) && { hint: `For a model of the Hugging Face hub say whose it is: OWNER/${path}` }),
  });
}
