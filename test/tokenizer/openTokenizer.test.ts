import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openTokenizer } from '../../src/pretrained/openTokenizer.ts';
import { memoryStorage } from '../checkpoint/memoryStorage.ts';

const models = new URL('../../fixtures/tokenizer/models/', import.meta.url);

function filesOf(name: string, changed: Readonly<Record<string, string>> = {}): Record<string, Uint8Array> {
  const folder = new URL(`${name}/`, models);
  const names = readdirSync(folder).filter((file) => !/^(reference|config)\.json$/.test(file));
  const files = Object.fromEntries(names.map((file) => [file, new Uint8Array(readFileSync(new URL(file, folder)))]));
  for (const [file, text] of Object.entries(changed)) files[file] = new TextEncoder().encode(text);
  return files;
}

describe('openTokenizer', () => {
  it('gives none for a folder without one', async () => {
    expect(await openTokenizer(memoryStorage({}), {})).toBeUndefined();
  });

  it.each([
    ['wordpiece', 'bert', { unk: '[UNK]', pad: '[PAD]' }],
    ['roberta', 'roberta', { bos: '<s>', eos: '</s>', pad: '<pad>', unk: '<unk>' }],
    ['gpt2', 'gpt2', { bos: '<|endoftext|>', eos: '<|endoftext|>' }],
    ['albert', 'albert', { bos: '[CLS]', eos: '[SEP]', pad: '<pad>', unk: '<unk>' }],
    ['t5', 't5', { eos: '</s>', pad: '<pad>', unk: '<unk>' }],
    ['llama', 'llama', { bos: '<s>', eos: '</s>', unk: '<unk>' }],
    ['marian', 'marian', { eos: '</s>', pad: '<pad>', unk: '<unk>' }],
  ])('knows the special tokens of %s', async (name, family, roles) => {
    const tokenizer = (await openTokenizer(memoryStorage(filesOf(name)), { model_type: family }))!;
    const tokens = Object.entries(tokenizer.specialIds).map(([role, id]) => [role, tokenizer.idToToken(id)]);
    expect(Object.fromEntries(tokens)).toEqual(roles);
  });

  it.each<[string, string, Record<string, Uint8Array>, RegExp]>([
    ['a family of which the tokens around a text are not known', 'xlnet', filesOf('t5'), /"xlnet".*albert, t5, llama/],
    [
      'vocab.txt without [SEP]',
      'bert',
      filesOf('wordpiece', { 'vocab.txt': '[UNK]\n[CLS]\na\n' }),
      /sep_token.*vocab\.txt/,
    ],
    ['vocab.json that is no object', 'gpt2', filesOf('gpt2', { 'vocab.json': '[1]' }), /vocab\.json/],
    [
      'ids that are no numbers',
      'gpt2',
      filesOf('gpt2', { 'vocab.json': '{"a":"0"}', 'merges.txt': '' }),
      /vocab\.json/,
    ],
    [
      'a merge of tokens that do not exist',
      'gpt2',
      filesOf('gpt2', { 'merges.txt': 'a zzzz\n' }),
      /merges\.txt: merge 1.*"a zzzz"/,
    ],
    ['merges that are not two', 'gpt2', filesOf('gpt2', { 'merges.txt': '#version: 0.2\na b c\n' }), /merge 1/],
    ['ids with a gap', 'marian', filesOf('marian', { 'vocab.json': '{"</s>":0,"<unk>":2}' }), /without a gap/],
    [
      'two vocabularies',
      'marian',
      filesOf('marian', { 'tokenizer_config.json': '{"separate_vocabs":true}' }),
      /separate_vocabs/,
    ],
    [
      'settings of another type',
      'bert',
      filesOf('wordpiece', { 'tokenizer_config.json': '{"do_lower_case":1}' }),
      /do_lower_case/,
    ],
    ['impossible numbers', 't5', filesOf('t5', { 'tokenizer_config.json': '{"extra_ids":1e9}' }), /extra_ids/],
    ['text that is not UTF-8', 'bert', { 'vocab.txt': Uint8Array.of(0xff, 0xfe) }, /vocab\.txt.*UTF-8/],
    ['JSON that is cut off', 'x', filesOf('t5', { 'tokenizer.json': '{"model":' }), /tokenizer\.json.*JSON/],
    ['an empty SentencePiece model', 't5', { 'spiece.model': new Uint8Array(0) }, /no pieces/],
    [
      'a length beyond the file',
      't5',
      { 'spiece.model': Uint8Array.of(0x0a, 0xff, 0xff, 0xff, 0xff, 0x7f) },
      /cut off/,
    ],
    ['a piece twice', 't5', { 'spiece.model': Uint8Array.of(10, 3, 10, 1, 97, 10, 3, 10, 1, 97) }, /"a" twice/],
  ])('refuses %s', async (_, family, files, message) => {
    const opened = openTokenizer(memoryStorage(files), { model_type: family });
    await expect(opened).rejects.toThrow(
      expect.objectContaining({ code: 'tokenizer', message: expect.stringMatching(message) }),
    );
  });
});
