import { readFile } from 'node:fs/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { generate } from '../../src/generate/generate.ts';
import type { GenerateOptions } from '../../src/generate/options.ts';
import * as p from '../../src/generate/processors.ts';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';
import { parityCase } from './parityCase.ts';

type Row = readonly (number | '-inf')[];
interface Expected {
  readonly history: number[];
  readonly processors: Readonly<Record<string, { readonly before: Row[]; readonly after: Row[] }>>;
  readonly runs: Readonly<
    Record<
      string,
      { readonly args: Record<string, unknown>; readonly results: { ids: number[]; score: number | null }[][] }[]
    >
  >;
}

/** Made by fixtures/generation/make.py with transformers. */
const expected = JSON.parse(
  await readFile(new URL('../../fixtures/generation/expected.json', import.meta.url), 'utf8'),
) as Expected;
const { history } = expected;

const words = [[4], [5, 6], [3, 5, 8], [7, 5, 9], [2, 3, 5, 7, 3, 5, 3, 5, 2, 10]];
const processors: Readonly<Record<string, (row: Float32Array, value: number) => void>> = {
  repetitionPenalty: (row, value) => p.repetitionPenalty(row, history, value),
  noRepeatNgram: (row, value) => p.noRepeatNgram(row, history, value),
  badWords: (row) => p.badWords(row, history, words),
  temperature: p.temperature,
  topK: p.topK,
  topP: p.topP,
};

const toRow = (row: Row): Float32Array => Float32Array.from(row, (x) => (x === '-inf' ? Number.NEGATIVE_INFINITY : x));

describe('processors change scores as those of transformers', () => {
  it.each(Object.entries(expected.processors))('%s', (name, { before, after }) => {
    const [kind, value] = name.split(' ') as [string, string?];
    for (const [i, given] of before.entries()) {
      const row = toRow(given);
      processors[kind]!(row, Number(value));
      const wanted = toRow(after[i]!);
      row.forEach((score, token) => {
        if (Number.isFinite(wanted[token]!)) expect(score).toBeCloseTo(wanted[token]!, 5);
        else expect(score, `token ${token}`).toBe(Number.NEGATIVE_INFINITY);
      });
    }
  });

  it('finds the k-th largest of rows with ties and infinities as sorting does', () => {
    const row = Float32Array.of(3, -1, 3, 7, Number.NEGATIVE_INFINITY, 0, 3, 9, -4, 7, 2);
    const falling = [...row].sort((a, b) => b - a);
    for (let k = 1; k <= row.length; k++) expect(p.kthLargest(row, k)).toBe(falling[k - 1]);
  });
});

const runtime = await createNodeRuntime({ threads: 1, spinning: false });
afterAll(() => runtime[Symbol.asyncDispose]());

const names: Readonly<Record<string, keyof GenerateOptions>> = {
  max_new_tokens: 'maxNewTokens',
  min_new_tokens: 'minNewTokens',
  bad_words_ids: 'badWordsIds',
  forced_bos_token_id: 'forcedBosId',
  forced_eos_token_id: 'forcedEosId',
  num_beams: 'numBeams',
  length_penalty: 'lengthPenalty',
  early_stopping: 'earlyStopping',
  repetition_penalty: 'repetitionPenalty',
  no_repeat_ngram_size: 'noRepeatNgramSize',
};

describe.each(Object.entries(expected.runs))('generation by %s with more options', async (name, runs) => {
  const { session, inputs } = await parityCase(name, runtime);
  it.each(runs.map(({ args, results }) => ({ title: JSON.stringify(args), args, results })))(
    '$title',
    async ({ args, results }) => {
      const options = Object.fromEntries(Object.entries(args).map(([key, value]) => [names[key]!, value]));
      const beams = args['num_beams'] as number;
      const found = await generate(session, inputs, { ...options, ...(beams > 1 && { numReturn: beams }) });
      for (const [i, list] of found.entries()) {
        // transformers fills up with sequences of score −1e9 where there are not as many as beams
        const real = results[i]!.filter(({ score }) => score === null || score > -1e8);
        expect(list.map(({ ids }) => ids)).toEqual(real.map(({ ids }) => ids));
        list.forEach(({ score }, j) => {
          if (beams > 1) expect(Math.abs(score! - real[j]!.score!)).toBeLessThan(1e-4 * Math.max(1, Math.abs(score!)));
        });
      }
    },
  );
});
