import { expect, it } from 'vitest';
import { nodeStorage } from '../../src/checkpoint/storage.node.ts';
import { openTokenizer } from '../../src/pretrained/openTokenizer.ts';
import { tokenReader } from '../../src/tokenizer/readableTokens.ts';
import { loadTokenizer, type Tokenizer } from '../../src/tokenizer/tokenizer.ts';
import { type FixtureName, fixtureTokenizer } from './fixtures.ts';

const fixture = (name: FixtureName): Tokenizer => loadTokenizer(fixtureTokenizer(name));
const folder = async (name: string): Promise<Tokenizer> => {
  const path = new URL(`../../fixtures/tokenizer/models/${name}/`, import.meta.url).pathname;
  return (await openTokenizer(nodeStorage(path), { model_type: name }))!;
};

/** `text|word` of each token, special ones as `[text]`. */
function shown(tokenizer: Tokenizer, text: string): string[] {
  const tokens = tokenReader(tokenizer)(tokenizer.encode(text).ids);
  for (const { word, isSpecial } of tokens) expect(word === -1).toBe(isSpecial);
  return tokens.map((token) => (token.isSpecial ? `[${token.text}]` : `${token.text}|${token.word}`));
}

/** The pieces of each word, joined. */
function words(tokenizer: Tokenizer, text: string): string[] {
  const found: string[] = [];
  for (const token of tokenReader(tokenizer)(tokenizer.encode(text).ids)) {
    if (!token.isSpecial) found[token.word] = (found[token.word] ?? '') + token.text;
  }
  return found;
}

it('shows bytes that are no characters by their numbers, and the rest as text', () => {
  const tokenizer = fixture('byte');
  const text = words(tokenizer, 'Unbelievable, 猫 <b>🙂</b>').join('');
  expect(text).toContain('Unbelievable,');
  expect(text).toContain('<b>');
  expect(
    text.replace(/(?:⟨[0-9A-F]{2}⟩)+/g, (bytes) => Buffer.from(bytes.replace(/[⟨⟩]/g, ''), 'hex').toString()),
  ).toBe('Unbelievable, 猫 <b>🙂</b>');
  expect(shown(tokenizer, '🙂')).toEqual(['⟨F0⟩⟨9F⟩|0', '⟨99⟩|0', '⟨82⟩|0', '[</s>]']);
});

it.each([
  ['gpt2', ['Unbelievable', ',', ' he', ' said', '.']],
  ['albert', [' unbelievable', ',', ' he', ' said', '.']],
  ['wordpiece', ['unbelievable', ',', 'he', 'said', '.']],
])('groups pieces of %s to words', async (name, expected) => {
  expect(words(await folder(name), 'Unbelievable, he said.')).toEqual(expected);
});

it('takes letters that follow each other for a word, where tokens are characters', () => {
  expect(words(fixture('char'), 'To be, or')).toEqual(['To', ' ', 'be', ',', ' ', 'or']);
});

it('takes each Chinese character for a word, and marks special tokens', async () => {
  const tokenizer = await folder('wordpiece');
  const tokens = shown(tokenizer, 'ab');
  expect(tokens[0]).toBe('[[CLS]]');
  expect(tokens.at(-1)).toBe('[[SEP]]');
});

it('shows an id that only the model has by its number', async () => {
  const tokenizer = fixture('char');
  expect(tokenReader(tokenizer)([tokenizer.vocabSize + 3])[0]).toMatchObject({ text: `#${tokenizer.vocabSize + 3}` });
});
