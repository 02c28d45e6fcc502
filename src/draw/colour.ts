/** Text on white, and what is less important. */
export const INK = '#1f2933';
export const MUTED = '#66727f';

/** sRGB, 0 to 255 each. */
export type Rgb = readonly [red: number, green: number, blue: number];

/**
 * The colour of a weight, `t` in [0, 1]: near-white to deep indigo, or on a dark ground near-black to a pale blue. The ramp is
 * made in OKLCH, where equal steps look equal, and its lightness changes linearly with `t`, so that it also reads in grey.
 * OKLab: Björn Ottosson, "A perceptual color space for image processing", https://bottosson.github.io/posts/oklab/.
 */
export function weightColour(t: number, ground: 'light' | 'dark' = 'light'): Rgb {
  const x = Math.min(1, Math.max(0, t));
  if (ground === 'dark') {
    const lightness = 0.2 + 0.74 * x;
    const chroma = 0.012 + 0.13 * Math.sin(Math.PI * x ** 0.9);
    const hue = ((275 - 60 * x) * Math.PI) / 180;
    return oklabToSrgb(lightness, chroma * Math.cos(hue), chroma * Math.sin(hue));
  }
  const lightness = 0.98 - 0.7 * x;
  // Chroma is 0 at white, widest at mid lightness, and stays inside sRGB for these hues.
  const chroma = 0.005 + 0.135 * Math.sin(Math.PI * x ** 0.85 * 0.8);
  const hue = ((225 + 55 * x) * Math.PI) / 180;
  return oklabToSrgb(lightness, chroma * Math.cos(hue), chroma * Math.sin(hue));
}

/**
 * A colour for one of `count` things that have no order, as the heads of a layer: hues a golden angle apart, neighbours of unlike
 * lightness, so that they differ in grey too. Contrast with its ground is at least 3.
 */
export function kindColour(index: number, ground: 'light' | 'dark' = 'light'): Rgb {
  const hue = ((265 + index * 137.508) * Math.PI) / 180;
  const isEven = index % 2 === 0;
  const lightness = ground === 'light' ? (isEven ? 0.45 : 0.58) : isEven ? 0.72 : 0.84;
  const chroma = 0.125;
  return oklabToSrgb(lightness, chroma * Math.cos(hue), chroma * Math.sin(hue));
}

function oklabToSrgb(lightness: number, a: number, b: number): Rgb {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    encode(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    encode(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    encode(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  ];
}

/** Linear light to an sRGB byte (IEC 61966-2-1). */
function encode(linear: number): number {
  const value = linear <= 0.0031308 ? 12.92 * linear : 1.055 * linear ** (1 / 2.4) - 0.055;
  return Math.round(255 * Math.min(1, Math.max(0, value)));
}

export function hexColour([red, green, blue]: Rgb): string {
  return `#${((red << 16) | (green << 8) | blue).toString(16).padStart(6, '0')}`;
}

/**
 * The same ramp in the 6 × 6 × 6 cube of 256-colour terminals, by hand: nearest
 * colours would repeat and jump in lightness. Light to dark.
 */
const ANSI_256 = [231, 195, 159, 117, 111, 75, 69, 33, 27, 26, 25, 19, 18, 17] as const;

export function ansi256Colour(t: number): number {
  const x = Math.min(1, Math.max(0, t));
  return ANSI_256[Math.min(ANSI_256.length - 1, Math.floor(x * ANSI_256.length))]!;
}

/** The colour of text on the colour of `t` with a contrast of at least 4.5 (WCAG 2 AA): ink, black, or white. */
export function textColour(t: number): string {
  return t < 0.46 ? INK : t < 0.585 ? '#000000' : '#ffffff';
}
