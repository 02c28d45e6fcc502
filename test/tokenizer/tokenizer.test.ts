import { describe, expect, it } from 'vitest';
import { loadTokenizer } from '../../src/tokenizer/tokenizer.ts';
import { trainBpe } from '../../src/tokenizer/trainBpe.ts';
import { expected, fixtureTokenizer, lines } from './fixtures.ts';

describe.each(['byte', 'word', 'char'] as const)('a %s vocabulary', (name) => {
  const tokenizer = loadTokenizer(fixtureTokenizer(name), { eos_token: '</s>', pad_token: { content: '<pad>' } });

  it("encodes and decodes as Python's tokenizers", () => {
    const encodings = lines.map((line) => tokenizer.encode(line));
    expect(encodings.map(({ ids }) => ids)).toEqual(expected[name].ids);
    expect(encodings.map(({ tokens }) => tokens.map((token) => tokenizer.tokenToId(token)))).toEqual(
      expected[name].ids,
    );
    expect(encodings.map(({ ids }) => tokenizer.decode(ids, { skipSpecialTokens: true }))).toEqual(
      expected[name].decoded,
    );
  });

  it('streams the text that decoding gives, in whole characters', () => {
    for (const { ids } of lines.map((line) => tokenizer.encode(line))) {
      const stream = tokenizer.createStreamDecoder({ skipSpecialTokens: true });
      const pieces = ids.map((id) => stream.push(id));
      for (const piece of pieces) expect(piece.isWellFormed()).toBe(true);
      expect(pieces.join('') + stream.end()).toBe(tokenizer.decode(ids, { skipSpecialTokens: true }));
    }
  });

  it('cuts to a length that counts the special tokens', () => {
    const whole = tokenizer.encode('Hello world, hello').ids;
    const content = whole.slice(0, -1);
    expect(whole.at(-1)).toBe(tokenizer.specialIds.eos);
    expect(tokenizer.encode('Hello world, hello', { maxLength: whole.length })).toEqual(
      tokenizer.encode('Hello world, hello'),
    );
    expect(tokenizer.encode('Hello world, hello', { maxLength: 4 }).ids).toEqual([
      ...content.slice(0, 3),
      whole.at(-1),
    ]);
    expect(tokenizer.encode('Hello world, hello', { maxLength: 4, addSpecialTokens: false }).ids).toEqual(
      content.slice(0, 4),
    );
    expect(tokenizer.encode('Hello world, hello', { addSpecialTokens: false }).ids).toEqual(content);
    expect(() => tokenizer.encode('Hello', { maxLength: 0 })).toThrow(expect.objectContaining({ code: 'usage' }));
  });

  it('knows its tokens', () => {
    expect(tokenizer.specialIds).toEqual(name === 'byte' ? { eos: 0, pad: 2 } : { eos: 0, unk: 1, pad: 2 });
    expect(tokenizer.vocabSize).toBe(Object.keys(fixtureTokenizer(name).model.vocab).length);
    expect(tokenizer.idToToken(2)).toBe('<pad>');
    expect(tokenizer.tokenToId('<pad>')).toBe(2);
    expect(tokenizer.tokenToId('no such token')).toBeUndefined();
    expect(tokenizer.idToToken(tokenizer.vocabSize)).toBeUndefined();
    expect(tokenizer.decode([])).toBe('');
    expect(() => tokenizer.decode([tokenizer.vocabSize])).toThrow(expect.objectContaining({ code: 'tokenizer' }));
  });
});

describe('StreamDecoder', () => {
  const bytes = loadTokenizer(trainBpe(['x'], { kind: 'byte', vocabSize: 256 }));

  it('gives a character with the last of its bytes', () => {
    const stream = bytes.createStreamDecoder();
    expect(bytes.encode('é我👍!').ids.map((id) => stream.push(id))).toEqual([
      '',
      'é',
      '',
      '',
      '我',
      '',
      '',
      '',
      '👍',
      '!',
    ]);
    expect(stream.end()).toBe('');
  });

  it('gives U+FFFD for bytes that can no longer make a character, as decoding does, and is ready for more', () => {
    const stream = bytes.createStreamDecoder();
    const [, ...broken] = bytes.encode('我').ids;
    const ids = [...broken, ...bytes.encode('a').ids, bytes.encode('👍').ids[0]!];
    expect(ids.map((id) => stream.push(id))).toEqual(['', '\ufffd', '\ufffda', '']);
    expect(stream.end()).toBe('\ufffd');
    expect(bytes.decode(ids)).toBe('\ufffd\ufffda\ufffd');
    expect(bytes.encode('ok').ids.map((id) => stream.push(id))).toEqual(['o', 'k']);
  });

  it('keeps the spaces between words that a decoder takes from the first', () => {
    const json = trainBpe(['ab ab ab'], { kind: 'word', vocabSize: 6, specialTokens: ['?'], unk: '?' });
    const words = loadTokenizer(json);
    const stream = words.createStreamDecoder();
    expect(words.encode('ab ab ab').ids.map((id) => stream.push(id))).toEqual(['ab', ' ab', ' ab']);
  });
});

describe('loadTokenizer', () => {
  const json = fixtureTokenizer('byte');

  it.each<[string, unknown, unknown]>([
    ['tokenizer.json: model', { vocab: {} }, {}],
    ['tokenizer.json', { ...json, pre_tokenizer: { type: 'Unheard' } }, {}],
    ['tokenizer.json', [], {}],
    ['tokenizer.json: model.vocab', { ...json, model: { ...json.model, vocab: null } }, {}],
    ['tokenizer.json: model.vocab: "a"', { ...json, model: { ...json.model, vocab: { a: 2 ** 40 } } }, {}],
    ['tokenizer.json: model.vocab[0]', { ...json, model: { type: 'Unigram', vocab: [['a']] } }, {}],
    ['tokenizer.json: model.unk_id', { ...json, model: { type: 'Unigram', vocab: [['a', 0]], unk_id: 1 } }, {}],
    ['tokenizer.json: model.merges[0]', { ...json, model: { ...json.model, merges: ['a b c'] } }, {}],
    ['tokenizer.json: model.merges[0]', { ...json, model: { ...json.model, merges: [' '.repeat(1_000_000)] } }, {}],
    ['tokenizer.json: normalizer.pattern', { ...json, normalizer: { type: 'Replace', pattern: {}, content: '' } }, {}],
    [
      'tokenizer.json: post_processor',
      { ...json, post_processor: { type: 'BertProcessing', sep: ['[SEP]', 1], cls: ['[CLS]', 2] } },
      {},
    ],
    ['tokenizer.json: model.dropout', { ...json, model: { ...json.model, dropout: 0.1 } }, {}],
    ['tokenizer.json: added_tokens', { ...json, added_tokens: [{ ...json.added_tokens[0], single_word: true }] }, {}],
    [
      'tokenizer.json: normalizer.precompiled_charsmap',
      { ...json, normalizer: { type: 'Precompiled', precompiled_charsmap: 'AAAA' } },
      {},
    ],
    ['tokenizer_config.json: bos_token', json, { bos_token: '<s>' }],
  ])('refuses what it would encode wrongly: %s', (where, file, config) => {
    expect(() => loadTokenizer(file, config)).toThrow(
      expect.objectContaining({ code: 'tokenizer', parts: expect.objectContaining({ where }) }),
    );
  });

  it('refuses a character that the vocabulary can neither hold nor mark as unknown, instead of dropping it', () => {
    const chars = loadTokenizer(trainBpe(['abc'], { kind: 'char' }));
    expect(chars.encode('cab').ids).toEqual([2, 0, 1]);
    expect(() => chars.encode('cat')).toThrow(/"t"/);
  });
});
