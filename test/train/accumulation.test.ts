import { expect, it } from 'vitest';
import { deriveSeed, RandomStream } from '../../src/base/random.ts';
import { int32 } from '../../src/base/tensor.ts';
import { declarationsOf } from '../../src/models/declarations.ts';
import { parseModel } from '../../src/models/registry.ts';
import { ParameterArena } from '../../src/nn/parameterArena.ts';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';
import type { Tensors } from '../../src/runtime/runtime.ts';
import { traceLoss } from '../../src/train/objectives.ts';
import { TrainStep } from '../../src/train/trainStep.ts';

const config = {
  model_type: 'gpt2',
  vocab_size: 50,
  n_positions: 12,
  n_embd: 32,
  n_layer: 2,
  n_head: 2,
  bos_token_id: null,
  eos_token_id: null,
};

/** 8 rows, of which the last half has labels that do not count: parts of unequal weight. */
function batch(): { readonly ids: Int32Array; readonly labels: Int32Array; readonly targetTokens: number } {
  const stream = new RandomStream(deriveSeed(1, 'rows'));
  const ids = Int32Array.from({ length: 96 }, () => stream.below(50));
  const labels = Int32Array.from({ length: 96 }, (_, i) => (i >= 48 && i % 3 > 0 ? -100 : stream.below(50)));
  return { ids, labels, targetTokens: labels.filter((label) => label >= 0).length };
}

async function train(parts: number): Promise<{ weights: Float32Array; losses: number[] }> {
  await using runtime = await createNodeRuntime({ spinning: false });
  const model = parseModel(config);
  const arena = new ParameterArena(declarationsOf(model));
  arena.initialise(1);
  const { graph } = traceLoss(model, { training: false, smoothing: 0, padded: false });
  const optimizer = { name: 'adamw', beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.1 } as const;
  const step = await TrainStep.create(runtime, graph, arena, { optimizer, clipNorm: 1 });
  const { ids, labels, targetTokens } = batch();
  const size = 96 / parts;
  const micros = Array.from(
    { length: parts },
    (_, i): Tensors => ({
      inputIds: int32([size / 12, 12], ids.subarray(i * size, (i + 1) * size)),
      labels: int32([size / 12, 12], labels.subarray(i * size, (i + 1) * size)),
    }),
  );
  const losses: number[] = [];
  for (let i = 0; i < 5; i++) losses.push((await step.run({ micros, targetTokens, learningRate: 1e-3 })).loss);
  return { weights: arena.data, losses };
}

it('one batch of eight, two of four and four of two are the same step', async () => {
  const [whole, halves, quarters] = [await train(1), await train(2), await train(4)];
  for (const { weights, losses } of [halves, quarters]) {
    losses.forEach((loss, i) => {
      expect(loss).toBeCloseTo(whole.losses[i]!, 5);
    });
    // Adam's first steps have the size of the rate whatever the gradient: a wrong weight of a part would show as 1e-3
    const largest = weights.reduce((worst, value, i) => Math.max(worst, Math.abs(value - whole.weights[i]!)), 0);
    expect(largest).toBeLessThan(2e-4);
  }
  expect(whole.losses[4]!).toBeLessThan(whole.losses[0]! - 0.05);
});
