import { brief } from '../base/brief.ts';
import { QkvError } from '../base/errors.ts';
import type { LineSource } from './lines.ts';
import type { DataRecord } from './records.ts';

/** JSON records, an object a line; empty lines are passed over. @throws QkvError `data` for any other line */
export async function* readJsonl(source: LineSource): AsyncGenerator<DataRecord> {
  for await (const { file, line, text } of source) {
    if (text.trim() === '') continue;
    const where = `${file}:${line}`;
    let fields: unknown;
    try {
      fields = JSON.parse(text);
    } catch (cause) {
      throw new QkvError('data', { where, got: brief(text), expected: 'a JSON object in one line', cause });
    }
    if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) {
      throw new QkvError('data', { where, got: brief(text), expected: 'a JSON object' });
    }
    yield { where, fields: fields as Record<string, unknown> };
  }
}
