import { expect, it } from 'vitest';
import { deriveSeed } from '../../src/base/random.ts';
import { float32 } from '../../src/base/tensor.ts';
import { ParameterArena } from '../../src/nn/parameterArena.ts';
import { createReferenceRuntime } from '../../src/runtime/reference/reference.ts';
import { costOfSharedHead, relationBatch, removable, withHeadMasks } from '../../src/why/heads.ts';
import { measure } from '../../src/why/measure.ts';
import { afterEarlier } from '../../src/why/repeatedTokens.ts';
import { batchOf, smallLoss } from '../../src/why/smallLoss.ts';

it('asks for the token after the last earlier equal one', () => {
  const tokens = [4, 7, 4, 9, 9, 4, 1];
  expect(tokens.map((_, t) => afterEarlier(tokens, t))).toEqual([-100, -100, 7, -100, -100, 9, -100]);
});

it('asks each token for three relations', () => {
  const { inputs, targets } = relationBatch(deriveSeed(2), { batch: 2, length: 6, vocabSize: 3 });
  const [ids, labels] = [inputs['inputIds']!, inputs['labels']!];
  expect(labels.shape).toEqual([2, 6, 3]);
  let counted = 0;
  for (let b = 0; b < 2; b++) {
    const tokens = Array.from(ids.data.subarray(b * 6, (b + 1) * 6));
    for (let t = 0; t < 6; t++) {
      const own = Array.from(labels.data.subarray((b * 6 + t) * 3, (b * 6 + t + 1) * 3));
      expect(own).toEqual([tokens[t - 1] ?? -100, tokens[t - 3] ?? -100, afterEarlier(tokens, t)]);
      counted += own.filter((label) => label !== -100).length;
    }
  }
  expect(targets).toBe(counted);
});

it('counts how many heads go before the accuracy does', () => {
  expect(removable([0.9, 0.9, 0.87, 0.8, 0.2], 0.05)).toBe(2);
  expect(removable([0.9, 0.9, 0.87, 0.8, 0.2], 0.01)).toBe(1);
  expect(removable([0.9, 0.9], 0.05)).toBe(1);
});

it('finds what the third relation loses without the head that the first misses most', () => {
  const ablation = [
    [
      [0.1, 0.4],
      [0.9, 0],
    ],
    [[], []],
    [
      [0.2, 0.3],
      [0.7, 0.8],
    ],
  ];
  expect(costOfSharedHead({ ablation })).toBe(0.3);
});

it('a head with mask 0 is a head whose rows of W^O are 0; masks of 1 change nothing', async () => {
  const { graph, declarations } = smallLoss({
    vocabSize: 5,
    width: 8,
    layers: 2,
    heads: 2,
    hidden: 8,
    positions: 'relative',
    maxLength: 8,
    isCausal: true,
  });
  const arena = new ParameterArena(declarations);
  arena.initialise(5);
  await using runtime = createReferenceRuntime();
  const { inputs } = batchOf([[0, 1, 2, 3, 1]], [[0, 1, 2, 3, 1]]);
  const masked = withHeadMasks(graph, 2, ['logits']);
  const withMasks = async (first: readonly number[], second: readonly number[]): Promise<number[]> => {
    const masks = { 'heads.0': float32([1, 2, 1, 1], first), 'heads.1': float32([1, 2, 1, 1], second) };
    const { logits } = await measure({ runtime }, masked, ['logits'], { ...arena.tensors, ...inputs, ...masks });
    return Array.from(logits!.data);
  };
  const plain = async (): Promise<number[]> => {
    const { logits } = await measure({ runtime }, graph, ['logits'], { ...arena.tensors, ...inputs });
    return Array.from(logits!.data);
  };
  const whole = await plain();
  expect(await withMasks([1, 1], [1, 1])).toEqual(whole);
  const ablated = await withMasks([1, 0], [0, 1]);
  // head 1 of layer 0 has the rows 4 to 7 of W^O [8, 8], head 0 of layer 1 the rows 0 to 3
  (arena.tensors['layers.0.attention.out.weight']!.data as Float32Array).fill(0, 4 * 8);
  (arena.tensors['layers.1.attention.out.weight']!.data as Float32Array).fill(0, 0, 4 * 8);
  const expected = await plain();
  expect(Math.max(...expected.map((value, i) => Math.abs(value - whole[i]!)))).toBeGreaterThan(1e-3);
  for (const [i, value] of ablated.entries()) expect(value).toBeCloseTo(expected[i]!, 6);
});
