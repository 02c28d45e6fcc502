import { describe, expect, it } from 'vitest';
import { readLines } from '../../src/data/files.node.ts';
import { linesOf } from '../../src/data/lines.ts';
import { readPairsTsv, readParallel, type TextPair } from '../../src/data/pairs.ts';

async function all(pairs: AsyncIterable<TextPair>): Promise<TextPair[]> {
  const list: TextPair[] = [];
  for await (const pair of pairs) list.push(pair);
  return list;
}

describe('readPairsTsv', () => {
  it.each([
    ['train', 25_622],
    ['dev', 3_202],
    ['test', 3_204],
  ])('reads the %s part of the Tatoeba pairs', async (part, count) => {
    const pairs = await all(readPairsTsv(readLines(`data/tatoeba-en-zh/${part}.tsv`)));
    expect(pairs).toHaveLength(count);
    // Every target has a character that is not ASCII, no source a Chinese one: the columns are not mixed up anywhere.
    expect(pairs.filter((pair) => /\p{Script=Han}/u.test(pair.source)).length).toBe(0);
    expect(pairs.filter((pair) => !/\P{ASCII}/u.test(pair.target)).length).toBe(0);
  });

  it('takes the columns in the order given', async () => {
    const source = () => linesOf('1\t你好\tHi.\n', 'x.tsv');
    expect(await all(readPairsTsv(source(), ['ignore', 'target', 'source']))).toEqual([
      { source: 'Hi.', target: '你好', file: 'x.tsv', line: 1 },
    ]);
  });

  it.each([
    ['a\tb\nno tab here\n', 'x.tsv:2: got 1 column ("no tab here"), expected 2 separated by tabs: source, target'],
    ['a\tb\tc\n', 'x.tsv:1: got 3 columns'],
    ['a\tb\n\n', 'x.tsv:2: got 1 column ("")'],
    ['a\tb\na\t \n', 'x.tsv:2: got an empty target side'],
    ['\tb\n', 'x.tsv:1: got an empty source side'],
  ])('refuses %j', async (text, message) => {
    await expect(all(readPairsTsv(linesOf(text, 'x.tsv')))).rejects.toThrow(message);
  });

  it.each([[['source', 'ignore']], [['source', 'target', 'target']]] as const)(
    'refuses columns %j',
    async (columns) => {
      await expect(all(readPairsTsv(linesOf('a\tb\n', 'x.tsv'), columns))).rejects.toThrow('source once, target once');
    },
  );
});

describe('readParallel', () => {
  it('joins two files line by line', async () => {
    expect(await all(readParallel(linesOf('a\nb\n', 'x.en'), linesOf('A\nB', 'x.de')))).toEqual([
      { source: 'a', target: 'A', file: 'x.en', line: 1 },
      { source: 'b', target: 'B', file: 'x.en', line: 2 },
    ]);
  });

  it('names the shorter file, whichever it is', async () => {
    await expect(all(readParallel(linesOf('a\nb\n', 'x.en'), linesOf('A\n', 'x.de')))).rejects.toThrow(
      'x.de: got 1 line, expected as many as x.en, which has a line 2 ("b")',
    );
    await expect(all(readParallel(linesOf('', 'x.en'), linesOf('A\n', 'x.de')))).rejects.toThrow(
      'x.en: got 0 lines, expected as many as x.de, which has a line 1 ("A")',
    );
  });

  it('names file and line of an empty side', async () => {
    const pairs = readParallel(linesOf('a\nb\n', 'x.en'), linesOf('A\n\n', 'x.de'));
    await expect(all(pairs)).rejects.toThrow('x.de:2: got an empty target side');
  });
});
