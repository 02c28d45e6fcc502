import { batch, computed, type ReadonlySignal, type Signal } from '@preact/signals';
import type { Edits, ModelSource, TextInput } from '../worker/contract.ts';
import { indexCodec, numberCodec, textCodec } from './codecs.ts';
import { editsCodec } from './editsCodec.ts';
import { act, undoable } from './history.ts';
import { shared } from './shared.ts';
import { sourceCodec } from './sourceCodec.ts';

/** What is looked at: a model, a text, what was changed, and where a person looks. All of it is in the page's address. */
export const modelSource: Signal<ModelSource | null> = undoable(shared('model', null, sourceCodec));

/** The model's text, its translation where a person gave one, and the second text of a pair; '' where there is none. */
const text: Signal<string> = undoable(shared('text', '', textCodec));
const target: Signal<string> = undoable(shared('target', '', textCodec));
const pair: Signal<string> = undoable(shared('pair', '', textCodec));

export const input: ReadonlySignal<TextInput> = computed(() => ({
  text: text.value,
  ...(target.value !== '' && { target: target.value }),
  ...(pair.value !== '' && { pair: pair.value }),
}));

export const edits: Signal<Edits> = undoable(shared('edits', {}, editsCodec));

/** Name of the view in `views/registry.ts`. */
export const view: Signal<string> = shared('view', 'attention', textCodec);

/** The attention that is looked at: `Place.path`, '' for the model's first; one of its heads. */
export const placePath: Signal<string> = shared('at', '', textCodec);
export const head: Signal<number> = shared('head', 0, numberCodec(0, 9999));
/** Position of the query that is held fast. */
export const query: Signal<number | null> = shared('query', null, indexCodec);
/** Weights below are not drawn. */
export const threshold: Signal<number> = shared('min', 0, numberCodec(0, 1));

/** Changes the text, which undo takes back; letters typed one after the other are one step. */
export function setInput(next: TextInput, run: string | null = null): void {
  act(() => replaceInput(next), run);
}

/** The same without a step of undo: what the page begins with. */
export function replaceInput(next: TextInput): void {
  batch(() => {
    // A hidden position means another token in another text.
    const { hidden, ...rest } = edits.peek();
    if (hidden !== undefined) edits.value = rest;
    text.value = next.text;
    target.value = next.target ?? '';
    pair.value = next.pair ?? '';
    query.value = null;
  });
}

/** Opens another model; what was changed in the old one is of no use there. Undo takes it back. */
export function setModel(source: ModelSource): void {
  act(() => {
    modelSource.value = source;
    edits.value = {};
    placePath.value = '';
    head.value = 0;
    query.value = null;
  });
}
