import { brief } from '../base/brief.ts';
import { QkvError } from '../base/errors.ts';

/** Far more than any model has. */
export const maxLayers = 4096;

/**
 * Reads a `config.json` field by field. A field of the wrong type, an impossible value and a value that would change the
 * mathematics but is not supported are errors that name it; fields that nobody asks for do not change the mathematics.
 */
export class ConfigReader {
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #file: string;

  constructor(json: unknown, file: string) {
    if (typeof json !== 'object' || json === null || Array.isArray(json)) {
      throw new QkvError('config', {
        where: file,
        got: brief(json),
        expected: 'a JSON object',
      });
    }
    this.#fields = json as Record<string, unknown>;
    this.#file = file;
  }

  /** Whether a field is there, not null. */
  has(name: string): boolean {
    return this.#fields[name] !== undefined && this.#fields[name] !== null;
  }

  /** A whole number from `min` on, to `max` where that is given. */
  int(
    name: string,
    options: { readonly min?: number; readonly max?: number; readonly otherwise?: number | undefined } = {},
  ): number {
    const { min = 1, max = Number.MAX_SAFE_INTEGER, otherwise } = options;
    return this.#read(
      name,
      otherwise,
      `a whole number from ${min} ${options.max === undefined ? 'on' : `to ${max}`}`,
      (value) => Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max,
    );
  }

  /** A number of layers. Every one is traced, so it is bounded: a file of a few bytes could ask for any amount of work. */
  layers(name: string, otherwise?: number, max: number = maxLayers): number {
    return this.int(name, { max, otherwise });
  }

  /** A token id, or null. */
  id(name: string, otherwise?: number | null): number | null {
    if (!this.has(name) && otherwise !== undefined) return this.#fields[name] === null ? null : otherwise;
    return this.int(name, { min: 0 });
  }

  /** A token id, a list of them, or null. */
  ids(name: string, otherwise: number | null): readonly number[] {
    const value = this.#fields[name];
    if (!Array.isArray(value)) return [this.id(name, otherwise)].filter((id) => id !== null);
    if (value.every((id) => Number.isSafeInteger(id) && id >= 0)) return value as number[];
    throw this.error(name, 'a token id, or a list of them');
  }

  /** A number of heads, which divides the width that the field `widthName` gave. */
  heads(name: string, widthName: string, width: number, otherwise: number): number {
    const count = this.int(name, { otherwise });
    if (width % count !== 0) throw this.error(name, `a divisor of ${widthName} ${width}`);
    return count;
  }

  /** A probability below 1. */
  rate(name: string, otherwise: number): number {
    return this.#read(
      name,
      otherwise,
      'a rate from 0 to below 1',
      (value) => typeof value === 'number' && value >= 0 && value < 1,
    );
  }

  positive(name: string, otherwise?: number): number {
    return this.#read(
      name,
      otherwise,
      'a positive number',
      (value) => typeof value === 'number' && value > 0 && Number.isFinite(value),
    );
  }

  boolean(name: string, otherwise: boolean): boolean {
    return this.#read(name, otherwise, 'true or false', (value) => typeof value === 'boolean');
  }

  oneOf<T extends string>(name: string, allowed: readonly T[], otherwise?: T): T {
    return this.#read(name, otherwise, `one of ${allowed.join(', ')}`, (value) => allowed.includes(value as T));
  }

  /** A field of which one value is supported, the one that it has when it is left out. */
  only(name: string, supported: string | number | boolean | null, why: string): void {
    const value = this.#fields[name];
    if (value !== undefined && value !== supported) throw this.error(name, `${JSON.stringify(supported)}: ${why}`);
  }

  /**
   * The class in `architectures`, where there is one, must be one of `classes`.
   *
   * @throws QkvError `config`
   */
  architecture(...classes: string[]): void {
    const named = this.#fields['architectures'];
    const first: unknown = Array.isArray(named) ? named[0] : undefined;
    if (first === undefined && !this.has('architectures')) return;
    if (!classes.includes(first as string) && !(Array.isArray(named) && named.length === 0)) {
      throw this.error('architectures', `${classes.join(' or ')}: no other head of this family is here`);
    }
  }

  raw(name: string): unknown {
    return this.#fields[name];
  }

  where(name: string): string {
    return `${this.#file}: ${name}`;
  }

  error(name: string, expected: string, value: unknown = this.#fields[name]): QkvError {
    return new QkvError('config', {
      where: this.where(name),
      got: brief(value),
      expected,
    });
  }

  #read<T>(name: string, otherwise: T | undefined, expected: string, accepts: (value: unknown) => boolean): T {
    const value = this.has(name) ? this.#fields[name] : otherwise;
    if (value === undefined || !accepts(value)) throw this.error(name, expected, value);
    return value as T;
  }
}
