import type { Codec } from './codec.ts';

export const textCodec: Codec<string> = { parse: (text) => text, format: (value) => value };

export function oneOfCodec<T extends string>(values: readonly T[]): Codec<T> {
  return { parse: (text) => values.find((value) => value === text), format: (value) => value };
}

export const flagCodec: Codec<boolean> = {
  parse: (text) => (text === '1' ? true : text === '0' ? false : undefined),
  format: (value) => (value ? '1' : '0'),
};

export function numberCodec(min: number, max: number): Codec<number> {
  return {
    parse: (text) => {
      const value = text.trim() === '' ? Number.NaN : Number(text);
      return value >= min && value <= max ? value : undefined;
    },
    format: String,
  };
}

/** A whole number from 0 on, or none. */
export const indexCodec: Codec<number | null> = {
  parse: (text) => (text === '' ? null : /^\d{1,6}$/.test(text) ? Number(text) : undefined),
  format: (value) => (value === null ? '' : String(value)),
};
