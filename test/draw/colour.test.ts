import { describe, expect, it } from 'vitest';
import { ansi256Colour, textColour, weightColour } from '../../src/draw/colour.ts';
import { luminance } from './maps.ts';

const steps = Array.from({ length: 101 }, (_, i) => i / 100);

/** OKLab of an sRGB colour, written here from the page that defines it, independently of the ramp. */
function oklab(rgb: readonly number[]): [number, number, number] {
  const [r, g, b] = rgb.map((byte) => {
    const c = byte / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

describe('weight colours', () => {
  it('fall evenly in lightness, which says that none was clipped to sRGB', () => {
    for (const t of steps) expect(oklab(weightColour(t))[0]).toBeCloseTo(0.98 - 0.7 * t, 2);
  });

  it('change by steps that look alike', () => {
    const labs = Array.from({ length: 21 }, (_, i) => oklab(weightColour(i / 20)));
    const distances = labs.slice(1).map((lab, i) => Math.hypot(...lab.map((x, axis) => x - labs[i]![axis]!)));
    expect(Math.max(...distances) / Math.min(...distances)).toBeLessThan(1.5);
  });

  it('leave numbers on them readable: contrast 4.5 or more', () => {
    for (const t of steps) {
      const ground = luminance(weightColour(t));
      const text = luminance(textColour(t));
      expect((Math.max(ground, text) + 0.05) / (Math.min(ground, text) + 0.05), `t = ${t}`).toBeGreaterThanOrEqual(4.5);
    }
  });

  it('darken step by step in 256 colours too', () => {
    const cube = (n: number): number => [0, 95, 135, 175, 215, 255][n]!;
    const light = [...new Set(steps.map(ansi256Colour))].map((code) => {
      const n = code - 16;
      return luminance([cube(Math.floor(n / 36)), cube(Math.floor(n / 6) % 6), cube(n % 6)]);
    });
    expect(light.length).toBe(14);
    for (const [i, value] of light.slice(1).entries()) expect(value).toBeLessThan(light[i]!);
  });
});
