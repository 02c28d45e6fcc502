import { effect, type ReadonlySignal, signal } from '@preact/signals';

/** The signal's value once it has stayed the same for `delay` ms; changes from one for which `isSudden` holds come at once. */
export function debounced<T>(
  source: ReadonlySignal<T>,
  delay: number,
  isSudden: (before: T) => boolean = () => false,
): ReadonlySignal<T> {
  const settled = signal(source.peek());
  let timer: ReturnType<typeof setTimeout> | undefined;
  effect(() => {
    const next = source.value;
    clearTimeout(timer);
    if (isSudden(settled.peek())) settled.value = next;
    else timer = setTimeout(() => (settled.value = next), delay);
  });
  return settled;
}
