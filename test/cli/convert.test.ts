import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from '../../src/base/half.ts';
import { openCheckpoint, saveCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { nodeStorage } from '../../src/checkpoint/storage.node.ts';
import { convertFolder } from '../../src/export/convertFolder.node.ts';
import { openModel } from '../../src/pretrained/openModel.node.ts';
import { hasStack, qkv, root } from './qkv.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'qkv-convert-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const fixture = (name: string): string => join(root, 'fixtures', name);
const readJson = (...path: string[]): Record<string, unknown> =>
  JSON.parse(readFileSync(join(folder, ...path), 'utf8'));

async function weights(path: string): Promise<ReadonlyMap<string, Float32Array>> {
  const { tensors } = await openCheckpoint(nodeStorage(path));
  const entries = [...tensors].map(async ([key, tensor]) => [key, await tensor.read('float32')] as const);
  return new Map(await Promise.all(entries));
}

describe('qkv convert', () => {
  it('writes shards of bfloat16 that hold the rounded weights, and what stands beside the model', async () => {
    const source = join(folder, 'source');
    cpSync(fixture('parity/gpt2'), source, { recursive: true });
    writeFileSync(join(source, 'chat_template.jinja'), '{{ messages }}');
    const out = join(folder, 'bfloat16');
    const args = ['convert', source, out, '--dtype', 'bfloat16', '--max-shard-size', '20KB', '--json'];
    const run = await qkv(args);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    const { files, family, dtype } = JSON.parse(run.stdout) as Record<string, unknown>;
    expect([family, dtype]).toEqual(['gpt2', 'bfloat16']);
    expect(Object.keys(files as object).sort()).toEqual(readdirSync(out).sort());
    expect(readdirSync(out)).toContain('model.safetensors.index.json');
    expect(readFileSync(join(out, 'chat_template.jinja'), 'utf8')).toBe('{{ messages }}');
    expect(readJson('bfloat16', 'config.json')).toMatchObject({ torch_dtype: 'bfloat16', model_type: 'gpt2' });
    const [before, after] = [await weights(source), await weights(out)];
    expect([...after.keys()].sort()).toEqual([...before.keys()].sort());
    for (const [key, values] of before) {
      expect(after.get(key), key).toEqual(bfloat16ToFloat32(float32ToBfloat16(values)));
    }
    const again = await qkv(args);
    expect(again).toMatchObject({ code: 1, stdout: '' });
    expect(again.stderr).toContain('a new folder, or an empty one');
  });

  it('makes a folder of a GGUF file: the same weights, tokens and chat template', async () => {
    const out = join(folder, 'from-gguf');
    const run = await qkv(['convert', fixture('checkpoint/gguf/llama.gguf'), out]);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(run.stdout).toContain(`${join(out, 'model.safetensors')}  `);
    const [before, after] = [await openModel(fixture('checkpoint/gguf/llama.gguf')), await openModel(out)];
    expect(after.arena.data).toEqual(before.arena.data);
    expect(after.tokenizer!.encode('the tän').ids).toEqual(before.tokenizer!.encode('the tän').ids);
    const names = { model_input_names: ['input_ids', 'attention_mask'] };
    expect(after.tokenizerConfig).toEqual({ ...before.tokenizerConfig, ...names });
    expect(after.generationConfig).toEqual(before.generationConfig);
  });

  it('makes tokenizer.json where there is a vocabulary alone', async () => {
    const source = join(folder, 'vocabulary');
    cpSync(fixture('parity/bert-sequence-classification'), source, { recursive: true });
    const tokens = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', ...Array.from('abc')];
    writeFileSync(join(source, 'vocab.txt'), tokens.join('\n'));
    await convertFolder(await openModel(source), join(folder, 'made'));
    expect(readJson('made', 'tokenizer.json')['model']).toMatchObject({ type: 'WordPiece' });
    expect(readJson('made', 'tokenizer_config.json')).toMatchObject({
      unk_token: '[UNK]',
      pad_token: '[PAD]',
      model_input_names: ['input_ids', 'token_type_ids', 'attention_mask'],
    });
    expect((await openModel(join(folder, 'made'))).tokenizer!.encode('a b').ids).toEqual([2, 5, 6, 3]);
  });

  it('rounds to float16, and refuses weights beyond it', async () => {
    const source = fixture('parity/albert-masked-lm');
    await convertFolder(await openModel(source), join(folder, 'float16'), { dtype: 'float16' });
    const [before, after] = [await weights(source), await weights(join(folder, 'float16'))];
    for (const [key, values] of after)
      expect(values, key).toEqual(float16ToFloat32(float32ToFloat16(before.get(key)!)));

    const large = join(folder, 'large');
    const { config, tensors } = await openCheckpoint(nodeStorage(fixture('parity/gpt2')));
    const outgoing = [...tensors.values()].map((tensor) => ({
      ...tensor,
      data: async () =>
        (await tensor.read('float32')).map((x, i) => (i === 1 && tensor.name.includes('h.1.') ? -65520 : x)),
    }));
    await saveCheckpoint(nodeStorage(large), { config, tensors: outgoing });
    const run = await qkv(['convert', large, join(folder, 'too-large'), '--dtype', 'float16']);
    expect(run).toMatchObject({ code: 2, stdout: '' });
    expect(run.stderr).toContain('the weight -65520');
    expect(run.stderr).toContain('bfloat16 has the range');
    expect(existsSync(join(folder, 'too-large'))).toBe(false);
  });

  it.each([
    ['--dtype', 'float8', 'one of float32, float16, bfloat16'],
    ['--max-shard-size', '2', 'with its unit'],
    ['--max-shard-size', '0GB', 'with its unit'],
  ])('refuses %s %s', async (flag, value, words) => {
    const run = await qkv(['convert', fixture('parity/gpt2'), join(folder, 'never'), flag, value]);
    expect(run).toMatchObject({ code: 2, stdout: '' });
    expect(run.stderr).toContain(words);
    expect(hasStack(run)).toBe(false);
  });

  it('writes into an empty folder, and nothing where the model is damaged', async () => {
    mkdirSync(join(folder, 'empty'));
    await convertFolder(await openModel(fixture('parity/bart')), join(folder, 'empty'));
    expect((await openModel(join(folder, 'empty'))).model.family).toBe('bart');
    writeFileSync(join(folder, 'broken.gguf'), 'GGUF');
    const run = await qkv(['convert', join(folder, 'broken.gguf'), join(folder, 'none')]);
    expect(run).toMatchObject({ code: 1, stdout: '' });
    expect(run.stderr).toContain('broken.gguf');
    expect(existsSync(join(folder, 'none'))).toBe(false);
  });
});
