import { expect, it } from 'vitest';
import type { KeyMap } from '../../src/checkpoint/keyMap.ts';
import { loadStrict } from '../../src/checkpoint/loadStrict.ts';
import { type OutgoingTensor, openSafetensors, safetensorsChunks } from '../../src/checkpoint/safetensors.ts';
import { collect, memoryStorage } from './memoryStorage.ts';

// 1.5 and 1.8 million elements: more than are read at once, and no whole number of parts.
const [rows, columns] = [1500, 1000];
const map: KeyMap = {
  rules: [
    { key: 'plain', path: 'plain' },
    { key: 'turned', path: 'turned', move: 'transpose' },
    { key: 'joined', paths: ['left', 'right'], move: 'split', axis: 1 },
  ],
  ties: [{ key: 'tied', sameAs: 'plain' }],
};
const params = [
  { path: 'plain', shape: [rows, columns] },
  { path: 'turned', shape: [columns, rows] },
  { path: 'left', shape: [rows, 500] },
  { path: 'right', shape: [rows, 700] },
];
const counting = (size: number) => Float32Array.from({ length: size }, (_, i) => i);
const matrix = (name: string, width: number, data = counting(rows * width)): OutgoingTensor => ({
  name,
  dtype: 'F32',
  shape: [rows, width],
  data,
});

async function load(tensors: readonly OutgoingTensor[]): ReturnType<typeof loadStrict> {
  const storage = memoryStorage({ f: await collect(safetensorsChunks(tensors)) });
  return loadStrict(map, (await openSafetensors(storage, 'f')).tensors, params);
}

it('puts every element of a large tensor where it belongs', async () => {
  const { data } = await load([matrix('plain', columns), matrix('turned', columns), matrix('joined', 1200)]);
  expect(data.get('plain')!.every((value, i) => value === i)).toBe(true);
  expect(data.get('turned')!.every((value, i) => value === (i % rows) * columns + Math.floor(i / rows))).toBe(true);
  expect(data.get('left')!.every((value, i) => value === Math.floor(i / 500) * 1200 + (i % 500))).toBe(true);
  expect(data.get('right')!.every((value, i) => value === Math.floor(i / 700) * 1200 + 500 + (i % 700))).toBe(true);
});

it('compares tied tensors to the end', async () => {
  const others = [matrix('plain', columns), matrix('turned', columns), matrix('joined', 1200)];
  await load([...others, matrix('tied', columns)]);
  const different = counting(rows * columns);
  different[different.length - 1] = 0;
  await expect(load([...others, matrix('tied', columns, different)])).rejects.toThrow(
    'different values in plain and tied',
  );
});
