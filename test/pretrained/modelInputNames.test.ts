import { expect, it } from 'vitest';
import { modelInputNames, tokenizerFilesFor } from '../../src/pretrained/modelInputNames.ts';
import { tokenizerFiles } from '../../src/tokenizer/tokenizerFiles.ts';
import { open } from '../check/fixtures.ts';
import { fixtureTokenizer } from '../tokenizer/fixtures.ts';

it.each([
  ['bert-question-answering', true],
  ['albert-pretraining', true],
  ['roberta-sequence-classification', false], // one kind of segments, and a pair's second has the number 1
  ['distilbert-masked-lm', false],
  ['gpt2', false],
  ['t5-v1.0', false],
])('%s: segments are among what a tokenizer makes: %s', async (name, hasSegments) => {
  const { model } = await open(name);
  expect(modelInputNames(model).includes('token_type_ids')).toBe(hasSegments);
});

it('keeps what a tokenizer says itself', async () => {
  const { model } = await open('bert-question-answering');
  const files = tokenizerFiles(fixtureTokenizer('word'), { specialTokens: {}, modelMaxLength: 24 });
  const first = tokenizerFilesFor(model, files);
  expect(tokenizerFilesFor(model, first)).toEqual(first);
  const own = { ...files, 'tokenizer_config.json': JSON.stringify({ model_input_names: ['input_ids'] }) };
  expect(JSON.parse(tokenizerFilesFor(model, own)['tokenizer_config.json'])).toEqual({
    model_input_names: ['input_ids'],
  });
});
