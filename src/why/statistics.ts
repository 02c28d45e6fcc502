/** A mean and the interval that holds it with 95 % confidence. */
export interface Interval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** Two-sided 95 % quantiles of Student's t by degrees of freedom, from 1. */
const STUDENT = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131,
];

function student(freedom: number): number {
  return STUDENT[freedom - 1] ?? 1.96 + 2.5 / freedom; // within 0.002 from 16 on
}

/** Mean ± t · s/√n of independent values, at least two. */
export function meanInterval(values: readonly number[]): Interval {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  const half = student(values.length - 1) * Math.sqrt(variance / values.length);
  return { mean, low: mean - half, high: mean + half };
}

/** The mean difference a − b of values that belong together in pairs, such as those of one seed. */
export function pairedDifference(a: readonly number[], b: readonly number[]): Interval {
  return meanInterval(a.map((value, i) => value - b[i]!));
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** Median with the quartiles around it: what times are, that other work on the machine only ever lengthens. */
export function quartiles(values: readonly number[]): { median: number; low: number; high: number } {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.round(share * (sorted.length - 1))]!;
  return { median: median(values), low: at(0.25), high: at(0.75) };
}

/** y ≈ factor · x^exponent */
export interface PowerLaw {
  readonly factor: number;
  /** With its 95 % interval, from how far the points are from the line. */
  readonly exponent: Interval;
}

/** The least-squares line through (log x, log y), of three points or more. */
export function powerLaw(points: readonly { readonly x: number; readonly y: number }[]): PowerLaw {
  const [xs, ys] = [points.map(({ x }) => Math.log(x)), points.map(({ y }) => Math.log(y))];
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  const [mx, my] = [mean(xs), mean(ys)];
  const sxx = xs.reduce((sum, x) => sum + (x - mx) ** 2, 0);
  const slope = xs.reduce((sum, x, i) => sum + (x - mx) * (ys[i]! - my), 0) / sxx;
  const residual = ys.reduce((sum, y, i) => sum + (y - my - slope * (xs[i]! - mx)) ** 2, 0);
  const half = student(points.length - 2) * Math.sqrt(residual / (points.length - 2) / sxx);
  return { factor: Math.exp(my - slope * mx), exponent: { mean: slope, low: slope - half, high: slope + half } };
}
