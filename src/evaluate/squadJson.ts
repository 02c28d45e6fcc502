import { brief } from '../base/brief.ts';
import { QkvError } from '../base/errors.ts';
import type { DataRecord } from '../data/records.ts';

/**
 * The questions of a file in the form of SQuAD, which that of CMRC 2018 is, too: `{ data: [{ paragraphs: [{ context, qas: [{ id,
 * question, answers: [{ text }] }] }] }] }`.
 *
 * @throws QkvError `data` for JSON of another form, with the place in it
 */
export function* readSquad(text: string, file: string): Generator<DataRecord> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    const hint = 'A file of JSON objects, one a line, ends in .jsonl';
    throw new QkvError('data', { where: file, got: (cause as Error).message, expected: 'JSON', hint, cause });
  }
  for (const { value: article, where: at } of list(json, 'data', file)) {
    for (const { value: paragraph, where } of list(article, 'paragraphs', at)) {
      const { context } = paragraph as { context?: unknown };
      for (const { value: question, where: place } of list(paragraph, 'qas', where)) {
        yield { where: place, fields: { context, answers: [], ...(question as object) } };
      }
    }
  }
}

/** The objects in a list of an object, each with its place. */
function list(parent: unknown, name: string, where: string): { readonly value: object; readonly where: string }[] {
  const values = (parent as Readonly<Record<string, unknown>> | null)?.[name];
  const at = `${where}${where.includes(': ') ? '.' : ': '}${name}`;
  if (!Array.isArray(values))
    throw new QkvError('data', { where: at, got: brief(values), expected: 'a list, as in SQuAD' });
  return values.map((value: unknown, i) => {
    if (typeof value === 'object' && value !== null) return { value, where: `${at}[${i}]` };
    throw new QkvError('data', { where: `${at}[${i}]`, got: brief(value), expected: 'an object, as in SQuAD' });
  });
}
