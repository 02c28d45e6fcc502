import { QkvError } from '../base/errors.ts';

/** A quantity over another, such as a loss over steps; x rises. */
export interface Curve {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

export interface CurvesOptions {
  readonly title: string;
  /** What the axes show. */
  readonly xName: string;
  readonly yName: string;
  /** Sentences below the picture. */
  readonly note?: string;
  /** Logarithmic axes. */
  readonly logX?: boolean;
  readonly logY?: boolean;
}

/** An axis: its ends, its ticks, and where a value lies on it, from 0 to 1. */
export interface Axis {
  readonly ticks: readonly number[];
  place(value: number): number;
}

/** @throws QkvError `usage` for no curves, one without points, and values that an axis cannot show */
export function checkCurves(curves: readonly Curve[], { logX = false, logY = false }: CurvesOptions): void {
  const fail = (where: string, got: string, expected: string): never => {
    throw new QkvError('usage', { where, got, expected });
  };
  if (curves.length === 0) fail('curves', 'none', 'one at least');
  for (const { name, points } of curves) {
    if (points.length === 0) fail(name, 'no points', 'one at least');
    for (const { x, y } of points) {
      if (!Number.isFinite(x) || !Number.isFinite(y)) fail(name, `${x}, ${y}`, 'finite numbers');
      if (logX && x <= 0) fail(name, `x = ${x}`, 'numbers above 0 on a logarithmic axis');
      if (logY && y <= 0) fail(name, `y = ${y}`, 'numbers above 0 on a logarithmic axis');
    }
  }
}

/**
 * The axis of values. A linear one has about `count` ticks, begins at one and ends at the largest value, or with `fits` at the
 * tick above; a logarithmic one goes from the least to the largest, with ticks at 1, 2 and 5 · 10ⁿ.
 */
export function axisOf(
  values: readonly number[],
  { log, count, fits = false }: { readonly log: boolean; readonly count: number; readonly fits?: boolean },
): Axis {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  if (log) {
    const [low, high] = least < most ? [least, most] : [least / 2, most * 2];
    const span = Math.log(high / low);
    const exponents = Array.from({ length: Math.ceil(Math.log10(high / low)) + 2 }, (_, i) => i);
    const first = Math.floor(Math.log10(low));
    const ticks = exponents.flatMap((e) => [1, 2, 5].map((digit) => digit * 10 ** (first + e)));
    return {
      ticks: ticks.filter((tick) => tick >= low * 0.999 && tick <= high * 1.001),
      place: (value) => Math.log(value / low) / span,
    };
  }
  const step = niceStep((most - least || Math.abs(most) || 1) / count);
  const low = Math.floor(least / step + 1e-9);
  const last = Math.max(most / step, low + 1);
  const high = fits ? Math.ceil(last - 1e-9) : last;
  return {
    ticks: Array.from({ length: Math.floor(high + 1e-9) - low + 1 }, (_, i) => (low + i) * step),
    place: (value) => (value / step - low) / (high - low),
  };
}

/** 1, 2 or 5 · 10ⁿ, the least that is not below `step`. */
function niceStep(step: number): number {
  const power = 10 ** Math.floor(Math.log10(step));
  return power * ([1, 2, 5].find((digit) => digit * power >= step * 0.999) ?? 10);
}

/** A tick's number, short: 1.5, 200, 30k, 2M. */
export function tickText(value: number): string {
  const size = Math.abs(value);
  const [divisor, unit] = size >= 1e6 ? [1e6, 'M'] : size >= 1e4 ? [1e3, 'k'] : [1, ''];
  return `${Number((value / divisor).toPrecision(6))}${unit}`;
}
