import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bleu } from '../../src/eval/bleu.ts';
import { pairLoss, textLoss } from '../../src/pretrained/measureLoss.ts';
import { openModel } from '../../src/pretrained/openModel.node.ts';
import { createReferenceRuntime } from '../../src/runtime/reference/reference.ts';
import { type Models, makeModels } from './models.ts';
import { hasStack, qkv } from './qkv.ts';

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

describe('a model that cannot be used', () => {
  it.each([
    ['a hub id', () => 'Helsinki-NLP/opus-mt-en-zh', 'hub'],
    ['a file', () => join(models.marian, 'config.json'), 'folder'],
    ['an empty folder', () => join(models.folder, 'empty'), 'config.json and model.safetensors'],
    ['no weights', () => join(models.folder, 'weightless'), 'model.safetensors'],
    ['no tokenizer', () => join(models.folder, 'mute'), 'tokenizer.json'],
    ['an unknown family', () => join(models.folder, 'alien'), 'model_type'],
    ['damaged weights', () => join(models.folder, 'damaged'), 'model.safetensors'],
  ])('%s fails with a reason', async (_, path, words) => {
    const finished = await qkv(['translate', path(), 'No.']);
    expect(finished).toMatchObject({ code: 1, stdout: '' });
    expect(finished.stderr).toContain(words);
    expect(hasStack(finished)).toBe(false);
  });

  beforeAll(() => {
    const copy = (name: string): string => {
      const path = join(models.folder, name);
      cpSync(models.marian, path, { recursive: true });
      return path;
    };
    mkdirSync(join(models.folder, 'empty'));
    rmSync(join(copy('weightless'), 'model.safetensors'));
    rmSync(join(copy('mute'), 'tokenizer.json'));
    writeFileSync(join(copy('alien'), 'config.json'), '{"model_type": "martian"}');
    const weights = readFileSync(join(models.marian, 'model.safetensors'));
    writeFileSync(join(copy('damaged'), 'model.safetensors'), weights.subarray(0, weights.length - 4));
  });

  it('is one of the other kind', async () => {
    const [translate, generate] = await Promise.all([
      qkv(['translate', models.gpt2, 'No.']),
      qkv(['generate', models.marian, 'No.']),
    ]);
    expect(translate).toMatchObject(usageError);
    expect(translate.stderr).toContain('qkv generate');
    expect(generate).toMatchObject(usageError);
    expect(generate.stderr).toContain('qkv translate');
  });
});

interface Generated {
  prompt: string;
  continuations: { text: string; ids: number[]; finish: string }[];
}

describe('qkv generate', () => {
  it('streams what JSON gives at once', async () => {
    const args = ['generate', models.gpt2, 'The dog', '--temperature', '1', '--seed', '5', '--max-new-tokens', '12'];
    const [streamed, json, piped] = await Promise.all([
      qkv(args),
      qkv([...args, '--json']),
      qkv([...args.slice(0, 2), ...args.slice(3)], { input: 'The dog\n' }),
    ]);
    expect(streamed).toMatchObject({ code: 0, stderr: '' });
    const { prompt, continuations } = JSON.parse(json.stdout) as Generated;
    expect(prompt).toBe('The dog');
    expect(continuations).toHaveLength(1);
    expect(streamed.stdout).toBe(`The dog${continuations[0]!.text}\n`);
    expect(piped.stdout).toBe(streamed.stdout);
  });

  it('goes on beyond the positions of the model, sample by sample', async () => {
    // Without an end token nothing stops it early: 100 tokens of a model with 40 positions.
    const endless = join(models.folder, 'endless');
    cpSync(models.gpt2, endless, { recursive: true });
    const config = JSON.parse(readFileSync(join(endless, 'config.json'), 'utf8')) as Record<string, unknown>;
    writeFileSync(join(endless, 'config.json'), JSON.stringify({ ...config, eos_token_id: null }));
    rmSync(join(endless, 'generation_config.json'));
    const args = ['generate', endless, 'A', '--top-k', '30', '--samples', '3', '--max-new-tokens', '100', '--json'];
    const run = await qkv(args);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    const { continuations } = JSON.parse(run.stdout) as Generated;
    expect(continuations.map(({ ids }) => ids.length)).toEqual([100, 100, 100]);
    expect(new Set(continuations.map(({ text }) => text)).size).toBe(3);
  });

  it('stops at Ctrl-C and says so', async () => {
    const args = ['generate', models.gpt2, 'Once', '--max-new-tokens', '100000', '--top-k', '5'];
    const run = await qkv(args, { interruptAfter: 'Once' });
    expect(run).toMatchObject({ code: 130, stderr: 'stopped\n' });
  });

  it('refuses several equal samples', async () => {
    const finished = await qkv(['generate', models.gpt2, 'A', '--samples', '2']);
    expect(finished).toMatchObject(usageError);
    expect(finished.stderr).toContain('--temperature 1');
  });

  it('begins with the token that begins texts where there is no prompt', async () => {
    const run = await qkv(['generate', models.gpt2, '', '--max-new-tokens', '3', '--json']);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect((JSON.parse(run.stdout) as Generated).continuations[0]!.ids.length).toBeGreaterThan(0);
  });
});

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

describe('qkv doctor', () => {
  it('finds this installation in order', async () => {
    const run = await qkv(['doctor', '--json']);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    const { ok, findings } = JSON.parse(run.stdout) as { ok: boolean; findings: { name: string; status: string }[] };
    expect(ok).toBe(true);
    expect(findings.map(({ name }) => name)).toEqual(expect.arrayContaining(['ONNX Runtime', 'arithmetic', 'drawing']));
    expect(findings.filter(({ status }) => status === 'failed')).toEqual([]);
  });
});
