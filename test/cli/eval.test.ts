import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bleu } from '../../src/eval/bleu.ts';
import { bleuTokenizers } from '../../src/eval/bleuTokenizers.ts';
import { chrf } from '../../src/eval/chrf.ts';
import { rouge } from '../../src/eval/rouge.ts';
import { openModel } from '../../src/pretrained/openModel.node.ts';
import { createReferenceRuntime } from '../../src/runtime/reference/reference.ts';
import { pairLoss } from '../../src/train/measureLoss.ts';
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

  it('scores translations with BLEU, chrF, ROUGE and exact match, of the length that is asked for, and writes them', async () => {
    const data = join(models.folder, 'pairs.tsv');
    const [out, short] = ['out', 'short'].map((name) => join(models.folder, name)) as [string, string];
    writeFileSync(data, pairs.map((pair) => `${pair.join('\t')}\n`).join(''));
    const metric = 'bleu,chrf,rouge,exact-match';
    const args = ['eval', models.marian, '--data', data, '--metric', metric, '--tokenize', 'char', '--greedy'];
    const [run, plain] = await Promise.all([
      qkv([...args, '--out', out, '--json']),
      qkv([...args, '--out', short, '--max-new-tokens', '3', '--json']),
    ]);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    const written = readFileSync(join(out, 'predictions.jsonl'), 'utf8').split('\n').slice(0, -1);
    const predictions = written.map((line) => JSON.parse(line) as { where: string; prediction: string });
    expect(predictions.map(({ where }) => where)).toEqual([1, 2, 3].map((line) => `${data}:${line}`));
    const texts = predictions.map(({ prediction }) => prediction);
    const translated = await qkv(['translate', models.marian, ...pairs.map(([source]) => source), '--greedy']);
    expect(translated.stdout).toBe(`${texts.join('\n')}\n`);
    const targets = pairs.map(([, target]) => target);
    const { metrics, settings, ...facts } = JSON.parse(run.stdout) as Record<string, unknown> & {
      metrics: Record<string, { score: number }>;
      settings: Record<string, unknown>;
    };
    const kind = 'sequence-to-sequence';
    expect(facts).toEqual({ model: models.marian, data, kind, examples: 3, truncated: 0, out });
    expect(metrics['bleu']).toEqual(bleu(texts, targets, { tokenize: 'char' }));
    expect(metrics['chrf']).toEqual(chrf(texts, targets));
    expect(metrics['rouge']!.score).toBe(rouge(texts, targets, { tokenize: bleuTokenizers.char }).rougeL.f1);
    expect(metrics['exact-match']!.score).toBe(texts.filter((text, i) => text === targets[i]).length / 3);
    expect(settings).toMatchObject({ numBeams: 1 });

    const cut = JSON.parse(plain.stdout) as { settings: Record<string, unknown> };
    expect(cut.settings['maxNewTokens']).toBe(3);
    const { tokenizer } = await openModel(models.marian);
    for (const line of readFileSync(join(short, 'predictions.jsonl'), 'utf8').split('\n').slice(0, -1)) {
      const { prediction } = JSON.parse(line) as { prediction: string };
      expect(tokenizer!.encode(prediction, { addSpecialTokens: false }).ids.length).toBeLessThanOrEqual(3);
    }
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
      '--no-out',
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

  it.each([
    ['a score of a model that continues texts', () => [models.gpt2, '--metric', 'bleu'], 2, 'loss, perplexity'],
    ['a tokenizer for the loss', () => [models.marian, '--metric', 'loss', '--tokenize', 'zh'], 2, '--tokenize'],
    ['windows of pairs', () => [models.marian, '--metric', 'loss', '--length', '8'], 2, '--length'],
    ['references of a text', () => [models.gpt2, '--references', 'x'], 2, '--references'],
    ['data that do not exist', () => [models.marian, '--metric', 'loss'], 1, 'nowhere.tsv'],
  ])('refuses %s', async (_, args, code, words) => {
    const [model, ...rest] = args();
    const finished = await qkv(['eval', model!, '--data', 'nowhere.tsv', '--no-out', ...rest]);
    expect(finished).toMatchObject({ code, stdout: '' });
    expect(finished.stderr).toContain(words);
    expect(hasStack(finished)).toBe(false);
  });
});
