/** A number of a table or a sentence: whole ones as they are, others with three digits that count. */
export function figure(value: number, digits = 3): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e6) return String(value);
  if (size < 1e-3 || size >= 1e6) return value.toExponential(digits - 1);
  return value.toPrecision(Math.max(digits, Math.floor(Math.log10(size)) + 1));
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(1)}%`;
}

/** What several seeds gave: their mean, least and largest. */
export interface Spread {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

export function spreadOf(values: readonly number[]): Spread {
  return {
    mean: values.reduce((a, b) => a + b, 0) / values.length,
    low: Math.min(...values),
    high: Math.max(...values),
  };
}

/** `0.912 (0.897–0.931)`, with another form of numbers where `write` gives one. */
export function spreadText({ mean, low, high }: Spread, write: (value: number) => string = figure): string {
  return low === high ? write(mean) : `${write(mean)} (${write(low)}–${write(high)})`;
}

/** A point of a chart. */
export function spreadPoint(
  x: number,
  { mean, low, high }: Spread,
): { x: number; y: number; low: number; high: number } {
  return { x, y: mean, low, high };
}
