import { brief } from '../base/brief.ts';
import { QkvError } from '../base/errors.ts';
import { type DataRecord, type FieldName, fieldText, fieldValue } from '../data/records.ts';

/** A record, with its fields by the names that a kind of evaluation has for them. */
export class Example {
  readonly record: DataRecord;
  readonly #fields: Readonly<Record<string, FieldName>>;

  constructor(record: DataRecord, fields: Readonly<Record<string, FieldName>>) {
    this.record = record;
    this.#fields = fields;
  }

  has(role: string): boolean {
    return this.#fields[role] !== undefined;
  }

  /** @throws QkvError `data` */
  text(role: string): string {
    return fieldText(this.record, this.#fields[role]!);
  }

  /** @throws QkvError `data` for a field that is no number */
  number(role: string): number {
    const text = this.text(role).trim();
    const value = Number(text);
    if (text !== '' && Number.isFinite(value)) return value;
    throw this.wrong(role, text, 'a number');
  }

  /** A text with a character or more. @throws QkvError `data` */
  someText(role: string): string {
    const text = this.text(role);
    if (text.trim() !== '') return text;
    throw this.wrong(role, text, 'a text that is not empty');
  }

  value(role: string): unknown {
    return fieldValue(this.record, this.#fields[role]!);
  }

  /**
   * A list of texts or numbers, as texts; of a text the parts between `separator`; of several fields, named with `+` between,
   * one of each. @throws QkvError `data`
   */
  list(role: string, separator?: string): string[] {
    const field = this.#fields[role]!;
    if (typeof field === 'string' && field.includes('+') && !Object.hasOwn(this.record.fields, field)) {
      return field.split('+').map((name) => fieldText(this.record, /^\d+$/.test(name) ? Number(name) : name));
    }
    const value = this.value(role);
    if (typeof value === 'string' && separator !== undefined)
      return value.split(separator).filter((part) => part !== '');
    if (Array.isArray(value) && value.every((one) => typeof one === 'string' || typeof one === 'number')) {
      return value.map(String);
    }
    throw this.wrong(role, value, 'a list of texts');
  }

  wrong(role: string, got: unknown, expected: string): QkvError {
    return new QkvError('data', {
      where: `${this.record.where}: ${this.#fields[role] ?? role}`,
      got: brief(got),
      expected,
    });
  }
}
