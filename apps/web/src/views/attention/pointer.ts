import { type Signal, signal } from '@preact/signals';

/** Rows and columns of a picture, not positions of the text. */
export interface Pointer {
  readonly query: number | null;
  readonly key: number | null;
}

export const nowhere: Pointer = { query: null, key: null };

/** Where the mouse or the keyboard's cursor is, in the main picture and in the one that it is compared with. */
export const pointers: { readonly main: Signal<Pointer>; readonly other: Signal<Pointer> } = {
  main: signal(nowhere),
  other: signal(nowhere),
};

/** Position of the key token that is held fast: one sees who looks at it. A query that is held is in `state/scene.ts`. */
export const heldKey: Signal<number | null> = signal(null);
