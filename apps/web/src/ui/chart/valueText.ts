/** A number with four digits that count: 0.01235, 1235, 1.235e-6. Whole ones as they are. */
export function valueText(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e7) return String(value);
  if (size < 1e-4 || size >= 1e7) return value.toExponential(3);
  return String(Number(value.toPrecision(Math.max(4, Math.floor(Math.log10(size)) + 1))));
}
