import { isDark } from '../state/settings.ts';

/** Colours of `tokens.css`, for canvases. */
export interface Palette {
  readonly paper: string;
  readonly panel: string;
  readonly ink: string;
  readonly muted: string;
  readonly line: string;
  readonly accent: string;
  readonly tint: string;
  readonly focus: string;
  readonly edited: string;
  readonly sans: string;
}

const known = new Map<boolean, Palette>();

/** Reads the theme's signal. */
export function palette(): Palette {
  const dark = isDark();
  const found = known.get(dark);
  if (found !== undefined) return found;
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  const made: Palette = {
    paper: colour('paper'),
    panel: colour('panel'),
    ink: colour('ink'),
    muted: colour('muted'),
    line: colour('line'),
    accent: colour('accent'),
    tint: colour('tint'),
    focus: colour('focus'),
    edited: colour('edited'),
    sans: colour('sans'),
  };
  // The theme may not be on the page yet while the first component is drawn.
  if (document.documentElement.dataset['theme'] === (dark ? 'dark' : 'light')) known.set(dark, made);
  return made;
}
