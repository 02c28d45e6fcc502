import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { QkvError } from '../../src/base/errors.ts';
import { parseSentencePieceModel } from '../../src/tokenizer/sentencePieceModel.ts';
import { fuzzTokenizer } from './fuzzTokenizer.ts';

const models = new URL('../../fixtures/tokenizer/models/', import.meta.url);

function filesOf(name: string): Record<string, Uint8Array> {
  const folder = new URL(`${name}/`, models);
  const names = readdirSync(folder).filter((file) => !/^(reference|config)\.json$/.test(file));
  return Object.fromEntries(names.map((file) => [file, new Uint8Array(readFileSync(new URL(file, folder)))]));
}

const byteJson = new Uint8Array(readFileSync(new URL('../byte.tokenizer.json', models)));
const wordJson = new Uint8Array(readFileSync(new URL('../word.tokenizer.json', models)));

describe('damaged tokenizer files', () => {
  it.each([
    ['albert', 'spiece.model', filesOf('albert'), 40],
    ['t5', 'spiece.model', filesOf('t5'), 40],
    ['llama', 'tokenizer.model', filesOf('llama'), 40],
    ['marian', 'source.spm', filesOf('marian'), 40],
    ['marian', 'vocab.json', filesOf('marian'), 40],
    ['bert', 'vocab.txt', filesOf('wordpiece'), 40],
    ['bert', 'tokenizer_config.json', filesOf('wordpiece'), 100],
    ['roberta', 'vocab.json', filesOf('roberta'), 40],
    ['roberta', 'merges.txt', filesOf('roberta'), 40],
    ['gpt2', 'tokenizer.json', { 'tokenizer.json': byteJson }, 40],
    ['marian', 'tokenizer.json', { 'tokenizer.json': wordJson }, 40],
  ])('%s: %s is refused or read, never anything else', async (family, damaged, files, rounds) => {
    const report = await fuzzTokenizer({ damaged, files, family }, rounds, 1);
    expect(report.refused + report.read).toBe(rounds);
    expect(report.refused).toBeGreaterThan(0);
  });

  it('refuses every beginning of a SentencePiece model in which a message is cut off', () => {
    const bytes = filesOf('t5')['spiece.model']!;
    let whole = 0;
    for (let length = 0; length < bytes.length; length += 13) {
      try {
        parseSentencePieceModel(bytes.subarray(0, length), 'model');
        whole += 1;
      } catch (error) {
        expect(error).toBeInstanceOf(QkvError);
      }
    }
    expect(whole).toBeLessThan(bytes.length / 13 / 4); // those that end with a piece
  });
});
