import { expect, it } from 'vitest';
import { int32 } from '../../src/base/tensor.ts';
import { declarationsOf } from '../../src/models/declarations.ts';
import { parseModel } from '../../src/models/registry.ts';
import { ParameterArena } from '../../src/nn/parameterArena.ts';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';
import { traceLoss } from '../../src/train/objectives.ts';
import { TrainStep } from '../../src/train/trainStep.ts';

it('a timer goes on firing while a step runs', async () => {
  await using runtime = await createNodeRuntime({ spinning: false });
  const model = parseModel({
    model_type: 'gpt2',
    vocab_size: 2000,
    n_positions: 256,
    n_embd: 256,
    n_layer: 4,
    n_head: 4,
    bos_token_id: null,
    eos_token_id: null,
  });
  const arena = new ParameterArena(declarationsOf(model));
  arena.initialise(1);
  const { graph } = traceLoss(model, { training: false, smoothing: 0, padded: false });
  const step = await TrainStep.create(runtime, graph, arena, {
    optimizer: { name: 'adamw', beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0 },
    clipNorm: 1,
  });
  const tokens = int32([4, 256], new Int32Array(1024).fill(1));
  let fired = 0;
  let gap = 0;
  let last = performance.now();
  const start = last;
  const timer = setInterval(() => {
    fired++;
    gap = Math.max(gap, performance.now() - last);
    last = performance.now();
  }, 10);
  await step.run({ micros: [{ inputIds: tokens, labels: tokens }], targetTokens: 1024, learningRate: 0 });
  const duration = performance.now() - start;
  clearInterval(timer);
  // A step that blocked the loop would leave no firing, or one gap as long as the step.
  expect(fired).toBeGreaterThan(2);
  expect(gap).toBeLessThan(duration / 2);
});
