import { expect, it } from 'vitest';
import { deriveSeed } from '../../src/base/random.ts';
import { draw, legalShare, markovSource, markovTexts, sourceOf } from '../../src/why/markovText.ts';
import { roleBatch, rowNorms } from '../../src/why/masks.ts';

it('knows the entropies of a source of two symbols', () => {
  // 0 → 0 or 1 alike, 1 → 0: stationary (2/3, 1/3)
  const { stationary, leftEntropy, bothEntropy, successors } = sourceOf([
    [0.5, 0.5],
    [1, 0],
  ]);
  expect(successors).toEqual([[0, 1], [0]]);
  expect(stationary[0]).toBeCloseTo(2 / 3, 9);
  expect(leftEntropy).toBeCloseTo((2 / 3) * Math.LN2, 9);
  // only between two 0 there is doubt: P = 1/2, and there b is 0 or 1 with 1/3 and 2/3
  const between = -(1 / 3) * Math.log(1 / 3) - (2 / 3) * Math.log(2 / 3);
  expect(bothEntropy).toBeCloseTo(between / 2, 9);
});

it('writes texts of its source, in which no symbol follows itself', () => {
  const source = markovSource(10, deriveSeed(1));
  const texts = markovTexts(source, { batch: 200, length: 50 }, deriveSeed(2));
  expect(legalShare(source, texts, 1)).toBe(1);
  expect(texts.flatMap((text) => text.filter((symbol, t) => t > 0 && symbol === text[t - 1]))).toEqual([]);
  const after = texts.flatMap((text) => text.flatMap((symbol, t) => (symbol === 0 && t < 49 ? [text[t + 1]!] : [])));
  const likeliest = source.transitions[0]!.indexOf(0.6);
  expect(after.filter((symbol) => symbol === likeliest).length / after.length).toBeCloseTo(0.6, 1);
});

it('finds symbols that may not stand where they stand', () => {
  const source = sourceOf([
    [0, 1],
    [1, 0],
  ]);
  expect(legalShare(source, [[0, 1, 0, 0, 1]], 1)).toBe(3 / 4);
  expect(legalShare(source, [[0, 1, 0, 0, 1]], 3)).toBe(1 / 2);
  expect([0, 0.59, 0.6, 0.999].map((u) => draw([0.6, 0, 0.4], u))).toEqual([0, 0, 2, 2]);
});

it('asks each role its question', () => {
  const texts = [Array.from({ length: 32 }, (_, t) => t % 7)];
  const lists = (role: Parameters<typeof roleBatch>[0]) => {
    const { inputs } = roleBatch(role, texts, deriveSeed(4));
    return Object.fromEntries(Object.entries(inputs).map(([name, { data }]) => [name, Array.from(data)]));
  };
  const [text] = texts as [number[]];
  expect(lists('decoder')).toEqual({ inputIds: text, labels: [...text.slice(1), -100] });
  expect(lists('leaking')).toEqual(lists('decoder'));
  expect(lists('both')).toEqual({
    sourceIds: text.slice(0, 16),
    inputIds: [10, ...text.slice(16, 31)],
    labels: text.slice(16),
  });
  const { inputIds, labels } = lists('encoder') as { inputIds: number[]; labels: number[] };
  const hidden = inputIds.flatMap((id, t) => (id === 10 ? [t] : []));
  expect(hidden.length).toBeGreaterThan(8);
  for (const [i, t] of hidden.entries()) if (i > 0) expect(t - hidden[i - 1]!).toBe(3);
  expect(hidden[0]).toBeGreaterThan(0);
  expect(hidden.at(-1)).toBeLessThan(31);
  expect(labels).toEqual(text.map((symbol, t) => (hidden.includes(t) ? symbol : -100)));
});

it('measures rows', () => {
  expect(rowNorms([3, 4, 0, 0, 5, 12], 3)).toEqual([5, 0, 13]);
});
