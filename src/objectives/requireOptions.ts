import { QkvError } from '../base/errors.ts';

/** A usage error unless every key of `options` is in `names`: an option that nobody reads is a mistake. */
export function requireKnown(where: string, options: object, names: readonly string[]): void {
  const unknown = Object.keys(options).find((key) => !names.includes(key));
  if (unknown !== undefined) {
    throw new QkvError('usage', { where: `${where}: options`, got: unknown, expected: names.join(', ') });
  }
}

/** A usage error unless 0 ≤ value ≤ 1. */
export function requireShare(where: string, value: number): void {
  if (value >= 0 && value <= 1) return;
  throw new QkvError('usage', { where, got: String(value), expected: 'a number from 0 to 1' });
}

/** A usage error unless value is a whole number from `least`. */
export function requireAtLeast(where: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new QkvError('usage', { where, got: String(value), expected: `a whole number from ${least}` });
}
