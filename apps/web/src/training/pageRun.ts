import { QkvError } from '../../../../src/base/errors.ts';
import { loadStrictInto } from '../../../../src/checkpoint/loadStrict.ts';
import { openSafetensors, safetensorsChunks } from '../../../../src/checkpoint/safetensors.ts';
import type { Storage } from '../../../../src/checkpoint/storage.ts';
import { decodeUtf8 } from '../../../../src/checkpoint/utf8.ts';
import type { WebRuntime } from '../../../../src/runtime/web/web.ts';
import type { TokenizerFiles } from '../../../../src/tokenizer/tokenizerFiles.ts';
import type { TrainingEvent } from '../../../../src/train/events.ts';
import { loadOptimizer, optimizerFile, optimizerTensors } from '../../../../src/train/optimizerFile.ts';
import type { TrainingTask } from '../../../../src/train/task.ts';
import { type SnapshotContents, Trainer, type TrainerHost } from '../../../../src/train/trainer.ts';
import type { WatchEvent } from '../watch/events.ts';
import { WatchedAttention } from '../watch/watchedAttention.ts';
import type { StorageState, TrainingMessage, TrainingSettings } from './contract.ts';
import { modelFolder } from './modelFolder.ts';
import { pageTask, watchedText } from './pageTask.ts';
import { recipeOf } from './recipeOf.ts';
import type { RunStore, StoredRun } from './runStore.ts';

export type Tell = (message: TrainingMessage) => void;

/** Between two snapshots, ms: soon at first, where attention changes most. */
const FIRST_SAVE_MS = 1000;
const SAVE_MS = 5000;
/** Between two steps that are shown and not kept, ms. */
const SHOW_MS = 250;
/** Attention maps of so many steps are kept; then every second one is dropped. */
const MOST_FRAMES = 48;

interface PageRunParts {
  readonly settings: TrainingSettings;
  /** Of this run alone: closed with it. */
  readonly runtime: WebRuntime;
  readonly baseUrl: string;
  readonly store: RunStore | null;
  /** Where it goes on. */
  readonly stored?: StoredRun;
}

/** A run in the page: the project's trainer, with the browser's storage for its snapshots. */
export class PageRun implements AsyncDisposable {
  readonly #parts: PageRunParts;
  readonly #task: TrainingTask;
  readonly #attention: WatchedAttention;
  #trainer!: Trainer;
  #tell: Tell = () => {};
  /** What has happened, as it is kept. */
  #events: WatchEvent[];
  readonly #frames = new Map<number, Float32Array>();
  #model: { readonly step: number; readonly files: ReadonlyMap<string, Uint8Array<ArrayBuffer>> } | undefined;
  readonly #stop = { aborted: false };
  #isPaused = false;
  /** Since this thread began with the run, pauses left out. */
  #seconds = 0;
  #since = 0;
  #saved = 0;
  #saveAfter = FIRST_SAVE_MS;
  #shown = 0;

  private constructor(parts: PageRunParts, task: TrainingTask) {
    this.#parts = parts;
    this.#task = task;
    this.#attention = new WatchedAttention(watchedText(parts.settings));
    this.#events = [...(parts.stored?.events ?? [])];
  }

  /** @throws QkvError of what cannot be trained, and of a snapshot that cannot be read */
  static async open(parts: PageRunParts): Promise<PageRun> {
    const { settings, runtime, baseUrl, stored } = parts;
    const recipe = recipeOf(settings);
    let run: PageRun | undefined;
    const task = await pageTask(recipe, settings, {
      runtime,
      arena: () => run!.#trainer.arena,
      tokenizerFiles: stored && (await tokenizerOf(stored.storage)),
      baseUrl,
    });
    run = new PageRun(parts, task);
    const trainer = await Trainer.create(runtime, recipe, task, run.#host());
    run.#trainer = trainer;
    if (stored) {
      const { tensors } = await openSafetensors(stored.storage, 'model.safetensors');
      const { arena } = trainer;
      const target = (path: string): Float32Array => arena.tensors[path]!.data as Float32Array;
      await loadStrictInto(task.model.keyMap, tensors, arena.placements, target);
      await loadOptimizer(stored.storage, arena, trainer.arrays);
      trainer.resume(stored.state, `step-${stored.state.step}`, false);
    }
    return run;
  }

  /** Trains until it is over or paused. */
  async run(tell: Tell): Promise<'paused' | 'over'> {
    this.#tell = tell;
    this.#isPaused = false;
    this.#events = this.#events.filter(({ kind }) => kind !== 'end');
    this.#since = performance.now();
    this.#saved = performance.now();
    try {
      for (;;) {
        this.#stop.aborted = this.#isPaused;
        const { reason, step } = await this.#trainer.run();
        if (reason === 'interrupted' && !this.#isPaused) continue; // only to save
        if (reason === 'interrupted') return 'paused';
        this.#keep({ kind: 'end', reason, step });
        await this.#store(() => this.#parts.store?.saveEvents(this.#events));
        return 'over';
      }
    } finally {
      this.#seconds = this.#elapsed();
      this.#since = 0;
    }
  }

  pause(): void {
    this.#isPaused = true;
    this.#stop.aborted = true;
  }

  frame(step: number): Float32Array | undefined {
    return this.#frames.get(step)?.slice();
  }

  get modelFiles(): { readonly step: number; readonly files: readonly File[] } | undefined {
    if (!this.#model) return undefined;
    const { step, files } = this.#model;
    return { step, files: Array.from(files, ([name, bytes]) => new File([bytes], name)) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.runtime[Symbol.asyncDispose]();
  }

  #host(): TrainerHost {
    return {
      save: (contents) => this.#save(contents),
      record: async () => {}, // the events say the same
      seconds: () => this.#elapsed(),
      onEvent: (event) => this.#onEvent(event),
      onWeights: (step) => this.#look(step),
      stop: this.#stop,
    };
  }

  #elapsed(): number {
    return this.#since === 0 ? this.#seconds : this.#seconds + (performance.now() - this.#since) / 1000;
  }

  #onEvent(event: TrainingEvent): void {
    if (event.kind === 'start') return;
    if (event.kind !== 'step') {
      this.#keep(event);
      return;
    }
    const { logged, ...line } = event;
    const now = performance.now();
    if (logged) this.#keep({ ...line, isLogged: true });
    else if (now - this.#shown >= SHOW_MS) this.#tell({ ...line, isLogged: false });
    else return;
    this.#shown = now;
    // the trainer saves when it stops, and then goes on
    if (now - this.#saved >= this.#saveAfter) this.#stop.aborted = true;
  }

  #keep(event: WatchEvent): void {
    this.#events.push(event);
    this.#tell(event);
  }

  /** Keeps the attention of the weights of a step; the first time it begins what is told of the run. */
  async #look(step: number): Promise<void> {
    const { runtime, settings, store } = this.#parts;
    const live = { step, runtime, task: this.#task, parameters: this.#trainer.arena.tensors };
    const { text, frame } = await this.#attention.capture(live);
    if (this.#events.length === 0) {
      this.#keep({
        kind: 'run',
        name: settings.data,
        folder: '',
        step,
        steps: settings.steps,
        task: settings.data === 'translation' ? 'translation' : 'language-model',
        family: this.#task.model.family,
        parameters: this.#trainer.arena.size,
        vocabulary: this.#task.model.vocabSize,
        text,
      });
    }
    if (this.#events.some((event) => event.kind === 'attention' && event.step === step)) return;
    this.#frames.set(step, frame);
    await this.#store(() => store?.saveFrame(step, frame));
    this.#keep({ kind: 'attention', step });
    const steps = this.#events.flatMap((event) => (event.kind === 'attention' ? [event.step] : []));
    if (steps.length <= MOST_FRAMES) return;
    const dropped = new Set(steps.slice(0, -1).filter((_, i) => i % 2 === 1));
    this.#events = this.#events.filter((event) => event.kind !== 'attention' || !dropped.has(event.step));
    for (const old of dropped) {
      this.#frames.delete(old);
      await store?.dropFrame(old);
    }
  }

  async #save(contents: SnapshotContents): Promise<string> {
    const { state, arena, moments } = contents;
    const files = await modelFolder(contents);
    this.#model = { step: state.step, files };
    await this.#store(() =>
      this.#parts.store?.save(state, this.#events, async (storage) => {
        for (const [name, bytes] of files) await storage.writeAtomic(name, [bytes]);
        await storage.writeAtomic(optimizerFile, safetensorsChunks(optimizerTensors(arena, moments)));
      }),
    );
    this.#saved = performance.now();
    this.#saveAfter = Math.min(SAVE_MS, 1.5 * this.#saveAfter);
    return `step-${state.step}`;
  }

  /** A run that cannot be kept goes on; that it is not kept is told. */
  async #store(write: () => Promise<void> | undefined): Promise<void> {
    let is: StorageState = this.#parts.store ? 'kept' : 'absent';
    try {
      await write();
    } catch (error) {
      is = error instanceof QkvError && error.parts.got?.startsWith('no more room') ? 'full' : 'absent';
    }
    this.#tell({ kind: 'storage', is });
  }
}

async function tokenizerOf(storage: Storage): Promise<TokenizerFiles> {
  const text = async (name: string): Promise<string> =>
    decodeUtf8(await storage.read(name, 0, await storage.size(name)));
  return {
    'tokenizer.json': await text('tokenizer.json'),
    'tokenizer_config.json': await text('tokenizer_config.json'),
    'special_tokens_map.json': await text('special_tokens_map.json'),
  };
}
