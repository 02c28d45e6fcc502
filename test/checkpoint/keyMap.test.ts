import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sizeOf } from '../../src/base/tensor.ts';
import { claimsOf, compileKeyMap, type DeclaredParam, type KeyMap, type KeyRule } from '../../src/checkpoint/keyMap.ts';
import { keyPattern } from '../../src/checkpoint/keyPattern.ts';
import { loadStrict } from '../../src/checkpoint/loadStrict.ts';
import {
  type OutgoingTensor,
  openSafetensors,
  type StoredTensor,
  safetensorsChunks,
} from '../../src/checkpoint/safetensors.ts';
import { toCheckpoint } from '../../src/checkpoint/toCheckpoint.ts';
import { gpt2Map, gpt2Params } from './gpt2Map.ts';
import { collect, memoryStorage } from './memoryStorage.ts';

const python = new Uint8Array(
  readFileSync(new URL('../../fixtures/checkpoint/gpt2/model.safetensors', import.meta.url)),
);
const params = gpt2Params(11, 8, 8, 2);

async function stored(bytes: Uint8Array): Promise<Map<string, StoredTensor>> {
  return new Map((await openSafetensors(memoryStorage({ f: bytes }), 'f')).tensors);
}
const written = async (tensors: readonly OutgoingTensor[]) => stored(await collect(safetensorsChunks(tensors)));
const floats = (name: string, shape: number[], fill = 0): OutgoingTensor => ({
  name,
  dtype: 'F32',
  shape,
  data: new Float32Array(sizeOf(shape)).fill(fill),
});
const valuesOf = (declared: readonly DeclaredParam[], data: ReadonlyMap<string, Float32Array>) =>
  declared.map((param) => ({ ...param, data: data.get(param.path)! }));

describe('a checkpoint that Python wrote', () => {
  it('loads with transposed and split tensors in their places', async () => {
    const tensors = await stored(python);
    const { data } = await loadStrict(gpt2Map, tensors, params);
    expect([...data.keys()].sort()).toEqual(params.map((param) => param.path).sort());
    const fused = await tensors.get('transformer.h.1.attn.c_attn.weight')!.read('float32'); // [8, 24]
    const up = await tensors.get('transformer.h.1.mlp.c_fc.weight')!.read('float32'); // [8, 32]
    for (let r = 0; r < 8; r++) {
      for (let c = 0; c < 8; c++) {
        expect(data.get('layers.1.key.weight')![r * 8 + c]).toBe(fused[r * 24 + 8 + c]);
        expect(data.get('layers.1.value.weight')![r * 8 + c]).toBe(fused[r * 24 + 16 + c]);
      }
      for (let c = 0; c < 32; c++) expect(data.get('layers.1.up.weight')![c * 8 + r]).toBe(up[r * 32 + c]);
    }
  });

  it('is saved again to the same bytes', async () => {
    const { data } = await loadStrict(gpt2Map, await stored(python), params);
    const again = await collect(safetensorsChunks(toCheckpoint(gpt2Map, valuesOf(params, data))));
    expect(Buffer.from(again).equals(python)).toBe(true);
  });

  it('loads without its base prefix', async () => {
    const bare = new Map([...(await stored(python))].map(([key, tensor]) => [key.replace('transformer.', ''), tensor]));
    const { data } = await loadStrict(gpt2Map, bare, params);
    expect(data).toEqual((await loadStrict(gpt2Map, await stored(python), params)).data);
  });

  it('loads where some keys have its base prefix and others lack it, but no key twice', async () => {
    const whole = await stored(python);
    const [first, ...others] = [...whole];
    const bare = others.map(([key, tensor]) => [key.replace('transformer.', ''), tensor] as const);
    const { data } = await loadStrict(gpt2Map, new Map([first!, ...bare]), params);
    expect(data).toEqual((await loadStrict(gpt2Map, whole, params)).data);
    const twice = new Map([...whole, [first![0].replace('transformer.', ''), first![1]]]);
    await expect(loadStrict(gpt2Map, twice, params)).rejects.toThrow('unexpected');
  });
});

describe('strictness', () => {
  it('lists everything that is wrong in one error', async () => {
    const tensors = await stored(python);
    for (const key of ['transformer.wpe.weight', 'transformer.h.0.ln_1.bias']) tensors.delete(key);
    const extra = await written([
      floats('transformer.h.2.ln_1.bias', [8]),
      floats('transformer.h.01.ln_1.bias', [8]),
      floats('score.weight', [2, 8]),
      floats('transformer.ln_f.bias', [9]),
      floats('transformer.h.1.mlp.c_fc.weight', [32, 8]),
      { name: 'transformer.ln_f.weight', dtype: 'I64', shape: [8], data: new Int32Array(8) },
    ]);
    for (const [key, tensor] of extra) tensors.set(key, tensor);
    await expect(loadStrict(gpt2Map, tensors, params)).rejects.toMatchObject({
      code: 'checkpoint',
      message: [
        'the checkpoint does not fit the model: 8 keys',
        '  mis-shaped transformer.h.1.mlp.c_fc.weight: got [32, 8], expected [8, 32] for layers.1.up.weight',
        '  mis-shaped transformer.ln_f.bias: got [9], expected [8] for norm.bias',
        '  mis-typed transformer.ln_f.weight: got I64, expected a float',
        '  missing transformer.h.0.ln_1.bias [8] for layers.0.norm.1.bias',
        '  missing transformer.wpe.weight [8, 8] for embed.position',
        '  unexpected score.weight [2, 8]',
        '  unexpected transformer.h.01.ln_1.bias [8]',
        '  unexpected transformer.h.2.ln_1.bias [8]',
      ].join('\n'),
    });
  });

  it('lets a tied key be absent, alone, or equal, and names it when it differs', async () => {
    const tensors = await stored(python);
    const token = tensors.get('transformer.wte.weight')!;
    const { data } = await loadStrict(gpt2Map, tensors, params);
    tensors.set('lm_head.weight', { ...token, name: 'lm_head.weight' });
    expect((await loadStrict(gpt2Map, tensors, params)).data).toEqual(data);
    tensors.delete('transformer.wte.weight');
    expect((await loadStrict(gpt2Map, tensors, params)).data).toEqual(data);
    tensors.set('transformer.wte.weight', token);
    const other = (await token.read('float32')).fill(-0, 5, 6);
    for (const [key, tensor] of await written([{ ...token, name: 'lm_head.weight', data: other }]))
      tensors.set(key, tensor);
    await expect(loadStrict(gpt2Map, tensors, params)).rejects.toThrow(
      /1 key\n {2}different values in \S+ and \S+, which the model ties/,
    );
  });

  it('says what it ignored and why', async () => {
    const tensors = await stored(python);
    for (const [key, tensor] of await written([floats('transformer.h.0.attn.bias', [1, 1, 8, 8])]))
      tensors.set(key, tensor);
    const { ignored } = await loadStrict(gpt2Map, tensors, params);
    expect(ignored).toEqual([
      { key: 'transformer.h.0.attn.bias', reason: 'the causal mask, which is built when needed' },
    ]);
  });

  it('fills an absent buffer with its constant, reads a present one, and always writes it', async () => {
    const map: KeyMap = { rules: [], buffers: [{ key: 'final_logits_bias', path: 'logits.bias', whenAbsent: 0.5 }] };
    const declared = [{ path: 'logits.bias', shape: [1, 3] }];
    const absent = await loadStrict(map, new Map(), declared);
    expect(absent.data.get('logits.bias')).toEqual(new Float32Array([0.5, 0.5, 0.5]));
    const present = await loadStrict(map, await written([floats('final_logits_bias', [1, 3], 2)]), declared);
    expect(present.data.get('logits.bias')).toEqual(new Float32Array([2, 2, 2]));
    const saved = toCheckpoint(map, valuesOf(declared, present.data));
    expect(saved).toMatchObject([{ name: 'final_logits_bias', shape: [1, 3], dtype: 'F32' }]);
  });
});

describe('a wrong key map', () => {
  const one = (rule: KeyRule): KeyMap => ({ rules: [rule] });
  it.each<[string, KeyMap, DeclaredParam[], string]>([
    [
      'no rule for a parameter',
      { rules: [] },
      [{ path: 'a', shape: [1] }],
      'parameter a: got 0 rules, expected exactly one',
    ],
    [
      'two rules',
      {
        rules: [
          { key: 'x', path: 'a' },
          { key: 'y', path: 'a' },
        ],
      },
      [{ path: 'a', shape: [1] }],
      'got 2 rules',
    ],
    [
      'one key for two parameters',
      {
        rules: [
          { key: 'x', path: 'a' },
          { key: 'x', path: 'b' },
        ],
      },
      [
        { path: 'a', shape: [1] },
        { path: 'b', shape: [1] },
      ],
      'x: expected one parameter for each place',
    ],
    [
      'a part that is not declared',
      one({ key: 'x', paths: ['a', 'b'], move: 'split', axis: 0 }),
      [{ path: 'a', shape: [1] }],
      'got none, expected a parameter b',
    ],
    [
      'parts that do not fit',
      one({ key: 'x', paths: ['a', 'b'], move: 'split', axis: 0 }),
      [
        { path: 'a', shape: [1, 2] },
        { path: 'b', shape: [1, 3] },
      ],
      'got [1, 2] [1, 3], expected parts that differ only along axis 0',
    ],
    [
      'a vector to transpose',
      one({ key: 'x', path: 'a', move: 'transpose' }),
      [{ path: 'a', shape: [1] }],
      'a matrix to transpose',
    ],
    ['different placeholders', one({ key: 'x.{i}', path: 'a.{j}' }), [], 'the same placeholders'],
    ['a repeated placeholder', one({ key: 'x.{i}.{i}', path: 'a.{i}' }), [], 'each word once'],
    ['an open brace', one({ key: 'x.{i', path: 'a' }), [], 'stands for an index'],
    ['an empty reason', { rules: [], ignore: [{ key: 'x', reason: ' ' }] }, [], 'a reason to ignore it'],
    [
      'a tie to indexes that it does not have',
      { rules: [], ties: [{ key: 'x', sameAs: 'y.{i}' }] },
      [],
      'every placeholder of y.{i}',
    ],
  ])('%s', (_, map, declared, message) => {
    expect(() => claimsOf(compileKeyMap(map), declared)).toThrow(message);
  });
});

it('patterns match whole names and plain integers only', () => {
  const pattern = keyPattern('h.{i}.a+b_{n}');
  expect(pattern.match('h.10.a+b_0')).toEqual({ i: '10', n: '0' });
  for (const name of [
    'h.10.a+b_0x',
    'xh.10.a+b_0',
    'h.1.aab_0',
    'h.01.a+b_0',
    'h.-1.a+b_0',
    'h..a+b_0',
    'hx1.a+b_0',
    'h.1.a+b_0\n',
  ]) {
    expect(pattern.match(name), name).toBeUndefined();
  }
  expect(pattern.expand({ i: '3', n: '4' })).toBe('h.3.a+b_4');
});

describe('saving after loading', () => {
  const dim = fc.integer({ min: 0, max: 70 }); // beyond the transposition's tile
  const rule = fc.oneof(
    fc.record({
      move: fc.constant('none' as const),
      shape: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }),
    }),
    fc.record({ move: fc.constant('transpose' as const), shape: fc.tuple(dim, dim) }),
    fc
      .record({
        rest: fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 3 }),
        parts: fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 4 }),
      })
      .chain(({ rest, parts }) =>
        fc.integer({ min: 0, max: rest.length }).map((axis) => ({ move: 'split' as const, rest, parts, axis })),
      ),
  );

  it('is the identity, bit for bit', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(rule, { maxLength: 6 }), fc.integer(), async (specs, seed) => {
        const rules: KeyRule[] = [];
        const declared: DeclaredParam[] = [];
        const tensors: OutgoingTensor[] = [];
        for (const [n, spec] of specs.entries()) {
          const key = `stored.{i}.t${n}`;
          let shape: number[];
          if (spec.move === 'split') {
            const { rest, parts, axis } = spec;
            rules.push({ key, move: 'split', axis, paths: parts.map((_, p) => `ours.{i}.t${n}.p${p}`) });
            for (const [p, size] of parts.entries()) {
              declared.push({ path: `ours.7.t${n}.p${p}`, shape: rest.toSpliced(axis, 0, size) });
            }
            shape = rest.toSpliced(
              axis,
              0,
              parts.reduce((a, b) => a + b, 0),
            );
          } else {
            rules.push({ key, move: spec.move, path: `ours.{i}.t${n}` });
            shape = [...spec.shape];
            declared.push({ path: `ours.7.t${n}`, shape: spec.move === 'transpose' ? shape.toReversed() : shape });
          }
          // Random words: subnormals, infinities and NaNs with payloads must survive.
          const words = Uint32Array.from(
            { length: sizeOf(shape) },
            (_, i) => Math.imul(i + 1 + n, seed | 1) ^ (i % 5 ? 0 : 0x7f800000),
          );
          tensors.push({ name: `stored.7.t${n}`, dtype: 'F32', shape, data: new Float32Array(words.buffer) });
        }
        const bytes = await collect(safetensorsChunks(tensors));
        const { data } = await loadStrict({ rules }, await stored(bytes), declared);
        const again = await collect(safetensorsChunks(toCheckpoint({ rules }, valuesOf(declared, data))));
        expect(Buffer.from(again).equals(bytes)).toBe(true);
      }),
      { numRuns: 150, seed: 5 },
    );
  });
});
