import { QkvError } from '../../src/base/errors.ts';
import { nearest } from '../../src/recipe/nearest.ts';

export interface Range {
  readonly min?: number;
  readonly max?: number;
  /** The least value is not itself allowed. */
  readonly above?: number;
}

/** Reads the value of `flag` as a whole number; for an option's parser. */
export function wholeNumber(flag: string, range: Range = {}): (text: string) => number {
  return parser(flag, 'a whole number', /^[+-]?\d+$/, range, Number.isSafeInteger);
}

export function realNumber(flag: string, range: Range = {}): (text: string) => number {
  return parser(flag, 'a number', /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i, range, Number.isFinite);
}

function parser(
  flag: string,
  kind: string,
  pattern: RegExp,
  range: Range,
  isValid: (value: number) => boolean,
): (text: string) => number {
  const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY, above = Number.NEGATIVE_INFINITY } = range;
  return (text) => {
    const value = Number(text);
    if (pattern.test(text) && isValid(value) && value >= min && value <= max && value > above) return value;
    const bounds = [
      Number.isFinite(above) && `above ${above}`,
      Number.isFinite(min) && `from ${min}`,
      Number.isFinite(max) && `to ${max}`,
    ];
    throw new QkvError('usage', {
      where: flag,
      got: JSON.stringify(text),
      expected: [kind, ...bounds.filter(Boolean)].join(' '),
    });
  };
}

const byteUnits: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
};

/** Reads a number of bytes: `2GB`, `500MB`, `1.5GiB`. */
export function byteSize(flag: string): (text: string) => number {
  return (text) => {
    const [, digits, unit] = /^(\d+(?:\.\d+)?) ?([KMG]?i?B)$/i.exec(text) ?? [];
    const bytes = Math.floor(Number(digits) * (byteUnits[unit?.toUpperCase() ?? ''] ?? Number.NaN));
    if (bytes >= 1) return bytes;
    const expected = 'a number of bytes with its unit: B, KB, MB, GB, KiB, MiB, GiB';
    throw new QkvError('usage', { where: flag, got: JSON.stringify(text), expected });
  };
}

/** Reads one of the words of `allowed`. */
export function oneOf<const Word extends string>(flag: string, allowed: readonly Word[]): (text: string) => Word {
  return (text) => {
    const found = allowed.find((word) => word === text);
    if (found !== undefined) return found;
    const meant = nearest(text, allowed);
    throw new QkvError('usage', {
      where: flag,
      got: JSON.stringify(text),
      expected: `one of ${allowed.join(', ')}`,
      ...(meant !== undefined && { hint: `Did you mean ${meant}?` }),
    });
  };
}
