import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { HostTensor } from '../../src/base/tensor.ts';
import { openSafetensors, readHostTensor } from '../../src/checkpoint/safetensors.ts';
import { nodeStorage } from '../../src/checkpoint/storage.node.ts';
import { isEncoderFamily, isKnownFamily } from '../../src/models/registry.ts';

/** A folder with a model and what the reference made of it, or with bare operations: see fixtures/parity/README.md. */
export interface ParityCase {
  readonly name: string;
  readonly folder: string;
  readonly kind: 'model' | 'ops' | 'not run';
  /** Why it cannot be run. */
  readonly reason: string;
  /** `model_type`, the class, … for the titles. */
  readonly what: string;
  /** Names of the training runs, without ending: `train`, `train-smoothing`. */
  readonly trainings: readonly string[];
}

/** Every case in a folder, or the folder itself where it is one. What a case is shows in its files, not in its name. */
export async function findParityCases(folder: string): Promise<ParityCase[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  if (entries.some(({ name }) => name === 'expected.safetensors')) return [await openCase(folder)];
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const cases = await Promise.all(folders.sort().map((name) => openCase(join(folder, name))));
  if (cases.length === 0) throw new Error(`no parity case in ${folder}`);
  return cases;
}

async function openCase(folder: string): Promise<ParityCase> {
  const files = await readdir(folder);
  const base = {
    name: basename(folder),
    folder,
    what: '',
    reason: '',
    trainings: files.filter((file) => /^train(-.+)?\.json$/.test(file)).map((file) => file.slice(0, -'.json'.length)),
  };
  if (!files.includes('expected.safetensors')) return { ...base, kind: 'not run', reason: 'no expected.safetensors' };
  const { tensors } = await openSafetensors(nodeStorage(folder), 'expected.safetensors');
  const keys = [...tensors.keys()];
  if (!files.includes('config.json')) {
    if (keys.every((key) => key.includes('/'))) return { ...base, kind: 'ops', what: 'bare operations' };
    return { ...base, kind: 'not run', reason: 'no config.json, and not a case of bare operations' };
  }
  const config = await readJson(folder, 'config.json');
  const expected = await readJson(folder, 'expected.json');
  const what = [config['model_type'], expected['class']].filter(Boolean).join(', ');
  const reason = whyNotRun(config, tensors);
  if (reason !== undefined) return { ...base, kind: 'not run', what, reason };
  return { ...base, kind: 'model', what };
}

/** A family, or the head of a family, that is not here. A configuration or an input that its family refuses is not a reason: it fails. */
function whyNotRun(
  config: Json,
  tensors: ReadonlyMap<string, { readonly shape: readonly number[] }>,
): string | undefined {
  const family = String(config['model_type']);
  if (!isKnownFamily(config['model_type'])) return `the family ${family} does not exist yet`;
  const givesWords =
    tensors.get('output.logits')?.shape.length === 3 && tensors.get('input.labels')?.shape.length === 2;
  return givesWords || isEncoderFamily(family) ? undefined : `this head of the family ${family} does not exist yet`;
}

export type Json = Readonly<Record<string, unknown>>;

export async function readJson(folder: string, file: string): Promise<Json> {
  return JSON.parse(await readFile(join(folder, file), 'utf8')) as Json;
}

/** All tensors of a file, by key. */
export async function readTensors(folder: string, file: string): Promise<Map<string, HostTensor>> {
  const { tensors } = await openSafetensors(nodeStorage(folder), file);
  const read = [...tensors].map(async ([key, stored]) => [key, await readHostTensor(stored)] as const);
  return new Map(await Promise.all(read));
}

/** The tensors whose key starts with `prefix`, by the rest of the key. */
export function under(tensors: ReadonlyMap<string, HostTensor>, prefix: string): Map<string, HostTensor> {
  const found = [...tensors].filter(([key]) => key.startsWith(prefix));
  return new Map(found.map(([key, tensor]) => [key.slice(prefix.length), tensor]));
}
