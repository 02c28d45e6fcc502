import { describe, expect, it } from 'vitest';
import { loadTokenizer } from '../../src/tokenizer/tokenizer.ts';
import { tokenizerFiles } from '../../src/tokenizer/tokenizerFiles.ts';
import { expected, fixtureTokenizer, lines } from './fixtures.ts';

const specialTokens = { pad: '<pad>', eos: '</s>', unk: '<unk>' };

describe('tokenizerFiles', () => {
  const files = tokenizerFiles(fixtureTokenizer('word'), { specialTokens, modelMaxLength: 128 });

  it('writes what opens again with the same ids and roles', () => {
    const tokenizer = loadTokenizer(JSON.parse(files['tokenizer.json']), JSON.parse(files['tokenizer_config.json']));
    expect(tokenizer.specialIds).toEqual({ pad: 2, eos: 0, unk: 1 });
    expect(lines.map((line) => tokenizer.encode(line).ids)).toEqual(expected.word.ids);
  });

  it('names the class that Python opens without further files, whatever the model', () => {
    expect(JSON.parse(files['tokenizer_config.json'])).toEqual({
      tokenizer_class: 'PreTrainedTokenizerFast',
      pad_token: '<pad>',
      eos_token: '</s>',
      unk_token: '<unk>',
      model_max_length: 128,
      clean_up_tokenization_spaces: false,
    });
    expect(JSON.parse(files['special_tokens_map.json'])).toEqual({
      pad_token: '<pad>',
      eos_token: '</s>',
      unk_token: '<unk>',
    });
  });

  it('refuses special tokens outside the vocabulary, unknown roles and impossible lengths', () => {
    const json = fixtureTokenizer('word');
    expect(() => tokenizerFiles(json, { specialTokens: { bos: '<s>' }, modelMaxLength: 128 })).toThrow(/bos_token/);
    const role = { image: '<pad>' } as object;
    expect(() => tokenizerFiles(json, { specialTokens: role, modelMaxLength: 128 })).toThrow(/image/);
    expect(() => tokenizerFiles(json, { specialTokens, modelMaxLength: 0 })).toThrow(/modelMaxLength/);
  });
});
