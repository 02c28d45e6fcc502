import { effect, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { EngineError, ModelCard, ModelSource, Progress } from '../worker/contract.ts';
import { asEngineError, engine } from './engine.ts';
import { modelSource } from './scene.ts';

/** A model on its way into the page. */
export interface Opening {
  readonly source: ModelSource | null;
  readonly card: ModelCard | null;
  readonly progress: Progress | null;
  readonly error: EngineError | null;
}

/** Opens what `source` names, whenever it changes, and closes the model before it. */
export function openFrom(source: Signal<ModelSource | null>): ReadonlySignal<Opening> {
  const opening = signal<Opening>({ source: null, card: null, progress: null, error: null });
  let latest = 0;
  effect(() => {
    const wanted = source.value;
    const number = ++latest;
    const before = opening.peek().card;
    opening.value = { source: wanted, card: null, progress: null, error: null };
    if (before !== null) void engine.then((connected) => connected.close(before.model));
    if (wanted === null) return;
    if (wanted.kind === 'files' && wanted.files.length === 0) {
      const error = { code: 'files-gone', message: wanted.name };
      opening.value = { source: wanted, card: null, progress: null, error };
      return;
    }
    const onProgress = (progress: Progress): void => {
      if (number === latest && opening.peek().card === null) opening.value = { ...opening.peek(), progress };
    };
    engine
      .then(async (connected) => {
        const card = await connected.open(wanted, onProgress);
        if (number !== latest) await connected.close(card.model);
        else opening.value = { source: wanted, card, progress: null, error: null };
      })
      .catch((thrown: unknown) => {
        if (number !== latest) return;
        opening.value = { source: wanted, card: null, progress: null, error: asEngineError(thrown) };
      });
  });
  return opening;
}

/** The model that the page shows. */
export const opened: ReadonlySignal<Opening> = openFrom(modelSource);
