import { expect, it } from 'vitest';
import { deriveSeed, RandomStream } from '../../src/base/random.ts';
import { int32, scalar } from '../../src/base/tensor.ts';
import { declarationsOf } from '../../src/models/declarations.ts';
import { parseModel } from '../../src/models/registry.ts';
import { ParameterArena } from '../../src/nn/parameterArena.ts';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';
import { evaluate } from '../../src/runtime/reference/reference.ts';
import type { Tensors } from '../../src/runtime/runtime.ts';
import { lossAndGradients, splitGradients } from '../../src/train/gradientGraph.ts';
import { traceLoss } from '../../src/train/objectives.ts';
import { TrainStep } from '../../src/train/trainStep.ts';

const vocabulary = 3000;

/** Rows of tokens, some of them named often. */
function batch(key: string, rows: number): Tensors {
  const stream = new RandomStream(deriveSeed(1, key));
  const ids = (): Int32Array =>
    Int32Array.from({ length: rows * 8 }, () => stream.below(stream.below(2) ? 3 : vocabulary));
  return { inputIds: int32([rows, 8], ids()), labels: int32([rows, 8], ids()) };
}

// a table that is also the output layer's has a part that is written whole
it.each([
  { tied: true, lanes: 1, parts: 1 },
  { tied: true, lanes: 2, parts: 3 },
  { tied: false, lanes: 1, parts: 3 },
  { tied: false, lanes: 2, parts: 1 },
  { tied: false, lanes: 2, parts: 3 },
])('the gradient of a large table is that of all lookups, in every step: %o', async ({ tied, lanes, parts }) => {
  const model = parseModel({
    model_type: 'gpt2',
    vocab_size: vocabulary,
    n_positions: 8,
    n_embd: 16,
    n_layer: 1,
    n_head: 2,
    bos_token_id: null,
    eos_token_id: null,
    tie_word_embeddings: tied,
  });
  const arena = new ParameterArena(declarationsOf(model));
  arena.initialise(1);
  const { graph } = traceLoss(model, { training: false, smoothing: 0, padded: false });
  const tables = splitGradients(graph, arena).filter(({ lookups }) => lookups.length > 0);
  expect(tables.map(({ whole }) => whole !== undefined)).toEqual([tied]);

  await using runtime = await createNodeRuntime({ lanes, threads: 1, spinning: false });
  const optimizer = { name: 'adamw', beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0 } as const;
  const step = await TrainStep.create(runtime, graph, arena, { optimizer, clipNorm: null });
  const whole = lossAndGradients(graph, arena);
  for (const key of ['first', 'second']) {
    const micros = Array.from({ length: parts }, (_, i) => batch(`${key} ${i}`, 4));
    const targetTokens = parts * 32;
    const { loss, gradientNorm } = await step.run({ micros, targetTokens, learningRate: 0 });
    const found = micros.map((micro) =>
      evaluate(whole, { ...arena.tensors, ...micro, lossScale: scalar(1 / targetTokens) }),
    );
    const sumOf = (name: string, i: number): number => found.reduce((sum, outputs) => sum + outputs[name]!.data[i]!, 0);
    expect(loss).toBeCloseTo(sumOf('loss', 0), 5);
    let squares = 0;
    for (const { path, offset, size } of arena.trained) {
      let worst = 0;
      for (let i = 0; i < size; i++) {
        const expected = sumOf(`gradient.${path}`, i);
        squares += expected ** 2;
        worst = Math.max(worst, Math.abs(step.gradient[offset + i]! - expected));
      }
      expect(worst, path).toBeLessThan(2e-6);
    }
    expect(gradientNorm).toBeCloseTo(Math.sqrt(squares), 4);
  }
});
