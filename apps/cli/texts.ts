import { createInterface } from 'node:readline';
import { QkvError } from '../../src/base/errors.ts';
import { readLines } from '../../src/data/files.node.ts';

/** Where a command's texts come from: its arguments, a file, or else the lines of standard input. */
export interface TextOrigin {
  readonly texts: readonly string[];
  readonly file?: string | undefined;
}

/** Refuses texts as arguments and a file: one of them would be ignored. */
export function refuseBoth({ texts, file }: TextOrigin): void {
  if (file === undefined || texts.length === 0) return;
  throw new QkvError('usage', { where: '--file', got: 'a file and texts as arguments', expected: 'one of the two' });
}

/** One text for each argument or line. */
export async function* textsOf({ texts, file }: TextOrigin): AsyncGenerator<string> {
  refuseBoth({ texts, file });
  if (file !== undefined) {
    for await (const { text } of readLines(file)) yield text;
  } else if (texts.length > 0) {
    yield* texts;
  } else {
    if (process.stdin.isTTY) process.stderr.write('Reading lines from the terminal; Ctrl-D ends them.\n');
    for await (const line of createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY })) yield line;
  }
}

/** Lists of at most `size`, so that work on many goes on together. */
export async function* batchesOf<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let batch: T[] = [];
  for await (const item of items) {
    batch.push(item);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** All of it as one text, without the last line's end. */
export async function readAll(input: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  input.setEncoding('utf8');
  for await (const chunk of input) text += chunk;
  return text.replace(/\r?\n$/, '');
}
