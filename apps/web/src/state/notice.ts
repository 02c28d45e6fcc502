import { type Signal, signal } from '@preact/signals';

/** One short sentence about what just happened; read aloud, gone after a while. */
export const notice: Signal<string> = signal('');
let timer: ReturnType<typeof setTimeout> | undefined;

export function notify(text: string): void {
  notice.value = text;
  clearTimeout(timer);
  timer = setTimeout(() => (notice.value = ''), 6000);
}
