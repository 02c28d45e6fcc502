import { afterAll, describe, expect, it } from 'vitest';
import { generate } from '../../src/generate/generate.ts';
import type { GenerationResult } from '../../src/generate/result.ts';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';
import { createReferenceRuntime } from '../../src/runtime/reference/reference.ts';
import { type ExpectedSequence, parityCase } from './parityCase.ts';

/** ids equal; scores within 1e-4, as fixtures/parity/README.md says of a float32 implementation. */
function compare(
  results: readonly (readonly GenerationResult[])[],
  expected: readonly (readonly ExpectedSequence[])[],
) {
  expect(results.map((list) => list.map(({ ids }) => ids))).toEqual(
    expected.map((list) => list.map(({ generated }) => generated)),
  );
  results.forEach((list, i) => {
    list.forEach(({ tokenScores, score }, j) => {
      const { token_scores, sequence_score } = expected[i]![j]!;
      expect(tokenScores.length).toBe(token_scores.length);
      for (const [t, found] of tokenScores.entries()) expect(Math.abs(found - token_scores[t]!)).toBeLessThan(1e-4);
      if (sequence_score !== undefined) expect(Math.abs(score! - sequence_score)).toBeLessThan(1e-4);
    });
  });
}

const runtime = await createNodeRuntime({ threads: 1, spinning: false });
const cases = new Map(
  await Promise.all(
    ['transformer', 'marian', 'gpt2', 't5-v1.0', 'bart', 'llama'].map(
      async (name) => [name, await parityCase(name, runtime)] as const,
    ),
  ),
);
afterAll(() => runtime[Symbol.asyncDispose]());

describe.each([...cases])('generation of %s equals that of the reference', (_, { session, inputs, runs }) => {
  it.each(runs)('$name, as a batch', async ({ options, results }) => {
    compare(await generate(session, inputs, options), results);
  });

  it.each(runs)('$name, one by one', async ({ options, results }) => {
    const alone: GenerationResult[][] = [];
    for (const ids of inputs) alone.push(...(await generate(session, [ids], options)));
    compare(alone, results);
  });
});

describe('the same on the reference runtime', () => {
  it('marian, beam4_penalties', async () => {
    const { session, inputs, runs } = await parityCase('marian', createReferenceRuntime());
    const { options, results } = runs.find(({ name }) => name === 'beam4_penalties')!;
    compare(await generate(session, inputs.slice(0, 1), options), results.slice(0, 1));
  });
});
