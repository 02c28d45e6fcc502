import { QkvError } from '../../../../src/base/errors.ts';
import { linesOf } from '../../../../src/data/lines.ts';
import { readPairsTsv, type TextPair } from '../../../../src/data/pairs.ts';
import type { DataName } from './contract.ts';

/** Files beside the page, see `texts/` in vite.config.ts. */
const files: Readonly<Record<Exclude<DataName, 'own'>, string>> = {
  shakespeare: 'texts/shakespeare.txt',
  poems: 'texts/tang-poems.txt',
  translation: 'texts/tatoeba-en-zh.tsv',
};

/** @throws QkvError `io` where the file cannot be had */
export async function readText(data: Exclude<DataName, 'own'>, baseUrl: string): Promise<string> {
  const url = new URL(files[data], baseUrl).href;
  const got = await fetch(url).then(
    async (response) => (response.ok ? { text: await response.text() } : `status ${response.status}`),
    (cause: unknown) => String(cause),
  );
  if (typeof got === 'object') return got.text;
  throw new QkvError('io', { where: url, got, expected: 'the text that comes with the page' });
}

export async function readPairs(baseUrl: string): Promise<TextPair[]> {
  return Array.fromAsync(readPairsTsv(linesOf(await readText('translation', baseUrl), files.translation)));
}
