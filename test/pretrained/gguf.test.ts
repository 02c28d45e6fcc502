import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { QkvError } from '../../src/base/errors.ts';
import { type HostTensor, int32 } from '../../src/base/tensor.ts';
import { openGguf } from '../../src/checkpoint/gguf.ts';
import { llamaFromGguf } from '../../src/models/llamaGguf.ts';
import { Trace } from '../../src/nn/scope.ts';
import { input } from '../../src/ops/leaf.ts';
import { openModel } from '../../src/pretrained/openModel.node.ts';
import { loadPretrained } from '../../src/pretrained/pretrained.ts';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';
import { gguf } from '../checkpoint/ggufFile.ts';
import { memoryStorage } from '../checkpoint/memoryStorage.ts';

const folder = new URL('../../fixtures/checkpoint/gguf/', import.meta.url);
const bytes = new Uint8Array(readFileSync(new URL('llama.gguf', folder)));
const expected: { ids: number[]; logits: string; llama3Divisors: number[] } = JSON.parse(
  readFileSync(new URL('llama.json', folder), 'utf8'),
);

describe('a Llama in a GGUF file', () => {
  it('gives the logits of transformers', async () => {
    const { model, arena } = await openModel(new URL('llama.gguf', folder).pathname);
    if (model.kind !== 'causal') throw new Error(model.kind);
    await using runtime = await createNodeRuntime();
    const trace = new Trace();
    const { rows } = model.forward(trace.root, { ids: input('ids', 'int32', [1, expected.ids.length]) });
    const program = await runtime.compile(trace.graph({ logits: model.logits(trace.root, rows) }));
    const feeds: Record<string, HostTensor> = { ...arena.tensors, ids: int32([1, expected.ids.length], expected.ids) };
    const needed = Object.fromEntries(program.feeds.map((feed) => [feed, feeds[feed]!]));
    const [outputs] = await runtime.run([{ program, feeds: needed }]);
    const logits = outputs!['logits']!.data;
    const reference = new Float32Array(Uint8Array.from(Buffer.from(expected.logits, 'base64')).buffer);
    expect(logits.length).toBe(reference.length);
    const largest = reference.reduce((max, x) => Math.max(max, Math.abs(x)), 0);
    const difference = reference.reduce((max, x, i) => Math.max(max, Math.abs(x - logits[i]!)), 0);
    expect(difference).toBeLessThan(5e-6 * largest);
  });

  it('has config, tokenizer, chat template and generation config', async () => {
    const opened = await loadPretrained(memoryStorage({ 'any.gguf': bytes, 'README.md': new Uint8Array(1) }));
    expect(opened.model.config).toEqual({
      architectures: ['LlamaForCausalLM'],
      model_type: 'llama',
      vocab_size: 276,
      hidden_size: 64,
      intermediate_size: 96,
      num_hidden_layers: 2,
      num_attention_heads: 4,
      num_key_value_heads: 2,
      head_dim: 16,
      hidden_act: 'silu',
      max_position_embeddings: 128,
      rms_norm_eps: 1e-5,
      rope_theta: 5000,
      attention_bias: false,
      mlp_bias: false,
      tie_word_embeddings: false,
      bos_token_id: 1,
      eos_token_id: 2,
      pad_token_id: null,
    });
    expect(opened.generationConfig).toEqual({ bos_token_id: 1, eos_token_id: 2, pad_token_id: null });
    expect(opened.tokenizerConfig).toMatchObject({
      bos_token: '<s>',
      chat_template: expect.stringContaining('messages'),
    });
    const { tokens } = opened.tokenizer!.encode('the tan');
    expect(tokens).toEqual(['<s>', '▁the', '▁', 't', 'an']);
    expect(opened.tokenizer!.decode(opened.tokenizer!.encode('the tän').ids, { skipSpecialTokens: true })).toBe(
      'the tän',
    );
  });

  it('is not looked for in a folder with two of them, or beside a config', async () => {
    await expect(loadPretrained(memoryStorage({ 'a.gguf': bytes, 'b.gguf': bytes }))).rejects.toThrow(
      'got a.gguf, b.gguf, expected one of them',
    );
    const { model } = await loadPretrained(memoryStorage({ 'a.gguf': bytes, 'b.gguf': bytes }), { gguf: 'b.gguf' });
    expect(model.family).toBe('llama');
  });
});

describe('metadata', () => {
  const values = {
    'general.architecture': 'llama',
    'llama.context_length': 32,
    'llama.embedding_length': 256,
    'llama.block_count': 1,
    'llama.feed_forward_length': 8,
    'llama.attention.head_count': 4,
    'llama.vocab_size': 5,
  };
  const file = (more: Readonly<Record<string, string | number | boolean>>, divisors?: readonly number[]) => {
    const fields = Object.entries({ ...values, ...more }).map(([key, value]) => {
      if (typeof value === 'string') return gguf.string(key, value);
      if (typeof value === 'boolean') return gguf.bool(key, value);
      return /freq_base|factor|scale_linear/.test(key) ? gguf.float(key, value) : gguf.int(key, value);
    });
    fields.push(gguf.float('llama.attention.layer_norm_rms_epsilon', 1e-6));
    const tensors = divisors ? [gguf.tensor('rope_freqs.weight', [divisors.length], 0, 0)] : [];
    return memoryStorage({ f: gguf.file(fields, tensors, new Uint8Array(Float32Array.from(divisors ?? []).buffer)) });
  };
  const configOf = async (...args: Parameters<typeof file>) =>
    (await llamaFromGguf(await openGguf(file(...args), 'f'), 'f')).config;

  it('has defaults: as many keys as queries, no scaling, tied without an output', async () => {
    const config = await configOf({});
    expect(config).toMatchObject({
      num_key_value_heads: 4,
      rope_theta: 10000,
      rms_norm_eps: 1e-6,
      tie_word_embeddings: true,
    });
    expect(config).not.toHaveProperty('rope_scaling');
  });

  it('says linear scaling in two ways', async () => {
    const linear = { rope_scaling: { rope_type: 'linear', factor: 2.5 } };
    expect(await configOf({ 'llama.rope.scaling.type': 'linear', 'llama.rope.scaling.factor': 2.5 })).toMatchObject(
      linear,
    );
    expect(await configOf({ 'llama.rope.scale_linear': 2.5 })).toMatchObject(linear);
  });

  it('has the scaling of Llama 3 as divisors of the frequencies', async () => {
    const base = { 'llama.rope.freq_base': 500000 };
    expect((await configOf(base, expected.llama3Divisors))['rope_scaling']).toEqual({
      rope_type: 'llama3',
      factor: 32,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 8192,
    });
    expect(
      await configOf(
        base,
        expected.llama3Divisors.map(() => 1),
      ),
    ).not.toHaveProperty('rope_scaling');
    const other = expected.llama3Divisors.map((divisor, i) => divisor * (i === 12 ? 1.01 : 1));
    await expect(configOf(base, other)).rejects.toThrow('those of Llama 3.1 to 3.3');
    await expect(configOf(base, expected.llama3Divisors.slice(1))).rejects.toThrow('those of Llama 3.1 to 3.3');
  });

  it.each<[string, Readonly<Record<string, string | number | boolean>>, string]>([
    ['another architecture', { 'general.architecture': 'qwen2' }, 'got "qwen2", expected one of llama'],
    ['several files', { 'split.count': 2 }, 'split.count: got 2'],
    ['experts', { 'llama.expert_count': 8 }, 'experts'],
    ['scaling by YaRN', { 'llama.rope.scaling.type': 'yarn' }, 'got "yarn", expected one of none, linear'],
    ['heads that rotate in part', { 'llama.rope.dimension_count': 32, 'llama.attention.key_length': 64 }, 'got 32'],
    ['values of another width', { 'llama.attention.value_length': 32 }, 'value_length: got 32'],
    ['a key that is not known', { 'llama.attention.sliding_window': 9 }, 'llama.attention.sliding_window: got 9'],
    ['millions of layers', { 'llama.block_count': 4e6 }, 'got 4000000, expected a whole number from 1 to 4096'],
    ['a count of the wrong type', { 'llama.block_count': 'two' }, 'llama.block_count: got "two"'],
    ['a width that heads do not divide', { 'llama.attention.head_count': 3 }, 'llama.rope.dimension_count: got 85.3'],
  ])('refuses %s', async (_, more, message) => {
    const refused = expect(configOf(more)).rejects;
    await refused.toThrow(message);
    await refused.toBeInstanceOf(QkvError);
  });

  it('that ask for more than the file holds are refused before memory is set aside', async () => {
    const loading = loadPretrained(file({ 'llama.vocab_size': 2 ** 31 }), { gguf: 'f' });
    await expect(loading).rejects.toThrow('missing model.embed_tokens.weight [2147483648, 256]');
  });

  it('and tensors that do not fit the model are refused by their names', async () => {
    await expect(loadPretrained(file({}, [1]), { gguf: 'f' })).rejects.toThrow(/missing model\.embed_tokens\.weight/);
    await expect(loadPretrained(file({ 'tokenizer.ggml.model': 'bert' }), { gguf: 'f' })).rejects.toThrow(QkvError);
  });
});
