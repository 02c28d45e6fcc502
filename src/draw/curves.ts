import { QkvError } from '../base/errors.ts';

/** A quantity over another, such as a loss over steps; x rises. `low` and `high` bound what was measured several times. */
export interface Curve {
  readonly name: string;
  readonly points: readonly CurvePoint[];
  /** What the others are compared with: a theory, a baseline. Grey, and the only one that is dashed. */
  readonly isReference?: boolean;
}

export interface CurvePoint {
  readonly x: number;
  readonly y: number;
  readonly low?: number;
  readonly high?: number;
}

/** All heights that an axis must hold. */
export function heightsOf({ points }: Curve): number[] {
  return points.flatMap(({ y, low = y, high = y }) => [low, y, high]);
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
  /** Where the x axis has its ticks; round numbers when left out. */
  readonly xTicks?: readonly number[];
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
  for (const curve of curves) {
    const { name, points } = curve;
    if (points.length === 0) fail(name, 'no points', 'one at least');
    const check = (axis: 'x' | 'y', value: number, isLog: boolean): void => {
      if (!Number.isFinite(value)) fail(name, `${axis} = ${value}`, 'finite numbers');
      if (isLog && value <= 0) fail(name, `${axis} = ${value}`, 'numbers above 0 on a logarithmic axis');
    };
    for (const { x } of points) check('x', x, logX);
    for (const y of heightsOf(curve)) check('y', y, logY);
  }
}

/**
 * The axis of values. A linear one has about `count` ticks, begins at one and ends at the largest value, or with `fits` at the
 * tick above; a logarithmic one goes from the least to the largest, with ticks at 1, 2 and 5 · 10ⁿ, over many decades at 10ⁿ.
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
    const digits = span > MANY_DECADES * Math.LN10 ? [1] : [1, 2, 5];
    const ticks = exponents.flatMap((e) => digits.map((digit) => digit * 10 ** (first + e)));
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

const MANY_DECADES = 3.5;

/** 1, 2 or 5 · 10ⁿ, the least that is not below `step`. */
function niceStep(step: number): number {
  const power = 10 ** Math.floor(Math.log10(step));
  return power * ([1, 2, 5].find((digit) => digit * power >= step * 0.999) ?? 10);
}

/** A tick's number, short: 1.5, 200, 30k, 2M, 1e-4. */
export function tickText(value: number): string {
  const size = Math.abs(value);
  if (size > 0 && size < 1e-3) return Number(value.toPrecision(6)).toExponential();
  const [divisor, unit] = size >= 1e6 ? [1e6, 'M'] : size >= 1e4 ? [1e3, 'k'] : [1, ''];
  return `${Number((value / divisor).toPrecision(6))}${unit}`;
}
