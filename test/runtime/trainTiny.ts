import { deriveSeed, RandomStream } from '../../src/base/random.ts';
import { int32 } from '../../src/base/tensor.ts';
import { declarationsOf } from '../../src/models/declarations.ts';
import { parseModel } from '../../src/models/registry.ts';
import { ParameterArena } from '../../src/nn/parameterArena.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
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

/** Losses of ten steps of a tiny GPT-2 on rows that repeat, with dropout, clipping and AdamW: the same wherever it runs. */
export async function trainTiny(runtime: Runtime): Promise<number[]> {
  const model = parseModel({ ...config, resid_pdrop: 0.1 });
  const arena = new ParameterArena(declarationsOf(model));
  arena.initialise(1);
  const { graph } = traceLoss(model, { training: true, smoothing: 0.1, padded: false });
  const optimizer = { name: 'adamw', beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.1 } as const;
  const step = await TrainStep.create(runtime, graph, arena, { optimizer, clipNorm: 1 });
  const stream = new RandomStream(deriveSeed(1, 'rows'));
  const row = Int32Array.from({ length: 13 }, () => stream.below(50));
  const rows = (start: number) =>
    int32(
      [8, 12],
      Int32Array.from({ length: 96 }, (_, i) => row[start + (i % 12)]!),
    );
  const micros = [{ inputIds: rows(0), labels: rows(1) }];
  const losses: number[] = [];
  for (let i = 0; i < 10; i++) {
    const dropoutSeeds = [deriveSeed(7, 'dropout', String(i))];
    losses.push((await step.run({ micros, targetTokens: 96, learningRate: 3e-3, dropoutSeeds })).loss);
  }
  return losses;
}
