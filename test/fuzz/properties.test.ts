import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type StorageDType, sizeOf } from '../../src/base/tensor.ts';
import { openGguf } from '../../src/checkpoint/gguf.ts';
import { type OutgoingTensor, openSafetensors, safetensorsChunks } from '../../src/checkpoint/safetensors.ts';
import { gguf } from '../checkpoint/ggufFile.ts';
import { collect, memoryStorage } from '../checkpoint/memoryStorage.ts';
import { parsers } from './parsers.ts';
import { refusedOr } from './refusal.ts';

const names = Object.keys(parsers);

/** Gives a file's content to its parser, beside the sound files that it needs. */
async function parse(name: string, contentOf: (sound: Uint8Array) => Uint8Array): Promise<void> {
  const { seeds, codes, run } = parsers[name]!;
  const { file, files } = seeds[0]!;
  const storage = memoryStorage({ ...files, [file]: contentOf(files[file]!) });
  await refusedOr(codes, () => run(storage, file));
}

it.each(names)('%s refuses or reads any bytes, and any behind a begin of its own', async (name) => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.nat({ max: 300 }), async (bytes, length) => {
      await parse(name, () => bytes);
      await parse(name, (sound) => new Uint8Array([...sound.subarray(0, length), ...bytes]));
    }),
    { numRuns: 20 },
  );
});

it.each(names.filter((name) => parsers[name]!.seeds[0]!.file.endsWith('.json')))(
  '%s refuses or reads any JSON',
  async (name) => {
    await fc.assert(
      fc.asyncProperty(fc.json({ maxDepth: 4 }), (text) => parse(name, () => new TextEncoder().encode(text))),
      { numRuns: 30 },
    );
  },
);

const dtypes: readonly StorageDType[] = ['F32', 'I64', 'I32', 'U16', 'I8', 'BOOL'];
const arrays = {
  F32: Float32Array,
  I64: BigInt64Array,
  I32: Int32Array,
  U16: Uint16Array,
  I8: Int8Array,
  BOOL: Uint8Array,
};
const tensors = fc.uniqueArray(
  fc.record({
    name: fc.string({ unit: 'grapheme', maxLength: 20 }).filter((name) => name !== '__metadata__'),
    dtype: fc.constantFrom(...dtypes),
    shape: fc.array(fc.nat({ max: 4 }), { maxLength: 3 }),
    seed: fc.nat({ max: 255 }),
  }),
  { selector: ({ name }) => name, maxLength: 8 },
);

it('safetensors that are written are read as they were, and refused when cut anywhere', async () => {
  await fc.assert(
    fc.asyncProperty(tensors, fc.nat(), async (list, cut) => {
      const outgoing = list.map(({ name, dtype, shape, seed }): OutgoingTensor => {
        const data = new arrays[dtype as keyof typeof arrays](sizeOf(shape));
        new Uint8Array(data.buffer).fill(dtype === 'BOOL' ? seed % 2 : seed);
        return { name, dtype, shape, data };
      });
      const file = await collect(safetensorsChunks(outgoing));
      const read = await openSafetensors(memoryStorage({ f: file }), 'f');
      expect(read.tensors.size).toBe(outgoing.length);
      for (const { name, dtype, shape, data } of outgoing) {
        const tensor = read.tensors.get(name)!;
        expect({ dtype: tensor.dtype, shape: tensor.shape }).toEqual({ dtype, shape });
        expect(await tensor.read('bytes')).toEqual(new Uint8Array((data as Float32Array).buffer));
      }
      const length = cut % file.length;
      const whole = await refusedOr(['checkpoint'], () =>
        openSafetensors(memoryStorage({ f: file.slice(0, length) }), 'f'),
      );
      expect(whole).toBeUndefined();
    }),
    { numRuns: 100 },
  );
});

it('GGUF metadata are read as they were written', async () => {
  const keys = fc.string({ maxLength: 20 }).filter((key) => key !== 'general.alignment');
  const values = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.boolean(),
    fc.nat(),
    fc.array(fc.string(), { maxLength: 5 }),
  );
  await fc.assert(
    fc.asyncProperty(fc.dictionary(keys, values, { noNullPrototype: true }), async (metadata) => {
      const fields = Object.entries(metadata).map(([key, value]) => {
        if (Array.isArray(value)) return gguf.array(key, 'string', value);
        if (typeof value === 'string') return gguf.string(key, value);
        return typeof value === 'boolean' ? gguf.bool(key, value) : gguf.int(key, value);
      });
      const read = await openGguf(memoryStorage({ f: gguf.file(fields, []) }), 'f');
      expect([...read.metadata]).toEqual(Object.entries(metadata));
    }),
    { numRuns: 100 },
  );
});
