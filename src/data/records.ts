import { brief } from '../base/brief.ts';
import { QkvError } from '../base/errors.ts';

/** One row of a table: a line of a TSV, CSV or JSONL file, a row of a parquet file. */
export interface DataRecord {
  /** `file:line`, or `file: row n` of a parquet file; both from 1. For messages. */
  readonly where: string;
  /** By the names of the header; without one, by the columns' numbers from `1`. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A field by its name, or by its column's number from 1. */
export type FieldName = string | number;

/** The value of a field. @throws QkvError `data` for a record without it, with the fields that there are */
export function fieldValue({ where, fields }: DataRecord, field: FieldName): unknown {
  const names = Object.keys(fields);
  const name = typeof field === 'number' ? names[field - 1] : field;
  const value = name !== undefined && Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (value !== undefined && value !== null) return value;
  const missing = typeof field === 'number' ? `column ${field}` : `field ${brief(field)}`;
  throw new QkvError('data', {
    where,
    got: `no ${missing}${value === null ? ' (null)' : ''} among ${brief(names)}`,
    expected: 'a record that has it',
  });
}

/** A field as text: numbers and booleans as they are written. @throws QkvError `data` for no such field, a list or an object */
export function fieldText(record: DataRecord, field: FieldName): string {
  const value = fieldValue(record, field);
  if (typeof value === 'string') return value;
  if (['number', 'bigint', 'boolean'].includes(typeof value)) return String(value);
  throw new QkvError('data', { where: `${record.where}: ${field}`, got: brief(value), expected: 'text' });
}
