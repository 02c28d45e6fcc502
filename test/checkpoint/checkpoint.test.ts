import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openCheckpoint, saveCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import type { OutgoingTensor } from '../../src/checkpoint/safetensors.ts';
import { type MemoryStorage, memoryStorage } from './memoryStorage.ts';

const utf8 = (value: unknown) => new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));
const textOf = (storage: MemoryStorage, name: string) => Buffer.from(storage.files.get(name)!).toString('utf8');

function fixture(name: string): MemoryStorage {
  const folder = new URL(`../../fixtures/checkpoint/${name}/`, import.meta.url);
  return memoryStorage(
    Object.fromEntries(readdirSync(folder).map((file) => [file, new Uint8Array(readFileSync(new URL(file, folder)))])),
  );
}

async function outgoing(storage: MemoryStorage): Promise<OutgoingTensor[]> {
  const { tensors } = await openCheckpoint(storage);
  return [...tensors.values()].map((t) => ({ ...t, data: () => t.read('float32') }));
}

describe('opening', () => {
  it('reads the same from one file and from shards', async () => {
    const [single, sharded] = [await openCheckpoint(fixture('gpt2')), await openCheckpoint(fixture('gpt2-sharded'))];
    expect(single.config).toMatchObject({ model_type: 'gpt2', n_embd: 8, n_layer: 2 });
    expect(single.generationConfig).toMatchObject({ bos_token_id: 0 });
    expect([...sharded.tensors.keys()].sort()).toEqual([...single.tensors.keys()].sort());
    for (const [key, tensor] of single.tensors) {
      expect(await sharded.tensors.get(key)!.read('bytes'), key).toEqual(await tensor.read('bytes'));
    }
  });

  const index = (map: unknown) => utf8({ metadata: {}, weight_map: map });
  const shard = 'model-00001-of-00003.safetensors';
  const indexFile = 'model.safetensors.index.json';
  const map = JSON.parse(textOf(fixture('gpt2-sharded'), indexFile)).weight_map as Record<string, string>;
  const without = (key: string) => Object.fromEntries(Object.entries(map).filter(([name]) => name !== key));

  it.each<[string, Record<string, Uint8Array | null>, string]>([
    ['no config', { 'config.json': null }, 'got no config.json'],
    ['a config that is not JSON', { 'config.json': utf8('{') }, 'config.json: got'],
    ['a config that is not UTF-8', { 'config.json': Uint8Array.of(0xff) }, 'config.json: got'],
    ['a config that is no object', { 'config.json': utf8('[]') }, 'config.json: got an array'],
    ['no weights', { [indexFile]: null, 'weights.bin': utf8('') }, 'neither model.safetensors nor'],
    ['no weight map', { [indexFile]: utf8({}) }, 'weight_map: got nothing'],
    ['a shard elsewhere', { [indexFile]: index({ x: '../model.safetensors' }) }, '"x": got "../model.safetensors"'],
    ['a shard that is no text', { [indexFile]: index({ x: 3 }) }, '"x": got 3'],
    [
      'a shard that is missing',
      { [shard]: null },
      `got "${shard}", expected the name of a .safetensors file in the folder`,
    ],
    ['a key that no shard has', { [indexFile]: index({ ...map, extra: shard }) }, `got "extra" is not in ${shard}`],
    [
      'a key that the index lacks',
      { [indexFile]: index(without('transformer.wte.weight')) },
      'the index says nothing of it',
    ],
    [
      'a key in another shard',
      { [indexFile]: index({ ...map, 'transformer.ln_f.bias': shard }) },
      `the index says ${shard}`,
    ],
    ['a damaged shard', { [shard]: new Uint8Array(20) }, `${shard}: header`],
  ])('refuses %s', async (_, changes, message) => {
    const storage = fixture('gpt2-sharded');
    for (const [name, bytes] of Object.entries(changes)) {
      if (bytes) storage.files.set(name, bytes);
      else storage.files.delete(name);
    }
    const error = await openCheckpoint(storage).catch((e: unknown) => e);
    expect(error).toMatchObject({ name: 'QkvError', code: 'checkpoint', message: expect.stringContaining(message) });
  });
});

describe('saving', () => {
  it('writes the file that Python wrote', async () => {
    const [source, target] = [fixture('gpt2'), memoryStorage()];
    const { config, generationConfig } = await openCheckpoint(source);
    await saveCheckpoint(target, { config, generationConfig: generationConfig!, tensors: await outgoing(source) });
    expect([...target.files.keys()].sort()).toEqual(['config.json', 'generation_config.json', 'model.safetensors']);
    expect(target.files.get('model.safetensors')).toEqual(source.files.get('model.safetensors'));
    expect(JSON.parse(textOf(target, 'config.json'))).toEqual(config);
  });

  it('writes fractions with a point, which Python demands', async () => {
    const target = memoryStorage();
    const config = {
      encoder_layerdrop: 0,
      layers: 6,
      rope_scaling: { factor: 8 },
      init_std: 0.02,
      name: '"dropout": 1,',
    };
    await saveCheckpoint(target, { config, generationConfig: { temperature: 1, top_k: 50 }, tensors: [] });
    const text = textOf(target, 'config.json');
    expect(JSON.parse(text)).toEqual(config);
    expect(text.match(/\S+\.0\b/g)).toEqual(['0.0', '8.0']);
    expect(textOf(target, 'generation_config.json')).toBe('{\n  "temperature": 1.0,\n  "top_k": 50\n}\n');
  });

  it('writes shards that hold the same, none above the limit', async () => {
    const [source, target] = [fixture('gpt2'), memoryStorage()];
    const tensors = await outgoing(source);
    await saveCheckpoint(target, { config: {}, tensors, maxShardBytes: 2500 });
    const shards = [...target.files.keys()].filter((name) => /^model-0000\d-of-00004.safetensors$/.test(name));
    expect(shards).toHaveLength(4);
    const again = await openCheckpoint(target);
    for (const tensor of (await openCheckpoint(source)).tensors.values()) {
      expect(await again.tensors.get(tensor.name)!.read('bytes')).toEqual(await tensor.read('bytes'));
    }
    expect(JSON.parse(textOf(target, 'model.safetensors.index.json')).metadata.total_size).toBe(7648);
  });

  it('leaves no weights of an earlier save behind', async () => {
    const tensors = await outgoing(fixture('gpt2'));
    const target = memoryStorage({ 'tokenizer.json': utf8('{}') });
    await saveCheckpoint(target, { config: {}, generationConfig: {}, tensors });
    await saveCheckpoint(target, { config: {}, tensors, maxShardBytes: 4000 });
    expect(target.files.has('model.safetensors')).toBe(false);
    expect(target.files.has('generation_config.json')).toBe(false);
    await saveCheckpoint(target, { config: {}, tensors });
    expect([...target.files.keys()].sort()).toEqual(['config.json', 'model.safetensors', 'tokenizer.json']);
    await expect(saveCheckpoint(target, { config: {}, tensors, maxShardBytes: 0 })).rejects.toThrow('maxShardBytes');
  });
});
