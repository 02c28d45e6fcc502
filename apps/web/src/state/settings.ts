import { effect, type Signal, signal } from '@preact/signals';
import type { Backend } from '../../../../src/runtime/web/ort.ts';
import { oneOfCodec } from './codecs.ts';
import { shared } from './shared.ts';

export const languages = ['en', 'zh'] as const;
export type Language = (typeof languages)[number];

export const themes = ['auto', 'light', 'dark'] as const;
export type Theme = (typeof themes)[number];

/** The page's own language: what was chosen last, else the browser's. A link says which one it was made in. */
export const language: Signal<Language> = shared(
  'lang',
  stored('language', languages) ?? (navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en'),
  oneOfCodec(languages),
);

export const theme: Signal<Theme> = signal(stored('theme', themes) ?? 'auto');

/** Letters that do something without Ctrl or Alt: people who speak to their machine turn them off (WCAG 2.1.4). */
export const singleKeys: Signal<boolean> = signal(stored('singleKeys', ['on', 'off']) !== 'off');

/** What computes for the views, chosen before the page is loaded. */
export const backend: Signal<Backend> = signal(stored('backend', ['wasm', 'webgpu']) ?? 'wasm');

const darkScheme = matchMedia('(prefers-color-scheme: dark)');
const schemeIsDark = signal(darkScheme.matches);
darkScheme.addEventListener('change', () => (schemeIsDark.value = darkScheme.matches));

/** Whether what is drawn lies on a dark ground. Reads signals: a component that calls it draws again when it changes. */
export function isDark(): boolean {
  return theme.value === 'auto' ? schemeIsDark.value : theme.value === 'dark';
}

effect(() => {
  document.documentElement.lang = language.value === 'zh' ? 'zh-Hans' : 'en';
  store('language', language.value);
});
effect(() => {
  document.documentElement.dataset['theme'] = isDark() ? 'dark' : 'light';
  store('theme', theme.value);
});
effect(() => store('backend', backend.value));
effect(() => store('singleKeys', singleKeys.value ? 'on' : 'off'));

/** Storage may be off, as in a private window: the page then forgets. */
function stored<T extends string>(key: string, values: readonly T[]): T | undefined {
  try {
    const text = localStorage.getItem(`qkv.${key}`);
    return values.find((value) => value === text);
  } catch {
    return undefined;
  }
}

function store(key: string, value: string): void {
  try {
    localStorage.setItem(`qkv.${key}`, value);
  } catch {
    // nothing to do: see above
  }
}
