import { expect, it } from 'vitest';
import { ParameterArena } from '../../src/nn/parameterArena.ts';
import { createReferenceRuntime } from '../../src/runtime/reference/reference.ts';
import { accuracy, measure } from '../../src/why/measure.ts';
import { batchOf, type SmallLossOptions, smallLoss } from '../../src/why/smallLoss.ts';
import type { SmallConfig } from '../../src/why/smallTransformer.ts';

const config: SmallConfig = {
  vocabSize: 6,
  width: 8,
  layers: 2,
  heads: 2,
  hidden: 12,
  positions: 'sinusoidal',
  maxLength: 8,
  isCausal: true,
};

async function valuesOf(
  model: SmallConfig,
  names: readonly string[],
  ids: readonly number[],
  labels: readonly number[] = ids,
  options: SmallLossOptions & { readonly source?: readonly number[] } = {},
): Promise<number[][]> {
  const { graph, declarations } = smallLoss(model, options);
  const arena = new ParameterArena(declarations);
  arena.initialise(11);
  await using runtime = createReferenceRuntime();
  const { inputs } = batchOf([ids], [labels], options.source && [options.source]);
  const found = await measure({ runtime }, graph, names, { ...arena.tensors, ...inputs });
  return names.map((name) => Array.from(found[name]!.data));
}

it('a causal model does not see what comes later, another does', async () => {
  const firstRows = async (isCausal: boolean, last: number): Promise<number[]> => {
    const [logits] = await valuesOf({ ...config, isCausal }, ['logits'], [1, 2, 3, last]);
    return logits!.slice(0, 3 * 6);
  };
  expect(await firstRows(true, 4)).toEqual(await firstRows(true, 5));
  expect(await firstRows(false, 4)).not.toEqual(await firstRows(false, 5));
});

it('divides scores by √d_k, d_k = width / heads, where no scale is given', async () => {
  const [byDefault] = await valuesOf(config, ['logits'], [1, 2, 3, 4]);
  expect((await valuesOf({ ...config, scale: 1 / Math.sqrt(4) }, ['logits'], [1, 2, 3, 4]))[0]).toEqual(byDefault);
  expect((await valuesOf({ ...config, scale: 1 }, ['logits'], [1, 2, 3, 4]))[0]).not.toEqual(byDefault);
});

it('looks at the output of an encoder where there is one', async () => {
  const options = { encoder: { ...config, isCausal: false } };
  const of = (source: readonly number[]) => valuesOf(config, ['logits'], [1, 2], [1, 2], { ...options, source });
  expect(await of([3, 4, 5])).not.toEqual(await of([3, 4, 0]));
});

it('answers several questions about each position, and leaves out those that are not asked', async () => {
  const labels = [1, 2, -100, 3, 4, 5];
  const [logits, tokenLoss, predicted] = await valuesOf(
    config,
    ['logits', 'tokenLoss', 'predicted'],
    [1, 2, 3],
    labels,
    { questions: 2 },
  );
  expect(tokenLoss).toHaveLength(6);
  for (const [i, label] of labels.entries()) {
    const row = logits!.slice(i * 6, (i + 1) * 6);
    const loss = label === -100 ? 0 : Math.log(row.reduce((sum, z) => sum + Math.exp(z), 0)) - row[label]!;
    expect(tokenLoss![i]).toBeCloseTo(loss, 6);
    expect(predicted![i]).toBe(row.indexOf(Math.max(...row)));
  }
});

it('counts accuracy among the labels that count', () => {
  const pair = { predicted: [1, 2, 3, 4], labels: [1, 0, -100, 4] };
  expect(accuracy(pair)).toBe(2 / 3);
  expect(accuracy(pair, (i) => i > 0)).toBe(1 / 2);
});
