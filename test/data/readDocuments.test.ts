import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { type ReadDocumentsOptions, readRunningText, readSentences } from '../../src/data/readDocuments.node.ts';
import { splitClauses, splitSentences } from '../../src/data/splitSentences.ts';

const folder = mkdtempSync(join(tmpdir(), 'qkv-documents-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, bytes: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

async function grouped(parts: AsyncIterable<{ text: string; document: number }>): Promise<string[][]> {
  const documents: string[][] = [];
  for await (const { text, document } of parts) (documents[document] ??= []).push(text);
  return documents;
}
const sentences = (options: ReadDocumentsOptions) => grouped(readSentences(options));
const running = (options: ReadDocumentsOptions) => grouped(readRunningText(options));

const text = '\n\nA one.\n A two. \n\n \nB one.\n';
const jsonl = '{"body": "A. B.\\nC."}\n{"body": ""}\n{"body": "我去。你呢？走！"}\n';

describe('documents', () => {
  const files = [file('a.txt', text), file('b.txt.gz', gzipSync('C\n\nD'))];

  it('stand between blank lines of text files, and end with a file', async () => {
    expect(await sentences({ files })).toEqual([['A one.', 'A two.'], ['B one.'], ['C'], ['D']]);
    expect(await running({ files })).toEqual([['A one.\n A two. '], ['B one.'], ['C'], ['D']]);
  });

  it('are whole files, or lines', async () => {
    expect(await sentences({ files, documents: 'files' })).toEqual([
      ['A one.', 'A two.', 'B one.'],
      ['C', 'D'],
    ]);
    expect(await running({ files, documents: 'files' })).toEqual([['\n\nA one.\n A two. \n\n \nB one.'], ['C\n\nD']]);
    expect(await sentences({ files, documents: 'records' })).toEqual([
      ['A one.'],
      ['A two.'],
      ['B one.'],
      ['C'],
      ['D'],
    ]);
  });

  it('are records of tables, by name or number', async () => {
    const table = file('t.jsonl', jsonl);
    expect(await sentences({ files: table, field: 'body' })).toEqual([['A. B.', 'C.'], ['我去。你呢？走！']]);
    expect(await running({ files: table, field: 'body' })).toEqual([['A. B.\nC.'], ['我去。你呢？走！']]);
    expect(await sentences({ files: table, field: 'body', documents: 'files' })).toHaveLength(1);
    const pairs = file('p.tsv', 'a\tx\nb\ty\n');
    expect(await running({ files: pairs, field: 2, documents: 'files' })).toEqual([['x\ny']]);
    await expect(running({ files: pairs, field: 3 })).rejects.toThrow(`${pairs}:1: got no column 3`);
    await expect(running({ files: table })).rejects.toThrow('got a table, expected field');
  });

  it('are split into sentences on demand', async () => {
    const split = await sentences({ files: file('s.jsonl', jsonl), field: 'body', sentences: 'split' });
    expect(split).toEqual([
      ['A.', 'B.', 'C.'],
      ['我去。', '你呢？', '走！'],
    ]);
  });

  it('are limited', async () => {
    expect(await sentences({ files, limit: 2 })).toEqual([['A one.', 'A two.'], ['B one.']]);
  });

  it('come in parts where they are long, which together are the text', async () => {
    const long = Array.from({ length: 20_000 }, (_, i) => `line ${i}${i % 50 === 0 ? '\n' : ''}`).join('\n');
    const parts = (await running({ files: file('long.txt', long), documents: 'files' }))[0]!;
    expect(parts.length).toBeGreaterThan(2);
    expect(parts.slice(0, -1).every((part) => part.endsWith('\n') && part.length < 80_000)).toBe(true);
    expect(parts.join('')).toBe(long);
  });
});

it('splitSentences knows the marks of English and Chinese', () => {
  expect(splitSentences('He paid $3.50 today! Is it e.g. ok?  Yes. “你好！”他说。今天怎么样？很好……走吧。')).toEqual([
    'He paid $3.50 today!',
    'Is it e.g. ok?',
    'Yes.',
    '“你好！”',
    '他说。',
    '今天怎么样？',
    '很好……走吧。',
  ]);
  expect(splitSentences('  ')).toEqual([]);
});

it('splitClauses cuts behind commas and semicolons too', () => {
  expect(splitClauses('房间很大，早餐,也不错；“还行，”她说。价格1,000元，，贵！')).toEqual([
    '房间很大，',
    '早餐,',
    '也不错；',
    '“还行，”她说。',
    '价格1,000元，，',
    '贵！',
  ]);
  expect(splitClauses('It rained, and we stayed; why not?')).toEqual(['It rained,', 'and we stayed;', 'why not?']);
});
