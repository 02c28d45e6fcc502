import { type Axis, axisOf, type CurvePoint, heightsOf } from '../../../../../src/draw/curves.ts';
import type { ChartSeries } from './CurveChart.tsx';

export interface ChartGeometry {
  readonly width: number;
  readonly height: number;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
  readonly x: Axis;
  readonly y: Axis;
  /** px of values. */
  xOf(x: number): number;
  yOf(y: number): number;
}

/** More ticks than fit beside each other are left out. */
const TICK_WIDTH = 56;

export function chartGeometry(
  series: readonly ChartSeries[],
  size: { readonly width: number; readonly height: number },
  options: { readonly logX: boolean; readonly logY: boolean; readonly xTicks: readonly number[] | undefined },
): ChartGeometry {
  const { width, height } = size;
  const curves = series.map(({ points }) => ({ name: '', points }));
  const xs = curves.flatMap(({ points }) => points.map(({ x }) => x));
  const yAxis = axisOf(curves.flatMap(heightsOf), { log: options.logY, count: 5, fits: true });
  const [left, right, top, bottom] = [52, width - 14, 10, height - 24];
  const most = Math.max(2, Math.floor((right - left) / TICK_WIDTH));
  const round = axisOf(xs, { log: options.logX, count: most });
  const wanted = options.xTicks ?? round.ticks;
  const every = Math.ceil(wanted.length / most);
  const xAxis = { place: round.place, ticks: wanted.filter((_, i) => i % every === 0) };
  return {
    width,
    height,
    left,
    right,
    top,
    bottom,
    x: xAxis,
    y: yAxis,
    xOf: (x) => left + xAxis.place(x) * (right - left),
    yOf: (y) => bottom - yAxis.place(y) * (bottom - top),
  };
}

/** All places on the x axis where a series has a point, in order. */
export function xValues(series: readonly ChartSeries[]): number[] {
  return [...new Set(series.flatMap(({ points }) => points.map(({ x }) => x)))].sort((a, b) => a - b);
}

/** The index of the value that is nearest to `x` as `place` has it. */
export function nearestIndex(values: readonly number[], x: number, place: (value: number) => number): number {
  let [best, distance] = [0, Number.POSITIVE_INFINITY];
  for (const [i, value] of values.entries()) {
    const away = Math.abs(place(value) - x);
    if (away < distance) [best, distance] = [i, away];
  }
  return best;
}

/** The point of a series that is nearest to x. */
export function pointAt({ points }: ChartSeries, x: number): CurvePoint | undefined {
  return points[
    nearestIndex(
      points.map((point) => point.x),
      x,
      (value) => value,
    )
  ];
}
