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
