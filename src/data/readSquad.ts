import { brief } from '../base/brief.ts';
import { QkvError } from '../base/errors.ts';
import type { DataRecord } from './records.ts';

/**
 * The questions of a file in the format of SQuAD (https://rajpurkar.github.io/SQuAD-explorer), of CMRC and others:
 * `{ data: [{ paragraphs: [{ context, qas: [{ question, answers, … }] }] }] }`, as records with `question`, `context` and
 * `answers`.
 *
 * @throws QkvError `data` for a file of another format
 */
export function readSquad(file: string, text: string): DataRecord[] {
  const json = parse(file, text);
  const records: DataRecord[] = [];
  for (const [a, article] of listOf(json, 'data', file).entries()) {
    for (const [p, paragraph] of listOf(article, 'paragraphs', `${file}: data[${a}]`).entries()) {
      const at = `${file}: data[${a}].paragraphs[${p}]`;
      const { context } = paragraph as { readonly context?: unknown };
      for (const [q, question] of listOf(paragraph, 'qas', at).entries()) {
        records.push({ where: `${at}.qas[${q}]`, fields: { ...(question as object), context } });
      }
    }
  }
  return records;
}

function parse(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new QkvError('data', { where: file, got: (cause as Error).message, expected: 'JSON', cause });
  }
}

function listOf(node: unknown, key: string, where: string): readonly unknown[] {
  const list = typeof node === 'object' && node !== null ? (node as Record<string, unknown>)[key] : undefined;
  if (Array.isArray(list)) return list;
  throw new QkvError('data', { where: `${where}.${key}`, got: brief(list), expected: 'a list, as SQuAD has it' });
}
