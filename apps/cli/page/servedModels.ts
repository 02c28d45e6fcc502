import { existsSync, readdirSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { QkvError } from '../../../src/base/errors.ts';
import { modelFiles } from '../../../src/hub/modelFiles.ts';
import { tunedLensFile } from '../../../src/inspect/tunedLens.ts';
import { adapterConfigFile } from '../../../src/pretrained/adapterFolder.ts';
import { onlyGguf } from '../../../src/pretrained/openGgufModel.ts';
import { locateModel } from '../../../src/pretrained/openModel.node.ts';
import { withHub } from '../openPretrained.ts';
import { addJson, type Site } from './site.ts';

/** What only the page reads: texts to begin with, a tuned lens. */
const pageFiles: readonly string[] = ['examples.json', tunedLensFile];

/** A model that is served: the files that it needs, and no other that lie beside them. */
export interface ServedModel {
  /** In the address, `served/<name>/<file>`. */
  readonly name: string;
  /** As it was asked for. */
  readonly from: string;
  readonly folder: string;
  readonly files: readonly string[];
}

/**
 * Finds the models of a command line, fetching those of the hub; their names differ.
 *
 * @throws QkvError as `openModel` for what is none, `usage` for an adapter
 */
export async function servedModels(models: readonly string[]): Promise<ServedModel[]> {
  const served: ServedModel[] = [];
  for (const from of models) {
    const { folder, files } = await filesOf(from);
    const wanted = nameOf(from);
    const isTaken = (name: string): boolean => served.some((one) => one.name === name);
    let name = wanted;
    for (let i = 2; isTaken(name); i++) name = `${wanted}-${i}`;
    served.push({ name, from, folder, files });
  }
  return served;
}

/** `served/<name>/<file>`, and `served/index.json`, a list of `{ name, bytes, files }`. */
export function addModels(site: Site, models: readonly ServedModel[]): void {
  for (const { name, folder, files } of models) {
    for (const file of files) site.set(`served/${name}/${file}`, { kind: 'file', path: join(folder, file) });
  }
  const bytesOf = ({ folder, files }: ServedModel): number =>
    files.reduce((sum, file) => sum + (statSync(join(folder, file), { throwIfNoEntry: false })?.size ?? 0), 0);
  addJson(site, 'served/index.json', () =>
    models.map((model) => ({ name: model.name, bytes: bytesOf(model), files: model.files })),
  );
}

/** Whether an argument is a model that lies here, and not a text. */
export function isModelHere(argument: string): boolean {
  const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() === true;
  if (argument.endsWith('.gguf')) return isFile(argument);
  if (statSync(argument, { throwIfNoEntry: false })?.isDirectory() !== true) return false;
  const signs = ['config.json', 'recipe.yaml', adapterConfigFile].map((file) => join(argument, file));
  return [...signs, join(argument, 'model/config.json')].some(isFile) || onlyGguf(readdirSync(argument)) !== undefined;
}

async function filesOf(from: string): Promise<Pick<ServedModel, 'folder' | 'files'>> {
  const adapter = [from, join(from, 'model')].find((folder) => existsSync(join(folder, adapterConfigFile)));
  if (adapter !== undefined && !existsSync(join(adapter, 'model.safetensors'))) {
    throw new QkvError('usage', {
      where: `model ${from}`,
      got: 'a LoRA adapter',
      expected: 'a model with all of its weights: the page does not put the two together',
      hint: `qkv convert ${from} FOLDER merges it with its base`,
    });
  }
  const { storage, gguf } = await withHub((options) => locateModel(from, options));
  const folder = storage.location;
  const names = await storage.list();
  const file = gguf ?? onlyGguf(names);
  if (file !== undefined) return { folder, files: [file] };
  const needed = await modelFiles(folder, names, (name) => readFile(join(folder, name), 'utf8'));
  return { folder, files: [...pageFiles.filter((name) => names.includes(name)), ...needed] };
}

/** A word for an address: the last part of a path, that of a run for its `model/`; of `org/name@revision` the name. */
export function nameOf(from: string): string {
  const path = existsSync(from) ? resolve(from) : from.replace(/@.*$/, '');
  const isInner = basename(path) === 'model' && basename(dirname(path)) !== '';
  const name = basename(isInner ? dirname(path) : path).replace(/\.gguf$/, '');
  return name.replace(/[^\p{L}\p{M}\p{N}._-]+/gu, '-').replace(/^\.+/, '') || 'model';
}
