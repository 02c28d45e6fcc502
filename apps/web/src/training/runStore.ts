import { readJson, readJsonValue } from '../../../../src/checkpoint/checkpoint.ts';
import { hasOpfs, opfsStorage } from '../../../../src/checkpoint/opfsStorage.web.ts';
import type { Chunks, Storage } from '../../../../src/checkpoint/storage.ts';
import { encodeUtf8 } from '../../../../src/checkpoint/utf8.ts';
import { optimizerFile } from '../../../../src/train/optimizerFile.ts';
import { parseRunState, type RunState } from '../../../../src/train/runState.ts';
import type { WatchEvent } from '../watch/events.ts';
import type { TrainingSettings } from './contract.ts';
import { parseSettings } from './settings.ts';

/** A snapshot of a run, whole. */
export interface StoredRun {
  readonly settings: TrainingSettings;
  readonly state: RunState;
  readonly events: readonly WatchEvent[];
  /** The model folder, and the arrays of the optimizer. */
  readonly storage: Storage;
}

const FOLDER = 'training';
const SLOTS = ['a', 'b'] as const;
/** Says that a snapshot is whole: written last, removed first. */
const STATE = 'state.json';
const SETTINGS = 'settings.json';
const EVENTS = 'events.json';

/**
 * The one run that the browser keeps for this page, in its own file system: settings, two snapshots of which the older is written
 * over, and the attention maps of each snapshot. Whenever the page is closed, one snapshot is whole.
 */
export class RunStore {
  /** The slot of the newest snapshot. */
  #newest: (typeof SLOTS)[number] = 'b';

  /** Null where the browser has no such storage for the page. */
  static async open(): Promise<RunStore | null> {
    if (!hasOpfs()) return null;
    // some browsers have it and refuse it, in private windows say
    return navigator.storage.getDirectory().then(
      () => new RunStore(),
      () => null,
    );
  }

  /** The newest whole snapshot; null where there is none. What cannot be read counts as none. */
  async read(): Promise<StoredRun | null> {
    const found: StoredRun[] = [];
    for (const slot of SLOTS) {
      const run = await this.#readSlot(slot).catch(() => null);
      if (run === null) continue;
      if (found.every(({ state }) => state.step < run.state.step)) this.#newest = slot;
      found.push(run);
    }
    return found.reduce<StoredRun | null>((a, b) => (a !== null && a.state.step >= b.state.step ? a : b), null);
  }

  async #readSlot(slot: string): Promise<StoredRun | null> {
    const storage = folder(slot);
    if (!(await storage.list()).includes(STATE)) return null;
    const settings = parseSettings(await readJson(folder(), SETTINGS));
    const state = parseRunState(JSON.stringify(await readJson(storage, STATE)), `${storage.location}/${STATE}`);
    const events = (await readJsonValue(storage, EVENTS)) as readonly WatchEvent[];
    return settings && Array.isArray(events) ? { settings, state, events, storage } : null;
  }

  /** Forgets what was kept and begins anew. @throws QkvError `io` */
  async begin(settings: TrainingSettings): Promise<void> {
    await this.clear();
    await folder().writeAtomic(SETTINGS, json(settings));
  }

  async clear(): Promise<void> {
    const root = await navigator.storage.getDirectory();
    await root.removeEntry(FOLDER, { recursive: true }).catch(() => {}); // there may be none
    this.#newest = 'b';
  }

  /** Makes a snapshot of what `write` writes. @throws QkvError `io`: the one before it is still there */
  async save(
    state: RunState,
    events: readonly WatchEvent[],
    write: (storage: Storage) => Promise<void>,
  ): Promise<void> {
    const slot = this.#newest === 'a' ? 'b' : 'a';
    const storage = folder(slot);
    const before = await storage.list().catch((): string[] => []); // the folder may not be there
    if (before.includes(STATE)) await storage.remove(STATE);
    await write(storage);
    await storage.writeAtomic(EVENTS, json(events));
    await storage.writeAtomic(STATE, json(state));
    this.#newest = slot;
  }

  /** Replaces the events of the newest snapshot. @throws QkvError `io` */
  async saveEvents(events: readonly WatchEvent[]): Promise<void> {
    await folder(this.#newest).writeAtomic(EVENTS, json(events));
  }

  /** The files of a snapshot that make a model folder. */
  static async modelFiles({ storage }: StoredRun): Promise<File[]> {
    const names = (await storage.list()).filter((name) => ![STATE, EVENTS, optimizerFile].includes(name));
    return Promise.all(
      names.map(async (name) => new File([await storage.read(name, 0, await storage.size(name))], name)),
    );
  }

  /** Keeps the maps of a step. @throws QkvError `io` */
  async saveFrame(step: number, frame: Float32Array): Promise<void> {
    await folder('frames').writeAtomic(String(step), [new Uint8Array(frame.slice().buffer)]);
  }

  async dropFrame(step: number): Promise<void> {
    await folder('frames')
      .remove(String(step))
      .catch(() => {});
  }

  async frame(step: number): Promise<Float32Array | null> {
    try {
      const storage = folder('frames');
      const bytes = await storage.read(String(step), 0, await storage.size(String(step)));
      return new Float32Array(bytes.buffer);
    } catch {
      return null;
    }
  }
}

function folder(...names: readonly string[]): Storage {
  return opfsStorage([FOLDER, ...names].join('/'));
}

function json(value: unknown): Chunks {
  return [encodeUtf8(JSON.stringify(value))];
}
