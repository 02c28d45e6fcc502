import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { QkvError } from '../../src/base/errors.ts';
import { generationDefaults } from '../../src/pretrained/generationDefaults.ts';
import { loadPretrained } from '../../src/pretrained/pretrained.ts';
import { gguf } from '../checkpoint/ggufFile.ts';
import { memoryStorage } from '../checkpoint/memoryStorage.ts';

const fixtures = new URL('../../fixtures/checkpoint/', import.meta.url);
const bytesOf = (path: string) => new Uint8Array(readFileSync(new URL(path, fixtures)));
const json = (value: unknown) => new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));
const hostile: Record<string, string> = JSON.parse(Buffer.from(bytesOf('torch/hostile.json')).toString('utf8'));

const weights = bytesOf('gpt2/model.safetensors');
const config: Record<string, unknown> = JSON.parse(Buffer.from(bytesOf('gpt2/config.json')).toString('utf8'));
const headerBytes = Number(new DataView(weights.buffer).getBigUint64(0, true));
const header: Record<string, { shape?: number[]; data_offsets?: [number, number] }> = JSON.parse(
  Buffer.from(weights.subarray(8, 8 + headerBytes)).toString('utf8'),
);
const tensor = 'transformer.h.0.ln_1.bias';

/** The weights with another header, which may lie about their data. */
function withHeader(change: (copy: typeof header) => void): Uint8Array {
  const copy = structuredClone(header);
  change(copy);
  const text = json(copy);
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(text.length));
  return new Uint8Array(Buffer.concat([prefix, text, weights.subarray(8 + headerBytes)]));
}

function headerLength(value: bigint): Uint8Array {
  const copy = weights.slice();
  new DataView(copy.buffer).setBigUint64(0, value, true);
  return copy;
}

type Files = Readonly<Record<string, Uint8Array | undefined>>;
const pickle = (bytes: Uint8Array): Files => ({ 'model.safetensors': undefined, 'pytorch_model.bin': bytes });
const index = (map: unknown): Files => ({
  'model.safetensors': undefined,
  'model.safetensors.index.json': json({ weight_map: map }),
});
const only = (file: string, bytes: Uint8Array): Files => ({
  'model.safetensors': undefined,
  'config.json': undefined,
  [file]: bytes,
});
const configured = (changes: object): Files => ({ 'config.json': json({ ...config, ...changes }) });
const deep = `{"model_type":"gpt2","eos_token_id":${'['.repeat(50_000)}${']'.repeat(50_000)}}`;

/** What is changed in a sound GPT-2, and the error: its code, and what its message must hold: file, got, expected. */
const cases: readonly [string, Files, string, ...string[]][] = [
  [
    'truncated weights',
    { 'model.safetensors': weights.slice(0, -4) },
    'checkpoint',
    'model.safetensors: got a truncated file',
    'as the header says',
  ],
  [
    'weights with more behind them',
    { 'model.safetensors': new Uint8Array([...weights, 0, 0]) },
    'checkpoint',
    'model.safetensors: got a too long file',
    'as the header says',
  ],
  [
    'a header beyond the file',
    { 'model.safetensors': headerLength(2n ** 40n) },
    'checkpoint',
    'model.safetensors: got a header of 1099511627776 bytes',
    'expected at most',
  ],
  [
    'tensors that overlap',
    {
      'model.safetensors': withHeader((copy) => {
        const [begin, end] = copy[tensor]!.data_offsets!;
        copy[tensor]!.data_offsets = [begin - 4, end - 4];
      }),
    },
    'checkpoint',
    `model.safetensors: tensor "${tensor}": got data from byte`,
    'overlaps',
    'expected byte',
  ],
  [
    'a shape that lies',
    { 'model.safetensors': withHeader((copy) => (copy[tensor]!.shape = [2 ** 40, 2 ** 10])) },
    'checkpoint',
    `model.safetensors: tensor "${tensor}": got 32 bytes`,
    'for F32 of shape [1099511627776, 1024]',
  ],
  [
    'a shard elsewhere',
    index({ [tensor]: '../model.safetensors' }),
    'checkpoint',
    'model.safetensors.index.json',
    'got "../model.safetensors"',
    'in the folder',
  ],
  [
    'a shard that is no name',
    index({ [tensor]: ['model.safetensors'] }),
    'checkpoint',
    'model.safetensors.index.json',
    'got ["model.safetensors"]',
    'in the folder',
  ],
  [
    'a pickle that calls os.system',
    pickle(new Uint8Array(Buffer.from(hostile['posix.system']!, 'base64'))),
    'checkpoint',
    'pytorch_model.bin: pickle',
    'got the global "posix.system"',
    'expected globals that tensors need',
  ],
  [
    'a GGUF with impossible counts',
    only('m.gguf', gguf.file([], [], new Uint8Array(64), { tensorCount: 2n ** 60n })),
    'checkpoint',
    'm.gguf: header',
    'got 1152921504606846976 tensors',
    'expected at most',
  ],
  [
    'a GGUF with an impossible length',
    only('m.gguf', gguf.file([gguf.u64(2 ** 40)], [], new Uint8Array(64))),
    'checkpoint',
    'm.gguf: header',
    'got 1099511627776 bytes of text',
    'expected at most',
  ],
  [
    'a config that is a list',
    { 'config.json': json([1]) },
    'checkpoint',
    'config.json: got an array',
    'expected a JSON object',
  ],
  [
    'a config that is no JSON',
    { 'config.json': json('{"model_type": gpt2}') },
    'checkpoint',
    'config.json: got',
    'expected JSON text',
  ],
  [
    'a generation config that is a number',
    { 'generation_config.json': json(3) },
    'checkpoint',
    'generation_config.json: got a number',
    'expected a JSON object',
  ],
  [
    'a tokenizer that is a list',
    { 'tokenizer.json': json([1]) },
    'tokenizer',
    'tokenizer.json: got [1]',
    'expected an object',
  ],
  [
    'a tokenizer config that is text',
    { 'tokenizer.json': json({}), 'tokenizer_config.json': json('"x"') },
    'tokenizer',
    'tokenizer_config.json: got "x"',
    'expected a JSON object',
  ],
  [
    'a field of another type',
    configured({ n_layer: '2' }),
    'config',
    'config.json: n_layer: got "2"',
    'expected a whole number from 1 to 4096',
  ],
  [
    'a field nested beyond all bounds',
    { 'config.json': json(deep) },
    'config',
    'config.json: eos_token_id: got a value nested too deeply',
    'expected a token id',
  ],
  [
    'a family that does not exist',
    configured({ model_type: 'martian' }),
    'config',
    'config.json: model_type: got "martian"',
    'expected one of',
  ],
  [
    'a family by the name of a method',
    configured({ model_type: 'toString' }),
    'config',
    'config.json: model_type: got "toString"',
    'expected one of',
  ],
  [
    'more layers than any model has',
    configured({ n_layer: 2 ** 31 }),
    'config',
    'config.json: n_layer: got 2147483648',
    'expected a whole number from 1 to 4096',
  ],
  [
    'weights that are missing',
    configured({ n_layer: 3 }),
    'checkpoint',
    '12 keys',
    'missing transformer.h.2.attn.c_attn.weight [8, 24]',
  ],
  [
    'weights that are left over',
    configured({ n_layer: 1 }),
    'checkpoint',
    '12 keys',
    'unexpected transformer.h.1.attn.c_attn.weight [8, 24]',
  ],
  [
    'weights of another shape',
    configured({ n_embd: 10 }),
    'checkpoint',
    'mis-shaped transformer.ln_f.bias: got [8], expected [10]',
  ],
  [
    'weights beyond all memory',
    configured({ vocab_size: 2 ** 50 }),
    'checkpoint',
    'mis-shaped transformer.wte.weight',
    'expected [1125899906842624, 8]',
  ],
];

describe('a model folder that is refused by one error', () => {
  it.each(cases)('%s', async (_, files, code, ...words) => {
    const sound = { 'config.json': bytesOf('gpt2/config.json'), 'model.safetensors': weights };
    const present = Object.entries({ ...sound, ...files }).filter(([, bytes]) => bytes !== undefined);
    const error: unknown = await loadPretrained(
      memoryStorage(Object.fromEntries(present) as Record<string, Uint8Array>),
    ).then(
      () => 'it was opened',
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(QkvError);
    expect(error).toMatchObject({ code });
    for (const word of words) expect((error as QkvError).message).toContain(word);
  });

  it('is sound without the change', async () => {
    const { model, arena } = await loadPretrained(
      memoryStorage({ 'config.json': bytesOf('gpt2/config.json'), 'model.safetensors': weights }),
    );
    expect(arena.placements.length).toBe(36);
    const refused = () => generationDefaults(model, { eos_token_id: { id: 3 } });
    expect(refused).toThrow(
      'generation_config.json: eos_token_id: got {"id":3}, expected a token id, or a list of them',
    );
  });
});
