import { type Signal, signal } from '@preact/signals';
import type { WatchEvent } from '../../watch/events.ts';
import { emptyRun, type RunView, withEvents } from './runView.ts';

/** How often what came is drawn, ms. */
const DRAW_MS = 100;
/** Frames that stay here. */
const KEPT_FRAMES = 64;

/** A run that is told to the page, by its own trainer or by a server. */
export class RunFeed {
  readonly view: Signal<RunView> = signal(emptyRun);
  readonly #fetchFrame: (step: number) => Promise<Float32Array | null>;
  readonly #frames = new Map<number, Promise<Float32Array | null>>();
  #waiting: WatchEvent[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(fetchFrame: (step: number) => Promise<Float32Array | null>) {
    this.#fetchFrame = fetchFrame;
  }

  hear(event: WatchEvent): void {
    if (event.kind === 'run') this.#frames.clear();
    this.#waiting.push(event);
    this.#timer ??= setTimeout(() => this.flush(), DRAW_MS);
  }

  /** Draws what was heard now. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.view.value = withEvents(this.view.peek(), this.#waiting);
    this.#waiting = [];
  }

  /** Begins anew with what happened before. */
  reset(events: readonly WatchEvent[]): void {
    this.#frames.clear();
    this.#waiting = [];
    this.view.value = withEvents(emptyRun, events);
  }

  /** The attention maps of a step; null where they are no more. */
  async frame(step: number): Promise<Float32Array | null> {
    const known = this.#frames.get(step);
    if (known) return known;
    const coming = this.#fetchFrame(step);
    this.#frames.set(step, coming);
    if (this.#frames.size > KEPT_FRAMES) this.#frames.delete(this.#frames.keys().next().value!);
    const frame = await coming;
    // what could not be fetched is asked for again
    if (frame === null && this.#frames.get(step) === coming) this.#frames.delete(step);
    return frame;
  }
}
