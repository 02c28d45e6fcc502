import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type GgmlTokenizer, ggmlJson } from '../../src/tokenizer/ggmlJson.ts';
import { parseSentencePieceModel, pieceTypes } from '../../src/tokenizer/sentencePieceModel.ts';
import { loadTokenizer } from '../../src/tokenizer/tokenizer.ts';

const models = new URL('../../fixtures/tokenizer/models/', import.meta.url);
const read = (file: string): Buffer => readFileSync(new URL(file, models));
const reference = (name: string) => JSON.parse(read(`${name}/reference.json`).toString());

const { pieces } = parseSentencePieceModel(new Uint8Array(read('llama/tokenizer.model')), 'model');
const llama: GgmlTokenizer = {
  model: 'llama',
  tokens: pieces.map(({ text }) => text),
  scores: pieces.map(({ score }) => score),
  types: pieces.map(({ type }) => pieceTypes.indexOf(type)),
};
const vocab = JSON.parse(read('gpt2/vocab.json').toString()) as Record<string, number>;
const tokens = Object.keys(vocab).sort((a, b) => vocab[a]! - vocab[b]!);
const gpt2: GgmlTokenizer = {
  model: 'gpt2',
  tokens,
  types: tokens.map((token) => (token === '<|endoftext|>' ? 3 : 1)),
  merges: read('gpt2/merges.txt').toString().trim().split('\n').slice(1),
};

describe('ggmlJson', () => {
  it.each([
    ['llama', llama],
    ['gpt2', gpt2],
  ])('makes of the lists of a GGUF file the tokenizer that they were taken from (%s)', (name, source) => {
    const { json, config } = ggmlJson(source);
    const tokenizer = loadTokenizer(json, config);
    const { texts, singles } = reference(name);
    const got = texts.map((text: string) => tokenizer.encode(text).ids);
    expect(got).toEqual(singles.map(({ ids }: { ids: number[] }) => ids));
  });

  it('cuts text before merging as the file says', () => {
    const pieces = (pre: string): string[] => {
      const { json, config } = ggmlJson({ ...gpt2, pre, merges: [] });
      return loadTokenizer(json, config).encodeWithOffsets("a 1234'S").words.map(String);
    };
    expect(pieces('gpt-2').join('')).toBe('0111112' + '3');
    expect(pieces('smollm').join('')).toBe('01234567');
    expect(pieces('llama-bpe').join('')).toBe('01222344');
  });

  it('puts bos and eos around where the file says so', () => {
    const options = { ...gpt2, bosId: vocab['<|endoftext|>']!, addBos: true };
    const tokenizer = loadTokenizer(ggmlJson(options).json, ggmlJson(options).config);
    expect(tokenizer.encode('a').tokens).toEqual(['<|endoftext|>', 'a']);
    expect(tokenizer.specialIds).toEqual({ bos: vocab['<|endoftext|>'] });
  });

  it('refuses a piece of which the cuts would take forever', () => {
    const tokens = [...llama.tokens.slice(0, -1), 'a'.repeat(1_000_000)];
    expect(() => ggmlJson({ ...llama, tokens })).toThrow(/a piece of 1000000 characters/);
  });

  it.each<[string, GgmlTokenizer]>([
    ['model', { ...gpt2, model: 'bert' }],
    ['scores', { ...llama, scores: [1] }],
    ['token_type', { ...llama, types: [1] }],
    ['token_type', { ...llama, types: llama.tokens.map(() => 9) }],
    ['pre', { ...gpt2, pre: 'unheard-of' }],
    ['bos_token_id', { ...gpt2, bosId: 1e6 }],
    ['add_bos_token', { ...gpt2, addBos: true }],
    ['tokens', { ...gpt2, tokens: [...tokens.slice(1), 'b'] }],
    ['merges: merge 1', { ...gpt2, merges: ['a'] }],
  ])('refuses by name: %s', (key, source) => {
    const parts = expect.objectContaining({ where: `tokenizer.ggml.${key}` });
    expect(() => ggmlJson(source)).toThrow(expect.objectContaining({ code: 'tokenizer', parts }));
  });
});
