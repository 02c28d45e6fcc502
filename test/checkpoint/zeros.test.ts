import { describe, expect, it } from 'vitest';
import type { KeyMap } from '../../src/checkpoint/keyMap.ts';
import { loadStrict } from '../../src/checkpoint/loadStrict.ts';
import { openSafetensors, safetensorsChunks } from '../../src/checkpoint/safetensors.ts';
import { type ParamValues, toCheckpoint } from '../../src/checkpoint/toCheckpoint.ts';
import { memoryStorage } from './memoryStorage.ts';

const map: KeyMap = {
  rules: [
    { key: 'h.{i}.attn.weight', paths: ['{i}.q', '{i}.k'], move: 'split', axis: 1 },
    { key: 'h.{i}.ln.weight', path: '{i}.norm' },
  ],
  zeros: [
    { key: 'h.{i}.attn.bias', beside: 'h.{i}.attn.weight' },
    { key: 'h.{i}.ln.bias', beside: 'h.{i}.ln.weight' },
  ],
};
const params: ParamValues[] = ['0', '1'].flatMap((i) => [
  { path: `${i}.q`, shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
  { path: `${i}.k`, shape: [2, 3], data: Float32Array.of(7, 8, 9, 10, 11, 12) },
  { path: `${i}.norm`, shape: [2], data: Float32Array.of(0.5, 1.5) },
]);

type Tensors = ReturnType<typeof toCheckpoint>;

async function reload(tensors: Tensors): ReturnType<typeof loadStrict> {
  const storage = memoryStorage();
  await storage.writeAtomic('x.safetensors', safetensorsChunks(tensors));
  return loadStrict(map, (await openSafetensors(storage, 'x.safetensors')).tensors, params);
}

function changed(name: string, change: Partial<Tensors[number]>): Tensors {
  return toCheckpoint(map, params).map((tensor) => (tensor.name === name ? { ...tensor, ...change } : tensor));
}

describe('biases that a family has and a model does not', () => {
  it('writes them as zeros of the right length', async () => {
    const stored = toCheckpoint(map, params).filter(({ name }) => name.endsWith('bias'));
    expect(stored.map(({ name, shape }) => [name, ...shape])).toEqual([
      ['h.0.attn.bias', 6],
      ['h.1.attn.bias', 6],
      ['h.0.ln.bias', 2],
      ['h.1.ln.bias', 2],
    ]);
    for (const { data, shape } of stored) {
      expect(typeof data === 'function' ? await data() : data).toEqual(new Float32Array(shape[0]!));
    }
  });

  it('reads them again, each ignored for a reason, and does not miss them', async () => {
    const whole = await reload(toCheckpoint(map, params));
    expect(whole.ignored.map(({ key }) => key).toSorted()).toEqual([
      'h.0.attn.bias',
      'h.0.ln.bias',
      'h.1.attn.bias',
      'h.1.ln.bias',
    ]);
    const without = await reload(toCheckpoint(map, params).filter(({ name }) => !name.endsWith('bias')));
    expect(without.ignored).toEqual([]);
    for (const { data } of [whole, without]) expect(data.get('1.k')).toEqual(params[4]!.data);
  });

  it('refuses other values and other lengths', async () => {
    const one = Float32Array.of(0, 0, 0, 0, 0, 1e-30);
    await expect(reload(changed('h.1.attn.bias', { data: one }))).rejects.toThrow(/not zero h\.1\.attn\.bias \[6\]/);
    const long = { shape: [3], data: new Float32Array(3) };
    await expect(reload(changed('h.0.ln.bias', long))).rejects.toThrow(
      /mis-shaped h\.0\.ln\.bias: got \[3\], expected \[2\]/,
    );
  });
});
