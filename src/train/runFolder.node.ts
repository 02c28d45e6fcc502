import { existsSync, renameSync } from 'node:fs';
import { appendFile, mkdir, open, readdir, readFile, rmdir, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { QkvError } from '../base/errors.ts';
import { readJson } from '../checkpoint/checkpoint.ts';
import { loadStrictInto } from '../checkpoint/loadStrict.ts';
import { openSafetensors, safetensorsChunks } from '../checkpoint/safetensors.ts';
import {
  type DamagedSnapshot,
  latestSnapshot,
  type Snapshot,
  type SnapshotFile,
  saveSnapshot,
  verifySnapshot,
} from '../checkpoint/snapshot.node.ts';
import { nodeStorage, removeLeftovers, replaceFolder } from '../checkpoint/storage.node.ts';
import type { Chunks, Storage } from '../checkpoint/storage.ts';
import { toCheckpoint } from '../checkpoint/toCheckpoint.ts';
import { decodeUtf8, encodeUtf8 } from '../checkpoint/utf8.ts';
import type { Model } from '../models/model.ts';
import type { ParameterArena } from '../nn/parameterArena.ts';
import {
  adapterBaseFile,
  adapterConfigFile,
  adapterFiles,
  adapterWeightsFile,
  loadAdapter,
  openAdapter,
} from '../pretrained/adapterFolder.ts';
import { refuseOverflow } from '../pretrained/float16Range.ts';
import { tokenizerFilesFor } from '../pretrained/modelInputNames.ts';
import { storedTypes } from '../pretrained/pretrained.ts';
import { formatRecipe } from '../recipe/formatRecipe.ts';
import { parseRecipe } from '../recipe/parseRecipe.ts';
import type { Recipe } from '../recipe/recipe.ts';
import type { TokenizerFiles } from '../tokenizer/tokenizerFiles.ts';
import { refuseChanges } from './changedKeys.ts';
import type { MetricsLine } from './events.ts';
import { optimizerFile, optimizerTensors } from './optimizerFile.ts';
import { parseRunState, type RunState } from './runState.ts';
import type { TrainingTask } from './task.ts';
import type { SnapshotContents } from './trainer.ts';

const RECIPE = 'recipe.yaml';
const METRICS = 'metrics.jsonl';
const LOCK = 'run.lock';
const STATE = 'state.json';
const WEIGHTS = 'model.safetensors';
const TOKENIZER: readonly (keyof TokenizerFiles)[] = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
];
/** The files of a snapshot that make a model folder. */
const MODEL_FILES: readonly string[] = [
  'config.json',
  'generation_config.json',
  WEIGHTS,
  adapterConfigFile,
  adapterWeightsFile,
  adapterBaseFile,
  ...TOKENIZER,
];

/** What a snapshot holds, tensors aside. */
export interface SavedRun {
  readonly snapshot: Snapshot;
  readonly state: RunState;
  readonly recipe: Recipe;
  readonly tokenizerFiles: TokenizerFiles;
}

export interface OpenOptions {
  /** Go on with the run that is in the folder. */
  readonly resume: boolean;
  /** Move a run that is in the folder aside. */
  readonly overwrite: boolean;
  readonly onNotice: (text: string) => void;
}

/**
 * The folder of a run:
 *
 *     recipe.yaml       the recipe, all defaults written out
 *     metrics.jsonl     a line for each logged step, each validation and the test
 *     step-000500/      snapshots: a model folder each, with state.json, optimizer.safetensors, recipe.yaml and checksums
 *     model/            at the end: the best snapshot's model folder
 *     run.lock          while a process trains into it
 */
export class RunFolder implements AsyncDisposable {
  readonly path: string;
  /** Where the run goes on; undefined for one that begins. */
  readonly saved: SavedRun | undefined;
  readonly #recipe: Recipe;
  #isAbandoned = false;

  private constructor(path: string, recipe: Recipe, saved: SavedRun | undefined) {
    this.path = path;
    this.#recipe = recipe;
    this.saved = saved;
  }

  /**
   * Makes the folder, or opens that of the run to be resumed.
   *
   * @throws QkvError `run` where the folder holds something and neither option says what to do with it, where another
   * process trains into it, where the recipe has changed and where all snapshots are damaged.
   */
  static async open(recipe: Recipe, { resume, overwrite, onNotice }: OpenOptions): Promise<RunFolder> {
    const path = recipe.output;
    const entries = await entriesOf(path);
    const isRun = entries.includes(RECIPE);
    if (resume) {
      if (!isRun) throw nothingToResume(path, entries);
      if (overwrite)
        throw new QkvError('usage', { where: '--overwrite', got: '--resume as well', expected: 'one of the two' });
    } else if (entries.length > 0) {
      if (!isRun) {
        throw new QkvError('run', {
          where: path,
          got: `a folder with other files (${entries.slice(0, 3).join(', ')})`,
          expected: 'a new or empty folder, or that of a run',
          hint: 'Choose another output',
        });
      }
      if (!overwrite) {
        throw new QkvError('run', {
          where: path,
          got: 'the folder of another run',
          expected: 'a new or empty folder',
          hint: '--resume goes on with that run, --overwrite moves it aside, --set output=FOLDER takes another folder',
        });
      }
      await lock(path); // refuses to move what another process trains into
      await unlock(path);
      const aside = freeName(path);
      renameSync(path, aside);
      onNotice(`the run that was in ${path} is now in ${aside}`);
    }
    await mkdir(path, { recursive: true });
    await lock(path);
    try {
      const saved = resume ? await openSaved(path, onNotice) : undefined;
      if (resume) {
        const before = saved?.recipe ?? (await readRecipe(nodeStorage(path)));
        refuseChanges(before, recipe, path);
        await removeLeftovers(path);
      }
      await nodeStorage(path).writeAtomic(RECIPE, [encodeUtf8(formatRecipe(recipe))]);
      const folder = new RunFolder(path, recipe, saved);
      await folder.#truncateMetrics(saved?.state.step ?? 0);
      return folder;
    } catch (error) {
      await unlock(path);
      throw error;
    }
  }

  async save({ state, recipe, task, arena, moments }: SnapshotContents): Promise<string> {
    const { model, generationConfig } = task;
    const tokenizerFiles = tokenizerFilesFor(model, task.tokenizerFiles);
    const pin = state.best?.snapshot == null ? [] : [state.best.snapshot];
    const { name } = await saveSnapshot(
      this.path,
      state.step,
      {
        'config.json': json(model.config),
        ...(generationConfig && { 'generation_config.json': json(generationConfig) }),
        ...(await weightFiles(model, arena, recipe)),
        ...Object.fromEntries(TOKENIZER.map((file) => [file, encodeUtf8(tokenizerFiles[file])])),
        [optimizerFile]: { tensors: optimizerTensors(arena, moments) },
        [RECIPE]: encodeUtf8(formatRecipe(recipe)),
        [STATE]: json(state),
      },
      { keep: recipe.train.keep, pin },
    );
    return name;
  }

  /** Fills the weights from a snapshot. */
  async loadWeights(snapshot: Storage, model: Model, arena: ParameterArena): Promise<void> {
    if (model.lora) return loadAdapter(model, arena, await openAdapter(snapshot));
    const tensors = await openSafetensors(snapshot, WEIGHTS);
    await loadStrictInto(
      model.keyMap,
      tensors.tensors,
      arena.placements,
      (path) => arena.tensors[path]!.data as Float32Array,
    );
  }

  async record(line: MetricsLine): Promise<void> {
    await appendFile(join(this.path, METRICS), `${JSON.stringify(line)}\n`);
  }

  /** The storage of a snapshot, if its files are whole. */
  async intact(name: string): Promise<Storage | undefined> {
    const storage = nodeStorage(join(this.path, name));
    const problems = await verifySnapshot(storage, Number(/^step-(\d+)/.exec(name)?.[1]));
    return problems.length === 0 ? storage : undefined;
  }

  /** Writes `model/` from a snapshot, and further files by their paths in it; gives its path. */
  async publish(snapshot: Storage, files: TrainingTask['modelFiles'] = {}): Promise<string> {
    const path = join(this.path, 'model');
    await replaceFolder(path, async (storage) => {
      const names = await snapshot.list();
      for (const name of MODEL_FILES.filter((file) => names.includes(file))) {
        await storage.writeAtomic(name, await this.#published(snapshot, name));
      }
      for (const [file, text] of Object.entries(files)) {
        await nodeStorage(join(storage.location, dirname(file))).writeAtomic(basename(file), [encodeUtf8(text)]);
      }
    });
    return path;
  }

  /** A file of a snapshot as the model folder has it. */
  async #published(snapshot: Storage, name: string): Promise<Chunks> {
    const { saveDtype } = this.#recipe.train;
    if (saveDtype === 'float32') return chunksOf(snapshot, name);
    if (name === 'config.json') {
      const { dtype: _, ...config } = await readJson(snapshot, name);
      return [json({ ...config, torch_dtype: saveDtype })];
    }
    if (name !== WEIGHTS && name !== adapterWeightsFile) return chunksOf(snapshot, name);
    const { tensors } = await openSafetensors(snapshot, name);
    return safetensorsChunks(
      [...tensors.values()].map((tensor) => ({
        name: tensor.name,
        shape: tensor.shape,
        dtype: storedTypes[saveDtype],
        data: async () => {
          const values = await tensor.read('float32');
          if (saveDtype === 'float16') refuseOverflow(tensor.name, values);
          return values;
        },
      })),
    );
  }

  /** Leaves nothing of a run that could not begin, so that the next try finds the folder as this one did. */
  async abandon(): Promise<void> {
    await unlink(join(this.path, RECIPE));
    this.#isAbandoned = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await unlock(this.path);
    // not one with anything in it
    if (this.#isAbandoned) await rmdir(this.path).catch(() => {});
  }

  get recipe(): Recipe {
    return this.#recipe;
  }

  /** Leaves out the lines after `step`, those of the test, and a last line that a kill cut. */
  async #truncateMetrics(step: number): Promise<void> {
    const file = join(this.path, METRICS);
    if (!existsSync(file)) return;
    const kept = (await readFile(file, 'utf8')).split('\n').filter((text) => {
      try {
        const line = JSON.parse(text) as { readonly step?: number; readonly test?: unknown };
        return line.step !== undefined && line.step <= step && line.test === undefined;
      } catch {
        return false;
      }
    });
    await nodeStorage(this.path).writeAtomic(METRICS, [encodeUtf8(kept.map((text) => `${text}\n`).join(''))]);
  }
}

/** The weights of a model folder: all of them, or an adapter's. */
async function weightFiles(
  model: Model,
  arena: ParameterArena,
  recipe: Recipe,
): Promise<Readonly<Record<string, SnapshotFile>>> {
  if (model.lora && recipe.model.family === 'pretrained') {
    const { config, base, tensors } = await adapterFiles(model, arena, recipe.model.from);
    return {
      [adapterConfigFile]: json(config),
      [adapterBaseFile]: json(base),
      [adapterWeightsFile]: { tensors },
    };
  }
  const values = arena.placements.map(({ path, shape }) => ({
    path,
    shape,
    data: arena.tensors[path]!.data as Float32Array,
  }));
  return { [WEIGHTS]: { tensors: toCheckpoint(model.keyMap, values) } };
}

function json(value: unknown): Uint8Array {
  return encodeUtf8(`${JSON.stringify(value, null, 2)}\n`);
}

async function openSaved(path: string, onNotice: (text: string) => void): Promise<SavedRun | undefined> {
  const snapshot = await latestSnapshot(path, (damaged) => onNotice(damagedText(damaged)));
  if (snapshot === undefined) return undefined;
  const { storage } = snapshot;
  const files = await Promise.all(TOKENIZER.map(async (file) => [file, await readText(storage, file)] as const));
  return {
    snapshot,
    state: parseRunState(await readText(storage, STATE), `${storage.location}/${STATE}`),
    recipe: await readRecipe(storage),
    tokenizerFiles: Object.fromEntries(files) as TokenizerFiles,
  };
}

function damagedText({ name, problems }: DamagedSnapshot): string {
  const what = problems.map(({ file, problem }) => `${file}: ${problem}`).join('; ');
  return `snapshot ${name} is damaged (${what}); the one before it is used`;
}

async function readRecipe(storage: Storage): Promise<Recipe> {
  return parseRecipe(await readText(storage, RECIPE), `${storage.location}/${RECIPE}`);
}

async function readText(storage: Storage, name: string): Promise<string> {
  return decodeUtf8(await storage.read(name, 0, await storage.size(name)));
}

async function* chunksOf(storage: Storage, name: string): AsyncGenerator<Uint8Array> {
  const size = await storage.size(name);
  const step = 4 << 20;
  for (let at = 0; at < size; at += step) yield storage.read(name, at, Math.min(step, size - at));
}

async function entriesOf(path: string): Promise<string[]> {
  try {
    // A process that was killed at its start leaves no more than its lock and a half-written file.
    return (await readdir(path)).filter((name) => name !== LOCK && !name.startsWith('.qkv-'));
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return [];
    throw new QkvError('io', { where: path, got: message, expected: 'a folder for the run', cause });
  }
}

function nothingToResume(path: string, entries: readonly string[]): QkvError {
  return new QkvError('run', {
    where: path,
    got: entries.length === 0 ? 'no run' : 'a folder without recipe.yaml',
    expected: 'the folder of a run',
    hint: 'Leave --resume out to start one',
  });
}

/** `runs/a` → `runs/a-1`, or the next number that is free. */
export function freeName(path: string): string {
  for (let i = 1; ; i++) if (!existsSync(`${path}-${i}`)) return `${path}-${i}`;
}

/** A file with the process's id says who trains here; that of a process which has died is taken over. */
async function lock(path: string): Promise<void> {
  const file = join(path, LOCK);
  for (;;) {
    try {
      const handle = await open(file, 'wx');
      await handle.writeFile(JSON.stringify({ pid: process.pid, host: hostname() }));
      await handle.close();
      return;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') {
        throw new QkvError('io', { where: file, got: (cause as Error).message, cause });
      }
    }
    const holder = await holderOf(file);
    if (holder !== undefined && holder.host === hostname() && holder.pid !== process.pid && isAlive(holder.pid)) {
      throw new QkvError('run', {
        where: path,
        got: `a run that process ${holder.pid} trains at this moment`,
        expected: 'one process a run',
      });
    }
    await unlock(path);
  }
}

async function holderOf(file: string): Promise<{ readonly pid: number; readonly host: string } | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as { pid: number; host: string };
  } catch {
    return undefined; // killed while it was being written
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function unlock(path: string): Promise<void> {
  await unlink(join(path, LOCK)).catch(() => {});
}
