import { type Signal, signal } from '@preact/signals';

/** The dialog that is open. */
export const dialog: Signal<'open' | 'help' | null> = signal(null);
