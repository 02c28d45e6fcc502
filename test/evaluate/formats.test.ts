import { describe, expect, it } from 'vitest';
import { linesOf } from '../../src/data/lines.ts';
import { readConll } from '../../src/evaluate/conll.ts';
import { readSquad } from '../../src/evaluate/squadJson.ts';

describe('readConll', () => {
  const read = (text: string) => Array.fromAsync(readConll(linesOf(text, 'ner.txt')));

  it('gives sentences, with all columns and the first and last by name', async () => {
    const found = await read('-DOCSTART- X O\n\nEU NNP B-ORG\nrejects VBZ O\n\n\nPeter\tNNP\tB-PER');
    expect(found).toEqual([
      {
        where: 'ner.txt:3',
        fields: {
          1: ['EU', 'rejects'],
          2: ['NNP', 'VBZ'],
          3: ['B-ORG', 'O'],
          tokens: ['EU', 'rejects'],
          tags: ['B-ORG', 'O'],
        },
      },
      { where: 'ner.txt:7', fields: { 1: ['Peter'], 2: ['NNP'], 3: ['B-PER'], tokens: ['Peter'], tags: ['B-PER'] } },
    ]);
  });

  it.each([
    ['a line of other columns', 'EU NNP B-ORG\nrejects O\n', 'ner.txt:2'],
    ['a word without a tag', 'EU B-ORG\n\nrejects\n', 'ner.txt:3'],
  ])('refuses %s', async (_, text, where) => {
    await expect(read(text)).rejects.toThrow(
      expect.objectContaining({ code: 'data', parts: expect.objectContaining({ where }) }),
    );
  });
});

describe('readSquad', () => {
  it('gives the questions with their contexts; none of the answers of one that has none', () => {
    const qas = [
      { id: 'a', question: 'Who?', answers: [{ text: 'Ada', answer_start: 0 }] },
      { id: 'b', question: 'Where?', is_impossible: true },
    ];
    const found = [
      ...readSquad(JSON.stringify({ data: [{ paragraphs: [{ context: 'Ada was born', qas }] }] }), 'f.json'),
    ];
    expect(found.map(({ where }) => where)).toEqual([0, 1].map((i) => `f.json: data[0].paragraphs[0].qas[${i}]`));
    expect(found[0]!.fields).toEqual({ context: 'Ada was born', ...qas[0] });
    expect(found[1]!.fields['answers']).toEqual([]);
  });

  it.each([
    ['no JSON', '{', 'f.json'],
    ['lines of JSON', '{"question": "Who?"}', 'f.json: data'],
    [
      'a paragraph without questions',
      '{"data": [{"paragraphs": [{"context": "x"}]}]}',
      'f.json: data[0].paragraphs[0].qas',
    ],
  ])('refuses %s', (_, text, where) => {
    expect(() => [...readSquad(text, 'f.json')]).toThrow(
      expect.objectContaining({ code: 'data', parts: expect.objectContaining({ where }) }),
    );
  });
});
