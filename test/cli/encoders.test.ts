import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { hasStack, qkv, root } from './qkv.ts';

const folder = mkdtempSync(join(tmpdir(), 'qkv-encoders-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A model of fixtures/ with the tokenizer of fixtures/encoders/bert. */
function model(name: string): string {
  const path = join(folder, name.replaceAll('/', '-'));
  cpSync(join(root, 'fixtures', name), path, { recursive: true });
  cpSync(join(root, 'fixtures/encoders/bert'), path, { recursive: true });
  return path;
}

interface Expected {
  readonly texts: readonly string[];
  readonly sentence: { readonly folder: readonly (readonly number[])[]; readonly mean: readonly (readonly number[])[] };
  readonly tag: readonly (readonly { readonly word: string; readonly label: string }[])[];
}
const expected = JSON.parse(readFileSync(join(root, 'fixtures/encoders/expected.json'), 'utf8')) as Expected;
const sentence = join(root, 'fixtures/encoders/sentence');
const close = (x: readonly number[]): number[] => x.map((one) => expect.closeTo(one, 5) as number);

describe('qkv embed', () => {
  it('gives a vector for each argument, line and JSON entry', async () => {
    const texts = expected.texts.slice(0, 4);
    const file = join(folder, 'lines.txt');
    writeFileSync(file, `${texts.join('\n')}\n`);
    const [given, lines, piped] = await Promise.all([
      qkv(['embed', sentence, ...texts]),
      qkv(['embed', sentence, '--file', file, '--json']),
      qkv(['embed', sentence], { input: `${texts.join('\n')}\n` }),
    ]);
    expect(given).toMatchObject({ code: 0, stderr: '' });
    const rows = given.stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' ').map(Number));
    expect(rows).toEqual(expected.sentence.folder.slice(0, 4).map(close));
    expect(JSON.parse(lines.stdout)).toEqual(texts.map((text, i) => ({ text, embedding: close(rows[i]!) })));
    expect(
      piped.stdout
        .trim()
        .split('\n')
        .map((line) => line.split(' ').map(Number)),
    ).toEqual(rows.map(close));
  });

  it('pools and normalises as it is told, and compares', async () => {
    const plain = join(folder, 'plain');
    cpSync(sentence, plain, { recursive: true });
    rmSync(join(plain, 'modules.json'));
    const short = expected.texts.slice(2, 4);
    const [mean, normal, angles] = await Promise.all([
      qkv(['embed', plain, ...short, '--json']),
      qkv(['embed', plain, ...short, '--json', '--pooling', 'max', '--normalize']),
      qkv(['embed', plain, 'a', 'a', 'the sea', '--similarity']),
    ]);
    const vectors = ({ stdout }: { stdout: string }): number[][] =>
      (JSON.parse(stdout) as { embedding: number[] }[]).map(({ embedding }) => embedding);
    expect(vectors(mean)).toEqual(expected.sentence.mean.slice(2, 4).map(close));
    for (const vector of vectors(normal)) expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
    const matrix = angles.stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' ').map(Number));
    expect(matrix[0]).toEqual([1, 1, matrix[2]![0]]);
  });

  it('refuses a pooling that the dense layer is not made for, texts too long, a model that writes', async () => {
    const [pooling, long, writes] = await Promise.all([
      qkv(['embed', sentence, 'a', '--pooling', 'cls']),
      qkv(['embed', sentence, 'the cat '.repeat(20)]),
      qkv(['embed', model('parity/gpt2'), 'a']),
    ]);
    expect(pooling).toMatchObject({ code: 2, stdout: '' });
    expect(pooling.stderr).toContain('dense layer');
    expect(long).toMatchObject({ code: 2, stdout: '' });
    expect(long.stderr).toContain('at most 12');
    expect(writes.code).toBe(2);
    expect([pooling, long, writes].some(hasStack)).toBe(false);
  });
});

describe('qkv fill-mask, classify, tag, answer', () => {
  it('fill masks', async () => {
    const args = ['fill-mask', model('parity/bert-pretraining'), 'the [MASK] sat', '--top', '2'];
    const [text, json] = await Promise.all([qkv(args), qkv([...args, '--json'])]);
    const [{ filled, masks }] = JSON.parse(json.stdout);
    expect(masks[0]).toHaveLength(2);
    expect(text.stdout).toBe(
      `${filled}\n${masks[0].map((one: { probability: number; text: string }) => `  ${one.probability.toFixed(4)} ${one.text}\n`).join('')}`,
    );
  });

  it('classify texts, pairs and choices', async () => {
    const path = model('parity/bert-sequence-classification');
    const [pair, line, choices, three] = await Promise.all([
      qkv(['classify', path, 'one two', 'three', '--json']),
      qkv(['classify', path, '--json'], { input: 'one two\tthree\n' }),
      qkv(['classify', model('encoders/choice'), 'who', '--choice', 'a cat', '--choice', 'the moon']),
      qkv(['classify', path, 'a', 'b', 'c']),
    ]);
    expect(JSON.parse(pair.stdout)[0].scores).toHaveLength(3);
    expect(line.stdout).toBe(pair.stdout);
    expect(choices.stdout).toMatch(/^(a cat|the moon) 0\.\d{4}\t(a cat|the moon) 0\.\d{4}\n$/);
    expect(three).toMatchObject({ code: 2, stdout: '' });
  });

  it('tag words', async () => {
    const run = await qkv(['tag', model('parity/bert-token-classification'), expected.texts[0]!]);
    const rows = run.stdout
      .trim()
      .split('\n')
      .map((line) => line.split('\t').slice(0, 2));
    expect(rows).toEqual(expected.tag[0]!.map(({ word, label }) => [word, label]));
  });

  it('answer questions', async () => {
    const path = model('parity/bert-question-answering');
    const args = ['answer', path, '--question', 'Who was born?', '--context', 'Ada was born in London.'];
    const [found, none, wrong] = await Promise.all([
      qkv([...args, '--max-answer-length', '4', '--top', '2']),
      qkv(args.slice(0, 4)),
      qkv(['answer', model('parity/bert-token-classification'), ...args.slice(2)]),
    ]);
    expect(found.stdout).toBe('0.0575 born in London\n0.0559 Ada was born\n');
    expect(none).toMatchObject({ code: 2, stdout: '' });
    expect(wrong.stderr).toContain('tag');
  });

  it('say that there is no tokenizer', async () => {
    const run = await qkv(['tag', join(root, 'fixtures/parity/bert-token-classification'), 'a']);
    expect(run).toMatchObject({ code: 1, stdout: '' });
    expect(run.stderr).toContain('no tokenizer.json');
  });
});
