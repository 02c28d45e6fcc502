import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { QkvError } from '../../src/base/errors.ts';
import { sizeOf } from '../../src/base/tensor.ts';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { readHostTensor } from '../../src/checkpoint/safetensors.ts';
import { openTorchPickle } from '../../src/checkpoint/torchPickle.ts';
import { memoryStorage } from './memoryStorage.ts';

const folder = new URL('../../fixtures/checkpoint/torch/', import.meta.url);
const bytesOf = (name: string) => new Uint8Array(readFileSync(new URL(name, folder)));
const open = (bytes: Uint8Array) => openTorchPickle(memoryStorage({ f: bytes }), 'f');
const expected: Record<string, { shape: number[]; dtype: string; values: (number | boolean)[] }> = JSON.parse(
  readFileSync(new URL('expected.json', folder), 'utf8'),
);

/** A legacy file of the given main pickle, in Python's own pieces. */
function legacy(main: string, storages = ']'): Uint8Array {
  const head = Buffer.from('80028a0a6cfc9c46f9206aa850192e80024de9032e', 'hex');
  const system = Buffer.from('\x80\x02}X\x0d\x00\x00\x00little_endian\x88s.', 'latin1');
  return new Uint8Array(Buffer.concat([head, system, Buffer.from(`\x80\x02${main}.\x80\x02${storages}.`, 'latin1')]));
}

describe.each(['zip.pt', 'legacy.pt', 'protocol4.pt'])('%s, written by PyTorch', (name) => {
  it('gives every tensor: types, views, strides, ties, parameters', async () => {
    const tensors = await open(bytesOf(name));
    expect([...tensors.keys()]).toEqual(Object.keys(expected));
    for (const [key, tensor] of tensors) {
      const { shape, data } = await readHostTensor(tensor);
      expect(shape, key).toEqual(expected[key]!.shape);
      expect([...data], key).toEqual(
        expected[key]!.values.map(tensor.dtype === 'F64' ? (value) => Math.fround(Number(value)) : Number),
      );
    }
    expect(await tensors.get('tied')!.read('bytes')).toEqual(await tensors.get('f32')!.read('bytes'));
    expect(tensors.get('u16')!.dtype).toBe('U16');
  });

  it('gives any part of a tensor, whatever its strides', async () => {
    for (const [key, tensor] of await open(bytesOf(name))) {
      const whole = await tensor.read('bytes');
      const size = sizeOf(tensor.shape);
      const width = whole.length / Math.max(1, size);
      for (let start = 0; start < size; start++) {
        const part = await tensor.read('bytes', start, size - (start % 2));
        expect(part, key).toEqual(whole.slice(start * width, (size - (start % 2)) * width));
      }
    }
  });

  it('refuses every truncation', async () => {
    const bytes = bytesOf(name);
    for (let length = 0; length < bytes.length; length += 7) {
      await expect(open(bytes.slice(0, length)), `${length}`).rejects.toThrow(QkvError);
    }
  });
});

it('opens a checkpoint that holds its state dict under state_dict', async () => {
  expect([...(await open(bytesOf('wrapped.pt'))).keys()]).toEqual(['weight', 'bias']);
});

it('opens a folder of shards', async () => {
  const sharded = new URL('sharded/', folder);
  const files = Object.fromEntries(
    readdirSync(sharded).map((name) => [name, new Uint8Array(readFileSync(new URL(name, sharded)))]),
  );
  const { tensors } = await openCheckpoint(memoryStorage(files));
  expect([...tensors.keys()].sort()).toEqual(['a', 'b', 'c']);
  expect([...(await tensors.get('b')!.read('float32'))]).toEqual(
    [...(await tensors.get('a')!.read('float32'))].slice(0, 5),
  );
});

describe('hostile files', () => {
  const hostile: Record<string, string> = JSON.parse(readFileSync(new URL('hostile.json', folder), 'utf8'));
  it.each(Object.entries(hostile))('refuses %s by its name', async (name, base64) => {
    await expect(open(new Uint8Array(Buffer.from(base64, 'base64')))).rejects.toThrow(`the global "${name}"`);
  });

  const floats = (elements: string) =>
    `(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu${elements}NtQ`;
  const tensor = (storage: string, offset: string, size: string, stride: string) =>
    `}X\x01\x00\x00\x00xctorch._utils\n_rebuild_tensor_v2\n(${storage}${offset}${size}${stride}\x89}tRs`;
  it.each([
    [
      'a tensor beyond its storage',
      tensor(floats('K\x02'), 'K\x00', 'K\x03\x85', 'K\x01\x85'),
      'elements within storage',
    ],
    ['an offset beyond it', tensor(floats('K\x02'), 'K\x02', 'K\x01\x85', 'K\x01\x85'), 'elements within storage'],
    ['negative strides', tensor(floats('K\x02'), 'K\x01', 'K\x02\x85', 'J\xff\xff\xff\xff\x85'), 'an impossible place'],
    [
      'a huge tensor of one element',
      tensor(floats('K\x01'), 'K\x00', 'J\xff\xff\xff\x7f\x85', 'K\x00\x85'),
      "the file's",
    ],
    [
      'a storage of a type we do not know',
      '}X\x01\x00\x00\x00xctorch\nQInt8Storage\ns',
      'the global "torch.QInt8Storage"',
    ],
    ['a call of something that is no function', 'ctorch\nFloatStorage\n)R', 'a call of torch.FloatStorage'],
    ['INST', '(iposix\nsystem\n', 'operator 0x69'],
    ['EXT1', '\x82\x01', 'operator 0x82'],
    ['a memo that is empty', 'h\x07', 'memo 7'],
    ['a tuple at the top', ')', 'a tuple of 0'],
    // Values that are used again and again take memory beyond the file's.
    [
      'two dicts of one list',
      `]q\x01${'ccollections\nOrderedDict\nh\x01\x85R'.repeat(2)}`,
      'a call with (a list of 0)',
    ],
    [
      'a tensor of 65 dimensions',
      tensor(floats('K\x02'), 'K\x00', `(${'K\x01'.repeat(65)}t`, `(${'K\x01'.repeat(65)}t`),
      '65 dimensions',
    ],
    ['marks without an end', '('.repeat(2000), '1000 levels'],
  ])('refuses %s', async (_, main, message) => {
    const data = new Uint8Array(16);
    data[0] = main.includes('K\x01NtQ') ? 1 : 2;
    const file = legacy(main, main.includes('storage') ? ']X\x01\x00\x00\x000a' : ']');
    if (!main.includes('storage')) return expect(open(file)).rejects.toThrow(message);
    await expect(open(new Uint8Array([...file, ...data.slice(0, 8 + 4 * data[0])]))).rejects.toThrow(message);
  });

  it('refuses a zip whose directory lies', async () => {
    const bytes = bytesOf('zip.pt');
    const view = new DataView(bytes.buffer);
    const directory = view.getUint32(bytes.length - 6, true);
    const lie = (at: number, value: number) => {
      const copy = bytes.slice();
      new DataView(copy.buffer).setUint32(at, value, true);
      return open(copy);
    };
    await expect(lie(bytes.length - 6, 4)).rejects.toThrow(QkvError); // where the directory is
    await expect(lie(directory + 20, 0x7fffffff)).rejects.toThrow('content stored as it is');
    await expect(lie(directory + 42, 0x7fffffff)).rejects.toThrow('the directory');
    await expect(lie(directory + 42, 70)).rejects.toThrow(/no overlap|no header|in the midst/);
  });
});
