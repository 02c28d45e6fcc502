import { expect, it } from 'vitest';
import { ParameterArena } from '../../src/nn/parameterArena.ts';
import { createReferenceRuntime } from '../../src/runtime/reference/reference.ts';
import { measure } from '../../src/why/measure.ts';
import { positionProducts, shuffleDifference } from '../../src/why/positions.ts';
import { batchOf, smallLoss } from '../../src/why/smallLoss.ts';
import type { PositionKind } from '../../src/why/smallTransformer.ts';

it('compares outputs with the shuffled ones, relative to the largest', () => {
  // rows [1, 2], [3, 4], [5, −8]; output t comes from row order[t]
  const before = [1, 2, 3, 4, 5, -8];
  expect(shuffleDifference(before, [5, -8, 1, 2, 3, 4], [2, 0, 1])).toBe(0);
  expect(shuffleDifference(before, [5, -8, 1, 2, 3, 6], [2, 0, 1])).toBe(2 / 8);
});

it('sinusoidal positions of width 2 have the product cos Δ, of width 4 that of two frequencies', () => {
  const { measured, formula, difference } = positionProducts(2, 10);
  for (const [distance, value] of measured.entries()) expect(value).toBeCloseTo(Math.cos(distance), 6);
  expect(formula[3]).toBeCloseTo(Math.cos(3), 12);
  expect(difference).toBeLessThan(1e-6);
  const four = positionProducts(4, 8);
  expect(four.measured[7]).toBeCloseTo((Math.cos(7) + Math.cos(0.07)) / 2, 6);
});

it.each<[PositionKind, boolean, boolean]>([
  ['none', false, true],
  ['none', true, false],
  ['sinusoidal', false, false],
  ['learned', false, false],
  ['rotary', false, false],
  ['relative', false, false],
])('positions %s, causal %s: shuffled input gives shuffled output: %s', async (positions, isCausal, isSame) => {
  const { graph, declarations } = smallLoss({
    vocabSize: 5,
    width: 8,
    layers: 1,
    heads: 2,
    hidden: 8,
    positions,
    maxLength: 8,
    isCausal,
  });
  const arena = new ParameterArena(declarations);
  arena.initialise(3);
  await using runtime = createReferenceRuntime();
  const tokens = [0, 1, 2, 3, 4];
  const order = [3, 0, 4, 1, 2];
  const outputOf = async (ids: readonly number[]): Promise<ArrayLike<number>> => {
    const { output } = await measure({ runtime }, graph, ['output'], {
      ...arena.tensors,
      ...batchOf([ids], [ids]).inputs,
    });
    return output!.data;
  };
  const difference = shuffleDifference(
    await outputOf(tokens),
    await outputOf(order.map((from) => tokens[from]!)),
    order,
  );
  if (isSame) expect(difference).toBeLessThan(1e-6);
  else expect(difference).toBeGreaterThan(1e-3);
});
