import { batch, computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';

/** Signals whose values undo brings back together. */
const kept: Signal<unknown>[] = [];

interface Step {
  readonly before: readonly unknown[];
  /** What a run of small changes of one thing has in common, as letters typed in one field. */
  readonly run: string | null;
  readonly at: number;
}

const MOST = 200;
/** Changes of one run that follow each other within this are one step, ms. */
const RUN = 1500;

const past: Signal<readonly Step[]> = signal([]);
const future: Signal<readonly (readonly unknown[])[]> = signal([]);

export const canUndo: ReadonlySignal<boolean> = computed(() => past.value.length > 0);
export const canRedo: ReadonlySignal<boolean> = computed(() => future.value.length > 0);

/** Makes undo bring back this signal too. Its values are never changed in place. */
export function undoable<T>(value: Signal<T>): Signal<T> {
  kept.push(value as Signal<unknown>);
  return value;
}

/** Makes a change that undo takes back. Changes with one `run`, shortly after each other, are taken back together. */
export function act(change: () => void, run: string | null = null): void {
  const before = snapshot();
  batch(change);
  if (kept.every((value, i) => value.peek() === before[i])) return;
  const last = past.peek().at(-1);
  const at = performance.now();
  batch(() => {
    future.value = [];
    past.value =
      run !== null && last?.run === run && at - last.at < RUN
        ? [...past.peek().slice(0, -1), { ...last, at }]
        : [...past.peek().slice(-MOST), { before, run, at }];
  });
}

export function undo(): void {
  const last = past.peek().at(-1);
  if (last === undefined) return;
  batch(() => {
    future.value = [...future.peek(), snapshot()];
    past.value = past.peek().slice(0, -1);
    restore(last.before);
  });
}

export function redo(): void {
  const next = future.peek().at(-1);
  if (next === undefined) return;
  batch(() => {
    past.value = [...past.peek(), { before: snapshot(), run: null, at: 0 }];
    future.value = future.peek().slice(0, -1);
    restore(next);
  });
}

function snapshot(): readonly unknown[] {
  return kept.map((value) => value.peek());
}

function restore(values: readonly unknown[]): void {
  // a view that was loaded later has signals that an older step does not know
  for (const [i, value] of kept.entries()) if (i < values.length) value.value = values[i];
}
