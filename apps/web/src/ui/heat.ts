import { weightColour } from '../../../../src/draw/colour.ts';

const LEVELS = 256;

export interface Ramp {
  /** [256] packed little-endian RGBA, for image data. */
  readonly packed: Uint32Array;
  /** [256] CSS colours. */
  readonly css: readonly string[];
}

/** The colours of weights, on a light ground from near-white to indigo, on a dark one from near-black to a light blue. */
const ramps: { readonly [ground in 'light' | 'dark']: Ramp } = { light: makeRamp('light'), dark: makeRamp('dark') };

export function rampOn(isDark: boolean): Ramp {
  return isDark ? ramps.dark : ramps.light;
}

/** Index into a ramp of a weight in [0, 1] of `max`. */
export function level(weight: number, max: number): number {
  const at = Math.round((weight / max) * (LEVELS - 1));
  return at <= 0 ? 0 : at < LEVELS ? at : LEVELS - 1;
}

export function colourOf(ramp: Ramp, weight: number, max: number): string {
  return ramp.css[level(weight, max)]!;
}

function makeRamp(ground: 'light' | 'dark'): Ramp {
  const packed = new Uint32Array(LEVELS);
  const css: string[] = [];
  for (let i = 0; i < LEVELS; i++) {
    const [red, green, blue] = weightColour(i / (LEVELS - 1), ground);
    packed[i] = (255 << 24) | (blue << 16) | (green << 8) | red;
    css.push(`rgb(${red} ${green} ${blue})`);
  }
  return { packed, css };
}

/**
 * Paints weights [rows, columns] into the canvas, a pixel each; CSS makes it larger. Sides longer than `most` are made shorter by
 * taking the largest of what falls together, so that a thin diagonal stays to be seen. `at` is where the weights begin.
 */
export function paintHeat(
  canvas: HTMLCanvasElement,
  weights: Float32Array,
  at: number,
  [rows, columns]: readonly [number, number],
  { max, ramp, most = 4096, threshold = 0 }: { max: number; ramp: Ramp; most?: number; threshold?: number },
): void {
  const [height, width] = [Math.min(rows, most), Math.min(columns, most)];
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const context = canvas.getContext('2d');
  if (context === null || width === 0 || height === 0) return;
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  if (width === columns && height === rows) {
    for (let i = 0; i < pixels.length; i++) {
      const weight = weights[at + i]!;
      pixels[i] = ramp.packed[weight < threshold ? 0 : level(weight, max)]!;
    }
  } else {
    const peak = new Float32Array(width * height);
    for (let row = 0; row < rows; row++) {
      const line = Math.floor((row * height) / rows) * width;
      for (let column = 0; column < columns; column++) {
        const bin = line + Math.floor((column * width) / columns);
        const weight = weights[at + row * columns + column]!;
        if (weight > peak[bin]!) peak[bin] = weight;
      }
    }
    for (let i = 0; i < pixels.length; i++) {
      pixels[i] = ramp.packed[peak[i]! < threshold ? 0 : level(peak[i]!, max)]!;
    }
  }
  context.putImageData(image, 0, 0);
}
