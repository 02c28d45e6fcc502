import { batch, effect, type Signal, signal } from '@preact/signals';
import type { Codec } from './codec.ts';

interface Entry {
  read(parameters: URLSearchParams): void;
  /** Null where the value is the first one, which the address leaves out. */
  write(): string | null;
}

const entries = new Map<string, Entry>();
/** The address as it was read, with the parameters of views that are not loaded yet. */
let parameters = new URLSearchParams(location.hash.slice(1));
let timer: ReturnType<typeof setTimeout> | undefined;

/**
 * A signal that is in the page's address after `#` as `key=…`, so that a link or a reload brings it back. What is after `#` is
 * never sent to a server. Views declare their own with keys that begin with the view's name; each key once.
 */
export function shared<T>(key: string, initial: T, codec: Codec<T>): Signal<T> {
  if (entries.has(key)) throw new Error(`qkv defect: ${key} is in the address twice`);
  const first = codec.format(initial);
  const parsed = (text: string | null): T => (text === null ? initial : (codec.parse(text) ?? initial));
  const value = signal(parsed(parameters.get(key)));
  entries.set(key, {
    read: (from) => {
      const next = parsed(from.get(key));
      if (codec.format(next) !== codec.format(value.peek())) value.value = next;
    },
    write: () => {
      const text = codec.format(value.value);
      return text === first ? null : text;
    },
  });
  effect(() => {
    void value.value;
    clearTimeout(timer);
    timer = setTimeout(writeAddress, 150); // browsers refuse more than about 100 changes in 30 s
  });
  return value;
}

function writeAddress(): void {
  for (const [key, entry] of entries) {
    const text = entry.write();
    if (text === null) parameters.delete(key);
    else parameters.set(key, text);
  }
  const hash = parameters.size === 0 ? '' : `#${parameters}`;
  if (hash !== location.hash) history.replaceState(null, '', `${location.pathname}${location.search}${hash}`);
}

/** The address of what is on the screen now. */
export function shareableAddress(): string {
  clearTimeout(timer);
  writeAddress();
  return location.href;
}

addEventListener('hashchange', () => {
  parameters = new URLSearchParams(location.hash.slice(1));
  batch(() => {
    for (const entry of entries.values()) entry.read(parameters);
  });
});
