import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { nodeStorage } from '../../src/checkpoint/storage.node.ts';
import { openTokenizer } from '../../src/pretrained/openTokenizer.ts';
import type { Tokenizer } from '../../src/tokenizer/tokenizer.ts';
import { lines } from './fixtures.ts';

async function open(name: string): Promise<Tokenizer> {
  const folder = new URL(`../../fixtures/tokenizer/models/${name}`, import.meta.url).pathname;
  const config = JSON.parse(readFileSync(`${folder}/config.json`, 'utf8'));
  return (await openTokenizer(nodeStorage(folder), config))!;
}

const [bert, roberta, llama] = await Promise.all([open('wordpiece'), open('roberta'), open('llama')]);

/** The text of each token's span, null for the tokens put around. */
function surfaces(tokenizer: Tokenizer, text: string): (string | null)[] {
  const { offsets, sequences } = tokenizer.encodeWithOffsets(text);
  return offsets.map(([start, end], i) => (sequences[i] === null ? null : text.slice(start, end)));
}

describe('encodeWithOffsets', () => {
  it('counts in UTF-16 units and gives every byte of a character the whole character', () => {
    expect(surfaces(roberta, '👍é!')).toEqual([null, '👍', '👍', '👍', 'é', '!', null]);
    expect(surfaces(llama, '𠮷!').slice(-4)).toEqual(['𠮷', '𠮷', '𠮷', '!']);
  });

  it('finds what lower-casing, accents, control characters and full width have changed', () => {
    const text = 'The \u0000 CAFE\u0301 —Übe';
    expect(
      surfaces(bert, text)
        .filter((part) => part !== null)
        .join(''),
    ).toBe('TheCAFE—Übe');
  });

  it('says which text and which word a token is of', () => {
    const { tokens, typeIds, sequences, words, offsets } = bert.encodeWithOffsets('is it', { pair: '(it)' });
    expect(tokens).toEqual(['[CLS]', 'is', 'it', '[SEP]', '(', 'it', ')', '[SEP]']);
    expect(typeIds).toEqual([0, 0, 0, 0, 1, 1, 1, 1]);
    expect(sequences).toEqual([null, 0, 0, null, 1, 1, 1, null]);
    expect(words).toEqual([null, 0, 1, null, 0, 1, 2, null]);
    expect(offsets.slice(4)).toEqual([[0, 1], [1, 3], [3, 4], [0, 0]]); // biome-ignore format: as read
  });

  it.each([
    ['a pair that is cut from the longer text first', 'is is is is is is', 'it it', 8, 3, 2],
    ['a pair of which both are too long', 'is is is is', 'it it it it it', 8, 2, 3],
    ['one text', 'is is is is is is', undefined, 4, 2, 0],
  ])('cuts %s', (_, text, pair, maxLength, first, second) => {
    const options = { maxLength, ...(pair !== undefined && { pair }) };
    const { tokens, sequences, ids } = bert.encodeWithOffsets(text, options);
    expect(tokens).toHaveLength(maxLength);
    expect(sequences.filter((sequence) => sequence === 0)).toHaveLength(first);
    expect(sequences.filter((sequence) => sequence === 1)).toHaveLength(second);
    expect(bert.encode(text, options).ids).toEqual(ids);
  });
});

it.each([
  ['wordpiece', bert],
  ['roberta', roberta],
  ['llama', llama],
])('follows a text of 100,000 characters to its end (%s)', (_, tokenizer) => {
  const text = lines
    .join(' ')
    .repeat(20)
    .slice(0, 100_000)
    .replaceAll(/[<\u2581]/g, '');
  const { ids, offsets } = tokenizer.encodeWithOffsets(text);
  expect(ids).toEqual(tokenizer.encode(text).ids);
  const starts = offsets.filter(([, end]) => end > 0).map(([start]) => start);
  expect(starts).toEqual(starts.toSorted((a, b) => a - b));
  expect(offsets.findLast(([, end]) => end > 0)![1]).toBeGreaterThan(text.length - 20);
});
