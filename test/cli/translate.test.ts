import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openModel } from '../../src/pretrained/openModel.node.ts';
import { type Models, makeModels } from './models.ts';
import { qkv } from './qkv.ts';

let models: Models;
beforeAll(() => {
  models = makeModels();
});
afterAll(() => models[Symbol.dispose]());

const sentences = ['Where is the station?', '', 'He may be able to come tomorrow.', 'No.'];
const usageError = { code: 2, stdout: '' };

describe('qkv translate', () => {
  it('translates arguments, lines and files alike, in order', async () => {
    const file = join(models.folder, 'sentences.txt');
    writeFileSync(file, `${sentences.join('\r\n')}\r\n`);
    const runs = await Promise.all([
      qkv(['translate', models.marian, ...sentences]),
      qkv(['translate', models.marian], { input: sentences.join('\n') }),
      qkv(['translate', models.marian, '--file', file, '--batch-size', '1']),
    ]);
    for (const run of runs) expect(run).toEqual({ code: 0, stdout: runs[0]!.stdout, stderr: '' });
    const lines = runs[0]!.stdout.split('\n');
    expect(lines).toHaveLength(sentences.length + 1);
    expect(lines[1]).toBe('');
    expect(new Set(lines.slice(0, 4)).size).toBe(4);
  });

  it('gives JSON with beams, and lengths as asked', async () => {
    const run = await qkv(['translate', models.marian, 'No.', '--beam', '3', '--max-length', '5', '--json']);
    expect({ code: run.code, stderr: run.stderr }).toEqual({ code: 0, stderr: '' });
    const [only] = JSON.parse(run.stdout) as { source: string; translation: string; score: number }[];
    expect(only).toMatchObject({ source: 'No.', translation: expect.any(String), score: expect.any(Number) });
    const { tokenizer } = await openModel(models.marian);
    expect(tokenizer!.encode(only!.translation).ids.length).toBeLessThanOrEqual(6);
  });

  it('samples the same with the same seed', async () => {
    const sample = (seed: string) =>
      qkv(['translate', models.marian, sentences[0]!, '--temperature', '2', '--seed', seed]);
    const [first, again, other] = await Promise.all([sample('1'), sample('1'), sample('2')]);
    expect(first.code).toBe(0);
    expect(again.stdout).toBe(first.stdout);
    expect(other.stdout).not.toBe(first.stdout);
  });

  it('opens the folder of a training run', async () => {
    const run = join(models.folder, 'run');
    mkdirSync(run);
    cpSync(models.marian, join(run, 'model'), { recursive: true });
    const [inner, outer] = await Promise.all(
      [models.marian, run].map((path) => qkv(['translate', path, 'No.', '--greedy'])),
    );
    expect(outer).toEqual(inner);
    expect(outer!.code).toBe(0);
  });

  it.each([
    ['beams and sampling', ['--beam', '2', '--seed', '3'], '--seed'],
    ['a length penalty without beams', ['--length-penalty', '2'], '--beam 4'],
    ['more tokens than positions', ['--max-length', '1000'], 'at most 32'],
    ['a file and arguments', ['--file', 'x'], '--file'],
  ])('refuses %s', async (_, args, words) => {
    const finished = await qkv(['translate', models.marian, 'No.', ...args]);
    expect(finished).toMatchObject(usageError);
    expect(finished.stderr).toContain(words);
  });

  it('names a sentence that is too long, and cuts it when told', async () => {
    const long = 'the station '.repeat(40);
    const [refused, cut] = await Promise.all([
      qkv(['translate', models.marian, 'No.', long]),
      qkv(['translate', models.marian, 'No.', long, '--truncate']),
    ]);
    expect(refused).toMatchObject(usageError);
    expect(refused.stderr).toContain('sentence 2');
    expect(cut).toMatchObject({ code: 0, stderr: '' });
  });
});
