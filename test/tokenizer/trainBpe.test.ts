import { describe, expect, it } from 'vitest';
import { trainings } from '../../fixtures/tokenizer/trainings.ts';
import { loadTokenizer } from '../../src/tokenizer/tokenizer.ts';
import { type TrainBpeOptions, trainBpe } from '../../src/tokenizer/trainBpe.ts';
import { fixtureText, fixtureTokenizer, lines, tinyShakespeare } from './fixtures.ts';

describe('trainBpe', () => {
  it('gives the reference vocabulary and merges of CS336, ids included', () => {
    const json = trainBpe([fixtureText('corpus.en')], {
      kind: 'byte',
      vocabSize: 500,
      specialTokens: ['<|endoftext|>'],
    });
    expect(json.model.vocab).toEqual(JSON.parse(fixtureText('train-bpe-reference-vocab.json')));
    const merges = fixtureText('train-bpe-reference-merges.txt').trimEnd().split('\n');
    expect(json.model.merges.map((pair) => pair.join(' '))).toEqual(merges);
  });

  it.each(['byte', 'word', 'char'] as const)(
    'gives the vocabulary that the ids of Python were made with: %s',
    (name) => {
      const texts = [...fixtureText('corpus.en').split('\n'), ...lines];
      expect(trainBpe(texts, trainings[name])).toEqual(fixtureTokenizer(name));
    },
  );

  it('leaves special tokens out of what it learns, the longest first', () => {
    const json = trainBpe(['ab<s>ab<s>>ab'], { kind: 'byte', vocabSize: 259, specialTokens: ['<s>', '<s>>'] });
    expect(json.model.merges).toEqual([['a', 'b']]);
    expect(json.model.vocab).toMatchObject({ '<s>': 0, '<s>>': 1, ab: 258 });
  });

  it('never merges across words, and ends early where pairs run out', () => {
    const json = trainBpe(['ab ab', '我们ab12'], { kind: 'word', vocabSize: 100, specialTokens: ['?'], unk: '?' });
    expect(json.model.merges).toEqual([
      ['a', 'b'],
      ['▁', 'ab'],
      ['我', '们'],
      ['▁', '我们'],
      ['1', '2'],
    ]);
  });

  it('merges whole characters in the order of their code points, beyond the first plane too', () => {
    // In UTF-16 code units U+1F600 begins with D83D and would come before U+FF5E.
    const json = trainBpe(['\u{1f600}', '\uff5e'], { kind: 'word', vocabSize: 6, specialTokens: ['?'], unk: '?' });
    expect(Object.keys(json.model.vocab)).toEqual(['?', '▁', '\uff5e', '\u{1f600}', '▁\u{1f600}', '▁\uff5e']);
  });

  it('keeps the most frequent characters, and those that come often enough', () => {
    const options = { kind: 'char', specialTokens: ['?'], unk: '?' } as const;
    const vocab = (more: Partial<TrainBpeOptions>): string[] =>
      Object.keys(trainBpe(['cccabbdd'], { ...options, ...more }).model.vocab);
    expect(vocab({ limitAlphabet: 2 })).toEqual(['?', 'b', 'c']);
    expect(vocab({ minFrequency: 2 })).toEqual(['?', 'b', 'c', 'd']);
  });

  it("gives nanoGPT's characters of tiny Shakespeare, which come back as they were", () => {
    const json = trainBpe([tinyShakespeare], { kind: 'char' });
    const chars = "\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    expect(json.model.vocab).toEqual(Object.fromEntries([...chars].map((char, id) => [char, id])));
    const tokenizer = loadTokenizer(json);
    expect(tokenizer.vocabSize).toBe(65);
    expect(tokenizer.encode('hii there').ids).toEqual([46, 47, 47, 1, 58, 46, 43, 56, 43]);
    const { ids } = tokenizer.encode(tinyShakespeare);
    expect(ids.length).toBe(1_115_394);
    expect(tokenizer.decode(ids) === tinyShakespeare).toBe(true);
  });

  it.each<[string, unknown]>([
    ['kind', { kind: 'unigram', vocabSize: 300 }],
    ['vocabSize', { kind: 'byte' }],
    ['vocabSize', { kind: 'byte', vocabSize: 256, specialTokens: ['<s>'] }],
    ['vocabSize', { kind: 'char', vocabSize: 65 }],
    ['minFrequency', { kind: 'byte', vocabSize: 300, minFrequency: 0 }],
    ['limitAlphabet', { kind: 'byte', vocabSize: 300, limitAlphabet: 10 }],
    ['unk', { kind: 'word', vocabSize: 300 }],
    ['unk', { kind: 'char', limitAlphabet: 10 }],
    ['unk', { kind: 'byte', vocabSize: 300, specialTokens: ['<unk>'], unk: '<unk>' }],
    ['around', { kind: 'byte', vocabSize: 300, around: { after: '</s>' } }],
    ['specialTokens', { kind: 'char', specialTokens: ['a', 'a'] }],
    ['specialTokens', { kind: 'byte', vocabSize: 300, specialTokens: ['!'] }],
    ['options', { kind: 'char', lowercase: true }],
  ])('refuses what is impossible or would do nothing: %s of %j', (name, options) => {
    expect(() => trainBpe(['some text'], options as TrainBpeOptions)).toThrow(
      expect.objectContaining({ code: 'usage', parts: expect.objectContaining({ where: `trainBpe: ${name}` }) }),
    );
  });

  it('refuses to learn from nothing, and from what is not text', () => {
    expect(() => trainBpe([''], { kind: 'char' })).toThrow(expect.objectContaining({ code: 'data' }));
    expect(() => trainBpe(['a\ud83d'], { kind: 'char' })).toThrow(/lone surrogates/);
  });
});
