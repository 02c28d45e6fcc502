import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gguf } from '../checkpoint/ggufFile.ts';
import { type Models, makeModels } from './models.ts';
import { hasStack, qkv, root } from './qkv.ts';

let models: Models;
beforeAll(() => {
  models = makeModels();
});
afterAll(() => models[Symbol.dispose]());

const hostile = JSON.parse(readFileSync(join(root, 'fixtures/checkpoint/torch/hostile.json'), 'utf8'));
const config = JSON.parse(readFileSync(join(root, 'fixtures/parity/gpt2/config.json'), 'utf8'));

/** Writes a file of the folder, or removes it. */
type Change = readonly [file: string, content: string | Uint8Array | null];
const without: Change = ['model.safetensors', null];
const configured = (changes: object): Change => ['config.json', JSON.stringify({ ...config, ...changes })];

const cases: readonly [string, readonly Change[], ...string[]][] = [
  [
    'a header beyond the file',
    [['model.safetensors', Buffer.from('ffffffffffffff00', 'hex')]],
    'checkpoint',
    'model.safetensors',
    'a header of 72057594037927935 bytes',
    'at most 0',
  ],
  [
    'a shard elsewhere',
    [without, ['model.safetensors.index.json', '{"weight_map": {"x": "../model.safetensors"}}']],
    'checkpoint',
    'model.safetensors.index.json',
    '"../model.safetensors"',
    'in the folder',
  ],
  [
    'a pickle that calls os.system',
    [without, ['pytorch_model.bin', Buffer.from(hostile['posix.system'], 'base64')]],
    'checkpoint',
    'pytorch_model.bin',
    'the global "posix.system"',
    'globals that tensors need',
  ],
  [
    'a GGUF with impossible counts',
    [without, ['config.json', null], ['m.gguf', gguf.file([], [], new Uint8Array(64), { tensorCount: 2n ** 60n })]],
    'checkpoint',
    'm.gguf',
    '1152921504606846976 tensors',
    'at most',
  ],
  ['a config that is a list', [['config.json', '[]']], 'checkpoint', 'config.json', 'an array', 'a JSON object'],
  [
    'a family that does not exist',
    [configured({ model_type: 'martian' })],
    'config',
    'config.json: model_type',
    '"martian"',
    'one of transformer',
  ],
  ['weights that are missing', [configured({ n_layer: 3 })], 'checkpoint', 'missing transformer.h.2.', 'for layers.2.'],
  ['weights that are left over', [configured({ n_layer: 1 })], 'checkpoint', 'unexpected transformer.h.1.'],
  ['a tokenizer that is a list', [['tokenizer.json', '[1]']], 'tokenizer', 'tokenizer.json', '[1]', 'an object'],
];

describe('a bad model ends generate and check with one error', () => {
  it.each(cases)('%s', async (name, changes, code, ...words) => {
    const folder = join(models.folder, name.replaceAll(' ', '-'));
    cpSync(models.gpt2, folder, { recursive: true });
    for (const [file, content] of changes) {
      if (content === null) rmSync(join(folder, file));
      else writeFileSync(join(folder, file), content);
    }
    for (const run of await Promise.all([qkv(['generate', folder, 'A']), qkv(['check', folder])])) {
      expect(run).toMatchObject({ code: 1, stdout: '' });
      expect(run.stderr.match(/^\w+ \(\w+\): /gm)).toEqual([`error (${code}): `]);
      for (const word of words) expect(run.stderr).toContain(word);
      expect(hasStack(run)).toBe(false);
    }
  });
});

describe('a bad text ends generate with one error', () => {
  it('beyond the positions', async () => {
    const run = await qkv(['generate', models.gpt2, 'a'.repeat(41), '--json']);
    expect(run).toMatchObject({ code: 2, stdout: '' });
    expect(run.stderr).toMatch(/inputs\[0\]"?,?.*41 tokens.*at most 40, the model's positions/s);
    expect(hasStack(run)).toBe(false);
  });

  it('of tokens beyond the vocabulary', async () => {
    const folder = join(models.folder, 'larger-tokenizer');
    cpSync(models.gpt2, folder, { recursive: true });
    cpSync(join(root, 'fixtures/tokenizer/word.tokenizer.json'), join(folder, 'tokenizer.json'));
    const run = await qkv(['generate', folder, 'the king', '--json']);
    expect(run).toMatchObject({ code: 2, stdout: '' });
    expect(run.stderr).toMatch(/inputs\[0\].*a token from 0 to 96/s);
    expect(hasStack(run)).toBe(false);
  });
});
