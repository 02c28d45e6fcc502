import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { QkvError } from '../../src/base/errors.ts';
import { openGguf } from '../../src/checkpoint/gguf.ts';
import { readHostTensor } from '../../src/checkpoint/safetensors.ts';
import { gguf } from './ggufFile.ts';
import { memoryStorage } from './memoryStorage.ts';

const folder = new URL('../../fixtures/checkpoint/gguf/', import.meta.url);
const types = new Uint8Array(readFileSync(new URL('types.gguf', folder)));
const expected: Record<string, { shape: number[]; float32?: string; integers?: number[] }> = JSON.parse(
  readFileSync(new URL('expected.json', folder), 'utf8'),
);
const open = (bytes: Uint8Array) => openGguf(memoryStorage({ f: bytes }), 'f');

function floats(base64: string): number[] {
  const bytes = Uint8Array.from(Buffer.from(base64, 'base64'));
  return [...new Float32Array(bytes.buffer)];
}

describe('what the gguf package wrote', () => {
  it('has tensors of every type, bit for bit as dequantised there', async () => {
    const { tensors } = await open(types);
    expect([...tensors.keys()].sort()).toEqual(Object.keys(expected).sort());
    for (const [name, tensor] of tensors) {
      const { shape, float32, integers } = expected[name]!;
      const host = await readHostTensor(tensor);
      expect(host.shape, name).toEqual(shape);
      const values = float32 === undefined ? integers! : floats(float32);
      expect(
        host.data.every((value, i) => Object.is(value, values[i])),
        name,
      ).toBe(true);
    }
    for (const type of ['Q4_0', 'Q4_1', 'Q5_0', 'Q5_1', 'Q8_0', 'Q2_K', 'Q3_K', 'Q4_K', 'Q5_K', 'Q6_K']) {
      expect(tensors.has(type), type).toBe(true);
    }
  });

  it('gives any part of a tensor, in the midst of blocks too', async () => {
    const { tensors } = await open(types);
    for (const name of ['F16', 'Q5_0', 'Q3_K']) {
      const tensor = tensors.get(name)!;
      const whole = await tensor.read('float32');
      for (const [start, end] of [
        [1, 2],
        [7, 19],
        [0, whole.length],
        [whole.length - 3, whole.length],
        [5, 5],
      ] as const) {
        expect(await tensor.read('float32', start, end), `${name} ${start}`).toEqual(whole.slice(start, end));
      }
    }
  });

  it('has metadata of every type', async () => {
    const { metadata } = await open(types);
    const found = Object.fromEntries([...metadata].filter(([key]) => key.startsWith('test.')));
    expect(found).toEqual({
      'test.u8': 255,
      'test.i8': -128,
      'test.u16': 65535,
      'test.i16': -32768,
      'test.u32': 4294967295,
      'test.i32': -2147483648,
      'test.f32': Math.fround(0.1),
      'test.bool': true,
      'test.string': 'Grüße 你好',
      'test.u64': 2n ** 64n - 1n,
      'test.i64': -(2 ** 40),
      'test.f64': 0.1,
      'test.strings': ['a', '', '字'],
      'test.floats': [0.5, -1.5],
      'test.bools': [true, false],
    });
  });

  it('may be of version 2', async () => {
    const older = types.slice();
    older[4] = 2;
    expect((await open(older)).tensors.size).toBe(18);
  });

  it('is refused when truncated anywhere', async () => {
    for (let length = 0; length < types.length - 31; length += 11) {
      // it ends with padding
      await expect(open(types.slice(0, length)), `${length}`).rejects.toThrow(QkvError);
    }
  });
});

it('reads headers longer than the first part that is read', async () => {
  const values = Array.from({ length: 40_000 }, (_, i) => `token ${i}`);
  const { metadata } = await open(gguf.file([gguf.array('tokens', 'string', values)], []));
  expect(metadata.get('tokens')).toEqual(values);
});

describe('files that lie', () => {
  const key = (name: string, ...value: Buffer[]) => [Buffer.concat([gguf.text(name), ...value])];
  const one = (dims: readonly (number | bigint)[], type = 0, offset: number | bigint = 0) => [
    gguf.tensor('x', dims, type, offset),
  ];
  const data = new Uint8Array(64);
  it.each<[string, Uint8Array, string]>([
    ['other magic', new Uint8Array(100), 'expected "GGUF"'],
    ['version 1', gguf.file([], [], data, { version: 1 }), 'GGUF version 1'],
    ['a big-endian file', gguf.file([], [], data, { version: 0x03000000 }), 'a big-endian file'],
    ['impossibly many tensors', gguf.file([], [], data, { tensorCount: 2n ** 60n }), '1152921504606846976 tensors'],
    ['impossibly many keys', gguf.file([], [], data, { metadataCount: 10 }), '10 metadata'],
    ['a key longer than the file', gguf.file([gguf.u64(2 ** 40)], [], data), '1099511627776 bytes of text'],
    ['text that is not UTF-8', gguf.file([Buffer.concat([gguf.u64(1), gguf.u8(0xff)])], [], data), 'not UTF-8'],
    ['equal keys', gguf.file([gguf.int('a', 1), gguf.int('a', 1)], []), 'the key "a" twice'],
    ['an unknown type', gguf.file(key('a', gguf.u32(13)), [], data), 'the type 13'],
    ['arrays of arrays', gguf.file(key('a', gguf.u32(9), gguf.u32(9), gguf.u64(1)), [], data), 'an array of arrays'],
    [
      'an array longer than the file',
      gguf.file(key('a', gguf.u32(9), gguf.u32(5), gguf.u64(2 ** 50)), [], data),
      'elements of "a"',
    ],
    ['a bool of 2', gguf.file(key('a', gguf.u32(7), gguf.u8(2)), [], data), 'the bool 2'],
    ['an alignment of 12', gguf.file([gguf.int('general.alignment', 12)], []), 'a power of two'],
    ['an alignment of 0', gguf.file([gguf.int('general.alignment', 0)], []), 'a power of two'],
    ['5 dimensions', gguf.file([], one([1, 1, 1, 1, 1]), data), '5 dimensions'],
    ['a shape beyond 2^53', gguf.file([], one([2 ** 40, 2 ** 40]), data), 'fewer than 2^53'],
    ['a dim beyond 2^53', gguf.file([], one([2n ** 63n]), data), 'the number 9223372036854775808'],
    [
      'a type that is not read',
      gguf.file([], one([256], 16), data),
      'the type IQ2_XXS, expected one of F32, F16, Q4_0',
    ],
    ['a type that does not exist', gguf.file([], one([256], 99), data), 'the type 99'],
    ['a part of a block', gguf.file([], one([33], 8), data), 'rows of 33'],
    ['an odd offset', gguf.file([], one([1], 0, 4), data), 'a multiple of 32'],
    ['a tensor behind the file', gguf.file([], one([1], 0, 64), data), 'data that end 4 bytes behind'],
    ['a tensor longer than the file', gguf.file([], one([17]), data), 'data that end 4 bytes behind'],
    [
      'tensors that overlap',
      gguf.file([], [gguf.tensor('x', [16], 0, 0), gguf.tensor('y', [8], 0, 32)], data),
      'data from byte 32, in the tensor before it',
    ],
    [
      'equal tensors',
      gguf.file([], [gguf.tensor('x', [8], 0, 0), gguf.tensor('x', [8], 0, 32)], data),
      'the same twice',
    ],
  ])('refuses %s', async (_, bytes, message) => {
    const refused = expect(open(bytes)).rejects;
    await refused.toThrow(message);
    await refused.toBeInstanceOf(QkvError);
  });
});
