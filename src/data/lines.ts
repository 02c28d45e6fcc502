import { QkvError } from '../base/errors.ts';

/** One line of a text file, without its line ending. */
export interface Line {
  readonly file: string;
  /** 1 for the first line of the file. */
  readonly line: number;
  readonly text: string;
  /** False only for a last line that no newline ends. */
  readonly terminated: boolean;
}

/** Lines from anywhere: a file (`files.node.ts`), a string, a fetch. */
export interface LineSource extends AsyncIterable<Line> {
  /** Name for errors; the `file` of every line. */
  readonly file: string;
}

/** The lines of a string; `\r\n` counts as one line ending, a byte order mark at the start is dropped. */
export function linesOf(text: string, file: string): LineSource {
  return { file, [Symbol.asyncIterator]: () => split(text, file) };
}

async function* split(text: string, file: string): AsyncGenerator<Line> {
  let at = text.startsWith('\uFEFF') ? 1 : 0;
  for (let line = 1; at < text.length; line++) {
    const end = text.indexOf('\n', at);
    const raw = text.slice(at, end < 0 ? text.length : end);
    yield { file, line, text: end >= 0 && raw.endsWith('\r') ? raw.slice(0, -1) : raw, terminated: end >= 0 };
    at = end < 0 ? text.length : end + 1;
  }
}

/** The whole text of a source, with `\n` line endings: what a language model trains on. */
export async function readText(source: LineSource): Promise<string> {
  const parts: string[] = [];
  for await (const line of source) {
    parts.push(line.text, line.terminated ? '\n' : '');
  }
  const text = parts.join('');
  if (text.length === 0) throw new QkvError('data', { where: source.file, got: 'an empty file', expected: 'text' });
  return text;
}

/**
 * A text cut in two at floor((1 − fraction) · N) of its N characters (code points); the end, the `fraction`, is for
 * validation. nanoGPT's split of tiny Shakespeare is `splitText(text, 0.1)`.
 */
export function splitText(text: string, fraction: number): { readonly train: string; readonly validation: string } {
  let length = 0;
  for (const _ of text) length++;
  const wanted = Math.floor((1 - fraction) * length);
  let at = 0;
  for (let i = 0; i < wanted; i++) at += text.codePointAt(at)! > 0xffff ? 2 : 1;
  const parts = { train: text.slice(0, at), validation: text.slice(at) };
  if (parts.train !== '' && parts.validation !== '') return parts;
  throw new QkvError('data', {
    where: 'validationFraction',
    got: `${fraction} of ${length} characters`,
    expected: 'text on both sides of the cut',
  });
}
