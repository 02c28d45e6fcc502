import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Models, makeModels } from './models.ts';
import { hasStack, qkv, root } from './qkv.ts';

let models: Models;
beforeAll(() => {
  models = makeModels();
});
afterAll(() => models[Symbol.dispose]());

describe('qkv export', () => {
  it('writes the folder and says what opens it', async () => {
    const out = join(models.folder, 'gpt2-onnx');
    const run = await qkv(['export', models.gpt2, out]);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(run.stdout).toContain(`${join(out, 'onnx/model.onnx')}  0.13 MB`);
    expect(run.stdout).toContain("transformers.js: pipeline('text-generation', …)");
    expect(readdirSync(out)).toEqual(
      expect.arrayContaining(['config.json', 'generation_config.json', 'tokenizer.json']),
    );
  });

  it('gives the same as JSON', async () => {
    const out = join(models.folder, 'marian-onnx');
    const run = await qkv(['export', models.marian, out, '--json']);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    const bytes = (name: string): number => statSync(join(out, name)).size;
    const names = ['onnx/encoder_model.onnx', 'onnx/decoder_model_merged.onnx'];
    expect(JSON.parse(run.stdout)).toEqual({
      model: models.marian,
      out,
      family: 'marian',
      parameters: expect.any(Number),
      models: Object.fromEntries(names.map((name) => [name, bytes(name)])),
      transformersJs: { task: 'translation' },
    });
  });

  it('says where transformers.js has no class', async () => {
    const run = await qkv(['export', join(root, 'fixtures/parity/transformer'), join(models.folder, 'original')]);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(run.stdout).toContain('not for transformers.js: it has no class for such a model');
  });

  it('refuses what it cannot write over, and what is no model', async () => {
    const full = join(models.folder, 'full');
    mkdirSync(full);
    writeFileSync(join(full, 'mine.txt'), '');
    const [over, none, one] = await Promise.all([
      qkv(['export', models.gpt2, full]),
      qkv(['export', join(models.folder, 'no-model'), join(models.folder, 'x')]),
      qkv(['export', models.gpt2]),
    ]);
    expect(over).toMatchObject({ code: 1, stdout: '' });
    expect(over.stderr).toContain('a new folder, or an empty one');
    expect(none).toMatchObject({ code: 1, stdout: '' });
    expect(one.code).toBe(2);
    expect([over, none, one].some(hasStack)).toBe(false);
    expect(readdirSync(full)).toEqual(['mine.txt']);
  });
});
