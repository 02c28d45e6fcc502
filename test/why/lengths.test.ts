import { describe, expect, it } from 'vitest';
import { deriveSeed } from '../../src/base/random.ts';
import { bind } from '../../src/graph/rewrite.ts';
import { gptParameters, lstmLike, lstmParameters } from '../../src/why/architectures.ts';
import { blockGraph } from '../../src/why/complexity.ts';
import { pathsOf } from '../../src/why/distance.ts';
import { productFlops } from '../../src/why/graphCost.ts';
import { count } from '../../src/why/parallel.ts';
import { RECALL_CLASSES, recall } from '../../src/why/recall.ts';

const gpt = { vocabSize: 20, width: 32, layers: 2, heads: 2, maxLength: 64 };

it('finds an LSTM with as many parameters in its layers', () => {
  const wanted = gptParameters(gpt);
  // attention 4 D² + 4 D, feed-forward 8 D² + 5 D, two norms 4 D
  expect(wanted).toBe(2 * (12 * 32 ** 2 + 13 * 32));
  const lstm = lstmLike(gpt, { forgetShift: 0 });
  expect(lstmParameters(lstm)).toBe(2 * (8 * lstm.width ** 2 + 4 * lstm.width));
  expect(Math.abs(lstmParameters(lstm) / wanted - 1)).toBeLessThan(0.05);
});

describe('what waits for what', () => {
  const setting = { gpt, lstm: lstmLike(gpt, { forgetShift: 0 }), lengths: [], tokens: 64, rounds: 1 };

  it('does not depend on the length in a Transformer, and is a constant for each step of an LSTM', () => {
    const counts = [8, 16, 32].map((length) => count(setting, length).sequential);
    expect(new Set(counts.map(({ transformer }) => transformer)).size).toBe(1);
    const [a, b, c] = counts.map(({ lstm }) => lstm) as [number, number, number];
    expect(c - b).toBe(2 * (b - a));
    expect((b - a) / 8).toBeGreaterThanOrEqual(10);
  });

  it('counts a step of training as three times the products of its forward pass', () => {
    const { flops } = count(setting, 16);
    const { width } = setting.lstm;
    // a token: input and state, two layers, and the output; the first chunk's state is an input, whose gradient nobody asks for
    const forward = 2 * (2 * 8 * width ** 2 + width * 20);
    expect(flops.lstm / (3 * forward)).toBeGreaterThan(0.95);
    expect(flops.lstm / (3 * forward)).toBeLessThanOrEqual(1);
  });
});

it('the way to the last output is as long for every distance, or longer by as many operators for every step', () => {
  const setting = { lengths: [8, 16, 32], reachLength: 8, seeds: [1], batch: 1, steps: 1, width: 32 };
  const paths = [8, 16, 32].map((length) => pathsOf(setting, length));
  expect(new Set(paths.map(({ transformer }) => transformer)).size).toBe(1);
  // f ⊙ c, then + i ⊙ g
  expect(paths[1]!.lstm - paths[0]!.lstm).toBe(2 * 8);
  expect(paths[2]!.lstm - paths[1]!.lstm).toBe(2 * 16);
});

it('counts the products of a layer as the formula has them: 8 T D² + 4 T² D, and 16 T D²', () => {
  const [length, width] = [24, 32];
  const flops = (block: 'attention' | 'feedForward'): number =>
    productFlops(Object.values(bind(blockGraph(block, { width, heads: 2 }, length).graph, {}).outputs));
  expect(flops('attention')).toBe(8 * length * width ** 2 + 4 * length ** 2 * width);
  expect(flops('feedForward')).toBe(16 * length * width ** 2);
});

it('asks at the end for what stood at the beginning, and for nothing else', () => {
  const { ids, labels } = recall(deriveSeed(1), { batch: 5, length: 9, items: 2 });
  for (let b = 0; b < 5; b++) {
    const [own, asked] = [ids.subarray(9 * b, 9 * b + 9), labels.subarray(9 * b, 9 * b + 9)];
    expect([...asked]).toEqual([-100, -100, -100, -100, -100, -100, -100, own[0], own[1]]);
    expect(own[8]).toBe(own[0]);
    expect(own.subarray(0, 2).every((id) => id < RECALL_CLASSES)).toBe(true);
    expect(own.subarray(2, 8).every((id) => id >= RECALL_CLASSES)).toBe(true);
    // what is between is no item, and no question
    expect(own.subarray(2, 7).every((id) => id < 2 * RECALL_CLASSES)).toBe(true);
  }
});
