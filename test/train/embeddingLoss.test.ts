import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkAgainst } from '../../src/check/against.ts';
import { isFault } from '../../src/check/comparison.ts';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { openSafetensors } from '../../src/checkpoint/safetensors.ts';
import { nodeStorage } from '../../src/checkpoint/storage.node.ts';
import { declarationsOf } from '../../src/models/declarations.ts';
import type { EncoderModel } from '../../src/models/model.ts';
import { ParameterArena } from '../../src/nn/parameterArena.ts';
import type { Pooling } from '../../src/predict/embedding.ts';
import { fillArena, loadPretrained } from '../../src/pretrained/pretrained.ts';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';
import { createReferenceRuntime } from '../../src/runtime/reference/reference.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { type EmbeddingLoss, embeddingHead } from '../../src/train/embeddingHead.ts';

const encoders = join(import.meta.dirname, '../../fixtures/encoders');
const poolings: Readonly<Record<string, readonly Pooling[]>> = { mean: ['mean'], 'cls-max': ['cls', 'max'] };

/** The pooler, which no loss reaches, is frozen, as in a training run. */
async function openSentenceModel(): Promise<{ readonly model: EncoderModel; readonly arena: ParameterArena }> {
  const storage = nodeStorage(join(encoders, 'sentence'));
  const { model } = await loadPretrained(storage, { head: 'encoder' });
  if (model.kind !== 'encoder') throw new Error(model.kind);
  const arena = new ParameterArena(
    declarationsOf(model).map((one) => (one.path.startsWith('pooler.') ? { ...one, trainable: false } : one)),
  );
  await fillArena(model, await openCheckpoint(storage), arena);
  return { model, arena };
}

describe.each<[string, () => Runtime | Promise<Runtime>]>([
  ['node', () => createNodeRuntime({ lanes: 1, threads: 1, spinning: false })],
  ['reference', createReferenceRuntime],
])('%s', (_, create) => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await create();
  });
  afterAll(() => runtime[Symbol.asyncDispose]());

  const cases = (['contrastive', 'cosine'] as const).flatMap((loss) =>
    Object.keys(poolings).map((pooling): [EmbeddingLoss['loss'], string] => [loss, pooling]),
  );
  it.each(cases)('%s loss of %s vectors: loss and gradients are those of sentence-transformers', async (loss, name) => {
    const { model, arena } = await openSentenceModel();
    const head = embeddingHead(model.head, { pooling: poolings[name]!, steps: [] }, { loss, scale: 20 });
    const { tensors } = await openSafetensors(nodeStorage(join(encoders, 'losses')), `${loss}-${name}.safetensors`);
    const found = await checkAgainst(runtime, { model: { ...model, head }, arena }, tensors, { tolerance: 1e-6 });
    expect(found.comparisons.filter(isFault)).toEqual([]);
    expect(found.notCompared).toEqual([]);
    expect(found.comparisons).toHaveLength(22); // the loss, and all parameters but the pooler's
    expect(found.gradientsAbsent).toEqual([]);
  });
});
