import { readFileSync } from 'node:fs';
import type { TokenizerJson } from '../../src/tokenizer/tokenizerJson.ts';

export type FixtureName = 'byte' | 'word' | 'char';

const folder = new URL('../../fixtures/tokenizer/', import.meta.url);

export function fixtureText(file: string): string {
  return readFileSync(new URL(file, folder), 'utf8');
}

/** English, Chinese, German, emoji, control characters, special tokens inside text, random mixtures. */
export const lines: readonly string[] = JSON.parse(fixtureText('lines.json')) as string[];

interface Expected {
  readonly ids: readonly (readonly number[])[];
  readonly decoded: readonly string[];
  /** What merges do not cross; none for `char`. */
  readonly pieces: readonly (readonly string[])[];
}

/** By Python's `tokenizers`, line for line. */
export const expected: Readonly<Record<FixtureName, Expected>> = JSON.parse(fixtureText('expected.json')) as Record<
  FixtureName,
  Expected
>;

export function fixtureTokenizer(name: FixtureName): TokenizerJson {
  return JSON.parse(fixtureText(`${name}.tokenizer.json`)) as TokenizerJson;
}

export const tinyShakespeare: string = readFileSync(
  new URL('../../data/tinyshakespeare/input.txt', import.meta.url),
  'utf8',
);
