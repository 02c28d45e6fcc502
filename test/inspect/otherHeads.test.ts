import { afterAll, expect, it } from 'vitest';
import { attentionMaps } from '../../src/inspect/attention.ts';
import { capture, valueNames } from '../../src/inspect/capture.ts';
import { headStatistics } from '../../src/inspect/headStatistics.ts';
import { lens } from '../../src/inspect/lens.ts';
import { predictions } from '../../src/inspect/predictions.ts';
import { residualNorms } from '../../src/inspect/residualNorms.ts';
import { attentionRollout } from '../../src/inspect/rollout.ts';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';
import { opened } from './opened.ts';

const runtime = await createNodeRuntime({ threads: 1, spinning: false });
afterAll(() => runtime[Symbol.asyncDispose]());

it.each([
  ['bert-sequence-classification', 'logits'],
  ['roberta-sequence-classification', 'logits'],
  ['bert-token-classification', 'logits'],
  ['bert-question-answering', 'startLogits'],
])('%s is looked into, and its output changes by edits; it predicts no words', async (family, output) => {
  const { inspection, reading } = await opened(`parity/${family}`, runtime);
  expect((await attentionMaps(inspection, reading)).length).toBeGreaterThan(1);
  expect((await headStatistics(inspection, reading)).length).toBeGreaterThan(3);
  expect((await residualNorms(inspection, reading))[0]!.stack).toBe('encoder');
  expect((await attentionRollout(inspection, reading)).encoder!.length).toBe(reading.ids.length ** 2);
  expect(valueNames(inspection)).toContain(output);
  const plain = (await capture(inspection, reading, [output])).get(output)!;
  const edits = { heads: [{ path: 'layers.0.attention', head: 1, how: 'zero' as const }] };
  const edited = (await capture(inspection, reading, [output], { edits })).get(output)!;
  expect(edited.shape).toEqual(plain.shape);
  expect([...edited.data]).not.toEqual([...plain.data]);
  for (const instrument of [predictions, lens]) {
    await expect(instrument(inspection, reading)).rejects.toMatchObject({ code: 'usage' });
  }
});
