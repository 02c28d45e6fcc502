import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openRunning } from '../../apps/cli/openRunning.ts';
import { type Models, makeModels } from './models.ts';
import { hasStack, qkv } from './qkv.ts';

let models: Models;
beforeAll(() => {
  models = makeModels();
});
afterAll(() => models[Symbol.dispose]());

const usageError = { code: 2, stdout: '' };

describe('a model that cannot be used', () => {
  it.each([
    ['a name without an owner', () => 'no-such-model', 'OWNER/no-such-model'],
    ['damaged weights', () => join(models.folder, 'damaged'), 'model.safetensors'],
  ])('%s fails with a reason', async (_, path, words) => {
    const finished = await qkv(['translate', path(), 'No.']);
    expect(finished).toMatchObject({ code: 1, stdout: '' });
    expect(finished.stderr).toContain(words);
    expect(hasStack(finished)).toBe(false);
  });

  it.each([
    ['a file', () => join(models.marian, 'config.json'), 'io', 'folder'],
    ['an empty folder', () => join(models.folder, 'empty'), 'io', 'config.json and model.safetensors'],
    ['no weights', () => join(models.folder, 'weightless'), 'io', 'model.safetensors'],
    ['no tokenizer', () => join(models.folder, 'mute'), 'tokenizer', 'tokenizer.json'],
    ['an unknown family', () => join(models.folder, 'alien'), 'config', 'model_type'],
  ])('%s is refused', async (_, path, code, words) => {
    await expect(openRunning(path())).rejects.toMatchObject({ code, message: expect.stringContaining(words) });
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
