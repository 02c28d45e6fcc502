/** Scores of keys that may not be looked at are −10³⁰: a number whose softmax is 0. */
const FORBIDDEN = -1e29;

export function isForbidden(score: number): boolean {
  return score <= FORBIDDEN;
}

/** A number as a person reads it in a table: about four digits, a true minus, −∞ for a masked score. */
export function formatNumber(x: number): string {
  if (Number.isNaN(x)) return 'NaN';
  if (isForbidden(x)) return '−∞';
  if (x === Number.POSITIVE_INFINITY) return '∞';
  const size = Math.abs(x);
  if (size === 0) return '0';
  const text =
    size < 5e-4 || size >= 1e5 ? exponential(x) : x.toFixed(size < 10 ? 3 : size < 100 ? 2 : size < 1000 ? 1 : 0);
  return text.replace(/^-(?=0\.?0*$)/, '').replaceAll('-', '−');
}

const SUPERSCRIPTS = '⁰¹²³⁴⁵⁶⁷⁸⁹';

function exponential(x: number): string {
  const [mantissa, exponent] = x.toExponential(1).split('e') as [string, string];
  const digits = [...exponent.replace('+', '')].map((c) => (c === '-' ? '⁻' : SUPERSCRIPTS[Number(c)]!));
  return `${mantissa}·10${digits.join('')}`;
}

/** A probability as a percentage of at most three digits; no softmax is sure, whatever its rounding. */
export function formatPercent(p: number): string {
  const percent = 100 * p;
  if (percent < 0.1) return '<0.1%';
  if (percent > 99.9) return '>99.9%';
  return `${percent.toFixed(percent < 10 || percent > 99 ? 1 : 0)}%`;
}

/** With its sign, for differences. */
export function formatDifference(x: number): string {
  const text = formatNumber(x);
  return x > 0 ? `+${text}` : text;
}

/** At most two decimals, and none that are 0: for what a person has set. */
export function formatShort(x: number): string {
  return String(Math.round(x * 100) / 100).replace('-', '−');
}
