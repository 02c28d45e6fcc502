import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { QkvError } from '../../src/base/errors.ts';
import {
  type OutgoingTensor,
  openSafetensors,
  readHostTensor,
  safetensorsChunks,
} from '../../src/checkpoint/safetensors.ts';
import { collect, memoryStorage } from './memoryStorage.ts';

const fixtures = new URL('../../fixtures/checkpoint/', import.meta.url);
const reference = new Uint8Array(readFileSync(new URL('dtypes.safetensors', fixtures)));
const expected: Record<string, { shape: number[]; values: string[] }> = JSON.parse(
  readFileSync(new URL('dtypes.json', fixtures), 'utf8'),
);
const text = { true: '1', false: '0', inf: 'Infinity', '-inf': '-Infinity' } as Record<string, string>;

const open = (bytes: Uint8Array) => openSafetensors(memoryStorage({ f: bytes }), 'f');

/** A file of a header as text and so many zero bytes. */
function file(header: string, dataBytes = 0, headerBytes = Buffer.byteLength(header)): Uint8Array {
  const bytes = Buffer.alloc(8 + Buffer.byteLength(header) + dataBytes);
  bytes.writeBigUInt64LE(BigInt(headerBytes));
  bytes.write(header, 8);
  return new Uint8Array(bytes);
}

describe('reading what Python wrote', () => {
  it('gives every type, name, shape and value', async () => {
    const { tensors, metadata } = await open(reference);
    expect([...tensors.keys()].sort()).toEqual(Object.keys(expected).sort());
    expect([...metadata]).toEqual([
      ['a', 'b'],
      ['format', 'pt'],
    ]);
    for (const [name, tensor] of tensors) {
      if (name === 'i64.wide') continue;
      const { shape, data } = await readHostTensor(tensor);
      const values = expected[name]!.values.map((value) => Number(text[value.toLowerCase()] ?? value));
      expect(shape, name).toEqual(expected[name]!.shape);
      expect([...data], name).toEqual(tensor.dtype === 'F64' ? values.map(Math.fround) : values);
    }
  });

  it('reads I64 as it is, and refuses it as int32 where it does not fit', async () => {
    const wide = (await open(reference)).tensors.get('i64.wide')!;
    expect([...(await wide.read('int64'))].map(String)).toEqual(expected['i64.wide']!.values);
    await expect(wide.read('int32')).rejects.toThrow(
      '"i64.wide": got 2147483648 at element 0, expected the range of int32',
    );
  });

  it('refuses a type that a tensor cannot be read as', async () => {
    const { tensors } = await open(reference);
    await expect(tensors.get('i64')!.read('float32')).rejects.toThrow(
      'got I64, expected F32, F16, BF16, F64 to read it as float32',
    );
    await expect(tensors.get('f32')!.read('int32')).rejects.toThrow(QkvError);
    await expect(tensors.get('u8')!.read('bool')).rejects.toThrow(QkvError);
  });

  it('refuses a finite F64 outside float32, and BOOL bytes other than 0 and 1', async () => {
    const big: OutgoingTensor = { name: 'x', dtype: 'F64', shape: [2], data: Float64Array.of(Number.NaN, 1e300) };
    const flag: OutgoingTensor = { name: 'b', dtype: 'BOOL', shape: [1], data: Uint8Array.of(2) };
    const { tensors } = await open(await collect(safetensorsChunks([big, flag])));
    await expect(tensors.get('x')!.read('float32')).rejects.toThrow('got 1e+300 at element 1');
    await expect(tensors.get('b')!.read('bool')).rejects.toThrow('got byte 2 at element 0');
  });
});

describe('writing', () => {
  it('gives the bytes that Python wrote, whatever the order of the tensors', async () => {
    const { tensors } = await open(reference);
    const outgoing: OutgoingTensor[] = [];
    for (const { name, dtype, shape, read } of tensors.values()) {
      const bytes = await read('bytes');
      const array = {
        F64: Float64Array,
        F32: Float32Array,
        F16: Uint16Array,
        BF16: Uint16Array,
        I64: BigInt64Array,
        I32: Int32Array,
        I16: Int16Array,
        I8: Int8Array,
        U64: BigUint64Array,
        U32: Uint32Array,
        U16: Uint16Array,
        U8: Uint8Array,
        BOOL: Uint8Array,
      }[dtype];
      outgoing.push({ name, dtype, shape, data: () => new array(bytes.buffer) });
    }
    const written = await collect(safetensorsChunks(outgoing.toReversed(), { format: 'pt', a: 'b' }));
    expect(Buffer.from(written).equals(reference)).toBe(true);
  });

  it('rounds to F16 and BF16 and widens to I64', async () => {
    const values = new Float32Array(3 << 20).fill(0.1); // more than one chunk
    const { tensors } = await open(
      await collect(
        safetensorsChunks([
          { name: 'h', dtype: 'F16', shape: [values.length], data: values },
          { name: 'b', dtype: 'BF16', shape: [values.length], data: values },
          { name: 'i', dtype: 'I64', shape: [2], data: Int32Array.of(-1, 7) },
        ]),
      ),
    );
    expect((await tensors.get('h')!.read('float32')).every((x) => x === 0.0999755859375)).toBe(true);
    expect((await tensors.get('b')!.read('float32')).every((x) => x === 0.10009765625)).toBe(true);
    expect([...(await tensors.get('i')!.read('int64'))]).toEqual([-1n, 7n]);
  });

  it('hands on views of the tensors, not copies', async () => {
    const data = new Float32Array(10);
    let last: Uint8Array | undefined;
    for await (const chunk of safetensorsChunks([{ name: 'x', dtype: 'F32', shape: [10], data }])) last = chunk;
    expect(last!.buffer).toBe(data.buffer);
  });

  it.each<[string, OutgoingTensor[], string]>([
    [
      'a wrong length',
      [{ name: 'x', dtype: 'F32', shape: [2], data: new Float32Array(3) }],
      'got 3 elements, expected 2',
    ],
    [
      'a wrong array',
      [{ name: 'x', dtype: 'F32', shape: [2], data: new Int32Array(2) }],
      'got Int32Array, expected Float32Array',
    ],
    ['equal names', [1, 2].map(() => ({ name: 'x', dtype: 'F32', shape: [1], data: new Float32Array(1) })), 'twice'],
    ['a reserved name', [{ name: '__metadata__', dtype: 'F32', shape: [1], data: new Float32Array(1) }], 'cannot hold'],
  ])('refuses %s', async (_, tensors, message) => {
    await expect(collect(safetensorsChunks(tensors))).rejects.toThrow(message);
  });
});

describe('damaged files', () => {
  const entry = '{"dtype":"F32","shape":[1],"data_offsets":[0,4]}';
  const second = '{"dtype":"F32","shape":[1],"data_offsets":[4,8]}';

  it.each<[string, Uint8Array, string]>([
    ['nothing', new Uint8Array(), 'got 0 bytes, expected at least 8'],
    ['a truncated length', new Uint8Array(7), 'got 7 bytes'],
    ['a header longer than the file', file('{}', 0, 3), 'a header of 3 bytes, expected at most 2'],
    ['an absurd header length', file('{}', 0, 2 ** 53), 'a header of 9007199254740992 bytes'],
    ['an empty header', file(''), 'got its end, expected "{"'],
    ['a header that is not JSON', file('hello'), 'expected "{"'],
    ['a header that is not UTF-8', Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0xff), 'not UTF-8'],
    ['a header that ends early', file('{"a":'), 'its end, expected "{"'],
    ['an open string', file('{"a'), 'expected a string'],
    ['half a character', file('{"\\ud800":1}'), 'whole characters'],
    ['something behind the object', file('{} x'), 'expected the end'],
    ['space before the object', file(' {}'), 'expected "{"'],
    ['a comma too many', file(`{"a":${entry},}`, 4), 'expected a string'],
    ['an array', file('[]'), 'expected "{"'],
    ['a tensor that is no object', file('{"a":1}'), 'expected "{"'],
    ['a dtype that is no string', file('{"a":{"dtype":1}}'), 'expected a string'],
    ['an unknown dtype', file('{"a":{"dtype":"F31"}}'), 'dtype "F31", expected one of'],
    ['a name from the prototype as dtype', file('{"a":{"dtype":"toString"}}'), 'dtype "toString"'],
    ['a shape that is no array', file('{"a":{"shape":1}}'), 'expected "["'],
    ['a float in a shape', file(`{"a":${entry.replace('[1]', '[1.0]')}}`, 4), 'expected an integer'],
    ['a negative dim', file('{"a":{"shape":[-1]}}'), 'expected an integer'],
    ['a dim beyond 2^53', file('{"a":{"shape":[9007199254740993]}}'), 'expected an integer'],
    ['an unknown field', file('{"a":{"color":1}}'), 'field "color"'],
    ['a missing field', file('{"a":{"dtype":"F32","shape":[]}}'), 'got no data_offsets'],
    ['one offset', file('{"a":{"dtype":"F32","shape":[],"data_offsets":[0]}}'), 'begin ≤ end'],
    ['offsets the wrong way round', file('{"a":{"dtype":"F32","shape":[],"data_offsets":[4,0]}}'), 'begin ≤ end'],
    ['a lying shape', file(`{"a":${entry.replace('[1]', '[2]')}}`, 4), '4 bytes, expected 8 for F32 of shape [2]'],
    [
      'a shape that overflows',
      file(`{"a":${entry.replace('[1]', `[${'9000000000000000,'.repeat(30)}1]`)}}`, 4),
      'got 4 bytes',
    ],
    ['equal names', file(`{"a":${entry},"a":${entry}}`, 4), 'the key "a" twice'],
    ['equal names, one escaped', file(`{"a":${entry},"\\u0061":${entry}}`, 4), 'the key "a" twice'],
    ['equal fields', file('{"a":{"dtype":"F32","dtype":"F32"}}'), 'the key "dtype" twice'],
    ['an overlap', file(`{"a":${entry},"b":${entry}}`, 4), 'overlaps'],
    ['a hole', file(`{"b":${second}}`, 8), 'leaves a hole'],
    ['bytes behind the data', file(`{"a":${entry}}`, 5), 'too long file: 5 bytes of data, expected 4'],
    ['a truncated file', file(`{"a":${entry}}`, 3), 'truncated file: 3 bytes'],
    ['metadata that is no object', file('{"__metadata__":null}'), 'expected "{"'],
    ['metadata that is no text', file('{"__metadata__":{"a":1}}'), 'expected a string'],
  ])('%s: one clear error', async (_, bytes, message) => {
    const error = await open(bytes).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(QkvError);
    expect(error).toMatchObject({ code: 'checkpoint', message: expect.stringContaining(message) });
  });

  it('takes padding, an empty header, names from the prototype, and empty tensors in one place', async () => {
    expect((await open(file('{}  \n'))).tensors.size).toBe(0);
    const empty = '{"dtype":"F32","shape":[0],"data_offsets":[0,0]}';
    const { tensors } = await open(file(`{"__proto__":${entry},"b":${empty}, "" :${empty}}`, 4));
    expect([...tensors.keys()].sort()).toEqual(['', '__proto__', 'b']);
  });
});
