import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bleu } from '../../src/eval/bleu.ts';
import { openModel } from '../../src/pretrained/openModel.node.ts';
import { createReferenceRuntime } from '../../src/runtime/reference/reference.ts';
import { pairLoss, textLoss } from '../../src/train/measureLoss.ts';
import { type Models, makeModels } from './models.ts';
import { hasStack, qkv } from './qkv.ts';

let models: Models;
beforeAll(() => {
  models = makeModels();
});
afterAll(() => models[Symbol.dispose]());

describe('qkv eval', () => {
  const pairs = [
    ['Where is the station?', 'Where was the station?'],
    ['He may come.', 'He might come tomorrow.'],
    ['No.', 'No.'],
  ] as const;

  it('scores translations with BLEU and chrF and writes them', async () => {
    const data = join(models.folder, 'pairs.tsv');
    const out = join(models.folder, 'out.txt');
    writeFileSync(data, pairs.map((pair) => `${pair.join('\t')}\n`).join(''));
    const args = ['eval', models.marian, '--data', data, '--metric', 'bleu,chrf', '--tokenize', 'char', '--greedy'];
    const [run, plain] = await Promise.all([qkv([...args, '--out', out, '--json']), qkv(args)]);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    const written = readFileSync(out, 'utf8').split('\n').slice(0, -1);
    expect(written).toHaveLength(3);
    const translated = await qkv(['translate', models.marian, ...pairs.map(([source]) => source), '--greedy']);
    expect(translated.stdout).toBe(`${written.join('\n')}\n`);
    const expected = bleu(
      written,
      pairs.map(([, target]) => target),
      { tokenize: 'char' },
    );
    const { metrics, ...facts } = JSON.parse(run.stdout) as Record<string, unknown> & {
      metrics: { bleu: unknown; chrf: unknown };
    };
    expect(facts).toEqual({ model: models.marian, data, pairs: 3, translations: out });
    expect(metrics.bleu).toEqual(expected);
    expect(plain.stdout).toContain(`BLEU ${expected.score.toFixed(2)}  ${expected.signature}\nchrF `);
  });

  it('measures the loss that the reference runtime gives', async () => {
    const [source, target] = ['source.txt', 'target.txt'].map((name) => join(models.folder, name)) as [string, string];
    writeFileSync(source, pairs.map(([text]) => `${text}\n`).join(''));
    writeFileSync(target, pairs.map(([, text]) => `${text}\n`).join(''));
    const run = await qkv([
      'eval',
      models.marian,
      '--data',
      source,
      '--references',
      target,
      '--metric',
      'loss,perplexity',
      '--json',
    ]);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    const { metrics } = JSON.parse(run.stdout) as { metrics: Record<string, { score: number; tokens: number }> };
    const { model, arena, tokenizer } = await openModel(models.marian);
    await using runtime = createReferenceRuntime();
    const measured = { runtime, model, parameters: arena.tensors, tokenizer: tokenizer! };
    const expected = await pairLoss(
      measured,
      pairs.map(([a, b]) => ({ source: a, target: b })),
    );
    expect(metrics['loss']!.score).toBeCloseTo(expected.loss, 5);
    expect(metrics['perplexity']!.score / expected.perplexity).toBeCloseTo(1, 5);
    expect(metrics['loss']!.tokens).toBe(expected.tokens);
    expect(expected.tokens).toBe(pairs.reduce((sum, [, text]) => sum + tokenizer!.encode(text).ids.length, 0));
  });

  it('measures the perplexity of a text in blocks', async () => {
    const data = join(models.folder, 'text.txt');
    const text = 'To be, or not to be, that is the question:\nWhether it is nobler in the mind to suffer\n';
    writeFileSync(data, text);
    const run = await qkv(['eval', models.gpt2, '--data', data, '--metric', 'loss', '--block-size', '20', '--json']);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    const { metrics } = JSON.parse(run.stdout) as { metrics: Record<string, { score: number; tokens: number }> };
    const { model, arena, tokenizer } = await openModel(models.gpt2);
    await using runtime = createReferenceRuntime();
    const measured = { runtime, model, parameters: arena.tensors, tokenizer: tokenizer! };
    const expected = await textLoss(measured, text, { blockSize: 20 });
    expect(metrics['loss']!.score).toBeCloseTo(expected.loss, 5);
    expect(metrics['loss']!.tokens).toBe(Math.floor((text.length - 1) / 20) * 20);
  });

  it.each([
    ['a score of a model that continues texts', () => [models.gpt2, '--metric', 'bleu'], 2, 'loss or perplexity'],
    ['a tokenizer for the loss', () => [models.marian, '--metric', 'loss', '--tokenize', 'zh'], 2, '--tokenize'],
    ['blocks of pairs', () => [models.marian, '--metric', 'loss', '--block-size', '8'], 2, '--block-size'],
    ['data that do not exist', () => [models.marian, '--metric', 'loss'], 1, 'nowhere.tsv'],
  ])('refuses %s', async (_, args, code, words) => {
    const [model, ...rest] = args();
    const finished = await qkv(['eval', model!, '--data', 'nowhere.tsv', ...rest]);
    expect(finished).toMatchObject({ code, stdout: '' });
    expect(finished.stderr).toContain(words);
    expect(hasStack(finished)).toBe(false);
  });
});
