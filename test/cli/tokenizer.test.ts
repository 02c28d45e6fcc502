import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadTokenizer } from '../../src/tokenizer/tokenizer.ts';
import { hasStack, qkv, root } from './qkv.ts';

const corpus = join(root, 'fixtures/tokenizer/corpus.en');
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'qkv-tokenizer-'));
  const args = [
    'tokenizer',
    'train',
    corpus,
    '--kind',
    'byte-bpe',
    '--vocab-size',
    '300',
    '--out',
    join(folder, 'byte'),
  ];
  const { code, stdout, stderr } = await qkv([...args, '--json']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(JSON.parse(stdout)).toMatchObject({ kind: 'byte-bpe', vocabSize: 300, merges: 43 });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('qkv tokenizer', () => {
  it('encodes as the library does, and decodes back', async () => {
    const json: unknown = JSON.parse(readFileSync(join(folder, 'byte/tokenizer.json'), 'utf8'));
    const lines = ['Where is the station?', '车站在哪里？', ''];
    const encoded = await qkv(['tokenizer', 'encode', join(folder, 'byte')], { input: `${lines.join('\n')}\n` });
    expect({ code: encoded.code, stderr: encoded.stderr }).toEqual({ code: 0, stderr: '' });
    const ids = lines.map((line) => loadTokenizer(json).encode(line).ids);
    expect(encoded.stdout).toBe(ids.map((row) => `${row.join(' ')}\n`).join(''));
    const decoded = await qkv(['tokenizer', 'decode', join(folder, 'byte')], { input: encoded.stdout });
    expect(decoded).toEqual({ code: 0, stdout: `${lines.join('\n')}\n`, stderr: '' });
  });

  it('prints tokens, and both as JSON', async () => {
    const file = join(folder, 'byte/tokenizer.json');
    const [tokens, json] = await Promise.all([
      qkv(['tokenizer', 'encode', file, 'the the', '--tokens']),
      qkv(['tokenizer', 'encode', file, 'the the', '--json']),
    ]);
    const [only] = JSON.parse(json.stdout) as { text: string; ids: number[]; tokens: string[] }[];
    expect(only!.text).toBe('the the');
    expect(only!.tokens).toHaveLength(only!.ids.length);
    expect(tokens.stdout).toBe(`${only!.tokens.join(' ')}\n`);
  });

  it('puts an end token behind the text of a bpe tokenizer, unless told', async () => {
    const text = join(folder, 'lines.txt');
    writeFileSync(text, 'low lower lowest\nnew newer newest\n');
    const out = join(folder, 'word');
    const trained = await qkv(['tokenizer', 'train', text, '--kind', 'bpe', '--vocab-size', '20', '--out', out]);
    expect(trained.code).toBe(0);
    expect(trained.stdout).toContain('20 tokens');
    const [withEnd, without] = await Promise.all([
      qkv(['tokenizer', 'encode', out, 'newest', '--tokens']),
      qkv(['tokenizer', 'encode', out, 'newest', '--tokens', '--no-special-tokens']),
    ]);
    expect(withEnd.stdout).toBe(`${without.stdout.trimEnd()} </s>\n`);
  });

  it.each([
    ['a char tokenizer with a size', ['--kind', 'char', '--vocab-size', '9'], 'none with --kind char'],
    ['a bpe tokenizer without one', ['--kind', 'bpe'], 'a number of tokens'],
    [
      'an alphabet limit for bytes',
      ['--kind', 'byte-bpe', '--vocab-size', '300', '--limit-alphabet', '9'],
      '256 bytes',
    ],
    ['fewer tokens than bytes', ['--kind', 'byte-bpe', '--vocab-size', '100'], 'at least 257'],
  ])('refuses %s', async (_, args, expected) => {
    const finished = await qkv(['tokenizer', 'train', corpus, ...args, '--out', join(folder, 'never')]);
    expect(finished).toMatchObject({ code: 2, stdout: '' });
    expect(finished.stderr).toContain(expected);
  });

  it('replaces a tokenizer only when told', async () => {
    const args = ['tokenizer', 'train', corpus, '--kind', 'char', '--out', join(folder, 'byte')];
    const before = readFileSync(join(folder, 'byte/tokenizer.json'), 'utf8');
    const finished = await qkv(args);
    expect(finished.code).toBe(1);
    expect(finished.stderr).toContain('--force');
    expect(readFileSync(join(folder, 'byte/tokenizer.json'), 'utf8')).toBe(before);
  });

  it.each([
    [['encode', 'nowhere', 'x'], 'nowhere'],
    [['decode', 'BYTE', '99999'], 'id 99999'],
    [['train', 'nowhere.txt', '--kind', 'char', '--out', 'x'], 'nowhere.txt'],
  ])('%s fails with a reason', async (args, reason) => {
    const finished = await qkv(['tokenizer', ...args.map((word) => (word === 'BYTE' ? join(folder, 'byte') : word))]);
    expect(finished).toMatchObject({ code: 1, stdout: '' });
    expect(finished.stderr).toContain(reason);
    expect(hasStack(finished)).toBe(false);
  });

  it('ends without a word when its reader has gone', async () => {
    const input = 'a line of text\n'.repeat(20_000);
    const finished = await qkv(['tokenizer', 'encode', join(folder, 'byte')], { input, hangUp: true });
    expect(finished.stderr).toBe('');
    expect(finished.code).toBe(0);
  });
});
