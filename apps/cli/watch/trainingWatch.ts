import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StartFacts, TrainingEvent } from '../../../src/train/events.ts';
import type { LiveWeights } from '../../../src/train/liveModel.ts';
import {
  type WatchEvent,
  type WatchedEnd,
  type WatchedText,
  watchEvents,
  watchFrame,
} from '../../web/src/watch/events.ts';
import type { WatchedAttention } from '../../web/src/watch/watchedAttention.ts';
import type { Site } from '../page/site.ts';
import { eventOfLine } from './runHistory.ts';
import { WatchLog } from './watchLog.ts';

/** Milliseconds between two steps that are shown and not kept. */
const SHOW_MS = 250;
/** For pages to fetch the last frames, after which this process may end. */
const PATIENCE_MS = 3000;
/** Of all frames together; then every second one is dropped. */
const MAX_FRAME_BYTES = 64 << 20;

/**
 * Tells the page of a run that is trained in this process. What it does with the model is between two steps, and what
 * fails here is told to the page and does not touch the run.
 */
export class TrainingWatch {
  readonly #site: Site;
  readonly #task: string;
  readonly #attention: WatchedAttention;
  readonly #log = new WatchLog();
  readonly #maxFrameBytes: number;
  /** Bytes by step, oldest first. */
  readonly #frames = new Map<number, number>();
  /** What came before the run began. */
  #early: WatchEvent[] = [];
  #facts: StartFacts | undefined;
  #hasBegun = false;
  #hasFailed = false;
  #step = 0;
  #shown = 0;

  /** `task`: the recipe's. */
  constructor(
    site: Site,
    task: string,
    attention: WatchedAttention,
    { maxFrameBytes = MAX_FRAME_BYTES }: { readonly maxFrameBytes?: number } = {},
  ) {
    this.#site = site;
    this.#task = task;
    this.#attention = attention;
    this.#maxFrameBytes = maxFrameBytes;
    site.set(watchEvents, { kind: 'stream', open: (request, response) => this.#log.open(request, response) });
  }

  onEvent(event: TrainingEvent): void {
    if (event.kind === 'start') {
      const { kind: _, ...facts } = event;
      this.#facts = facts;
      this.#step = facts.step;
    } else if (event.kind === 'step') {
      const { logged, ...line } = event;
      this.#step = event.step;
      const now = performance.now();
      if (logged) this.#tell({ ...line, isLogged: true });
      else if (now - this.#shown >= SHOW_MS) {
        this.#shown = now;
        this.#log.show({ ...line, isLogged: false });
      }
    } else this.#tell(event);
  }

  /** Before the first step it begins the page's view of the run. */
  async onWeights(live: LiveWeights): Promise<void> {
    const found = await this.#capture(live);
    if (!this.#hasBegun) this.#begin(found?.text);
    if (found) this.#keep(live.step, found.frame);
  }

  /** Resolves when the pages that listen have the last frames too, or have taken too long. */
  async end(reason: WatchedEnd, message?: string): Promise<void> {
    if (!this.#hasBegun) this.#begin(undefined);
    this.#tell({ kind: 'end', reason, step: this.#step, ...(message !== undefined && { message }) });
    await this.#log.end(PATIENCE_MS);
  }

  async #capture(live: LiveWeights): Promise<{ text: WatchedText; frame: Float32Array } | undefined> {
    if (this.#hasFailed) return undefined;
    try {
      return await this.#attention.capture(live);
    } catch (error) {
      this.#hasFailed = true;
      this.#tell({ kind: 'notice', text: `attention is not shown: ${(error as Error).message}` });
      return undefined;
    }
  }

  #begin(text: WatchedText | undefined): void {
    this.#hasBegun = true;
    if (this.#facts) {
      this.#log.add({ kind: 'run', task: this.#task, ...this.#facts, ...(text && { text }) });
      const metrics = join(this.#facts.folder, 'metrics.jsonl');
      const lines = existsSync(metrics) ? readFileSync(metrics, 'utf8').split('\n') : [];
      for (const event of lines.map(eventOfLine)) if (event) this.#log.add(event);
    }
    for (const event of this.#early) this.#log.add(event);
    this.#early = [];
  }

  #tell(event: WatchEvent): void {
    if (this.#hasBegun) this.#log.add(event);
    else this.#early.push(event);
  }

  #keep(step: number, frame: Float32Array): void {
    const bytes = new Uint8Array(frame.buffer);
    this.#site.set(watchFrame(step), { kind: 'bytes', type: 'application/octet-stream', body: () => bytes });
    this.#frames.set(step, bytes.length);
    const total = [...this.#frames.values()].reduce((sum, one) => sum + one, 0);
    if (total > this.#maxFrameBytes) {
      // the first and the newest stay
      for (const [i, old] of [...this.#frames.keys()].slice(0, -1).entries()) {
        if (i % 2 === 0) continue;
        this.#frames.delete(old);
        this.#site.delete(watchFrame(old));
      }
      this.#log.remove((event) => event.kind === 'attention' && !this.#frames.has(event.step));
    }
    this.#tell({ kind: 'attention', step });
  }
}
