/**
 * A step of fine-tuning MiniLM (6 layers) for two classes, of 3 of its layers, and of these with the 6 as a teacher, interleaved:
 *
 *     node bench/distillation.ts [rounds]
 */
import { deriveSeed, uniform01 } from '../src/base/random.ts';
import { int32 } from '../src/base/tensor.ts';
import type { Model } from '../src/models/model.ts';
import { parseModel } from '../src/models/registry.ts';
import { ParameterArena } from '../src/nn/parameterArena.ts';
import { createNodeRuntime } from '../src/runtime/node/node.ts';
import type { Tensors } from '../src/runtime/runtime.ts';
import type { Distillation } from '../src/train/distillationTerms.ts';
import { lossScales, traceLoss } from '../src/train/objectives.ts';
import { TrainStep } from '../src/train/trainStep.ts';

const [batch, length] = [32, 32];
const rounds = Number(process.argv[2] ?? 5);
const stepsOfARound = 4;

const miniLm = (layers: number): Model =>
  parseModel({
    model_type: 'bert',
    architectures: ['BertForSequenceClassification'],
    hidden_size: 384,
    num_hidden_layers: layers,
    num_attention_heads: 12,
    intermediate_size: 1536,
  });

const random = (shape: readonly number[], end: number): Int32Array =>
  Int32Array.from(
    uniform01(
      deriveSeed(1, 'ids'),
      shape.reduce((a, b) => a * b, 1),
    ),
    (x) => Math.floor(x * end),
  );
const inputs: Tensors = {
  inputIds: int32([batch, length], random([batch, length], 30522)),
  attentionMask: int32([batch, length], new Int32Array(batch * length).fill(1)),
  labels: int32([batch], random([batch], 2)),
};

await using runtime = await createNodeRuntime();

async function stepOf(layers: number, teaches: boolean): Promise<() => Promise<unknown>> {
  const model = miniLm(layers);
  const teacher = miniLm(6);
  const weights = { labels: 2, soft: 5, hard: 0, hidden: 1, embeddings: 0 };
  const distillation: Distillation | undefined = teaches
    ? { teacher, temperature: 2, weights, layers: null }
    : undefined;
  const options = { training: true, smoothing: 0, padded: true, ...(distillation && { distillation }) };
  const { graph, declarations } = traceLoss(model, options);
  const arena = new ParameterArena(declarations);
  arena.initialise(1);
  const frozen = new ParameterArena(traceLoss(teacher, { training: false, smoothing: 0, padded: true }).declarations);
  frozen.initialise(2);
  const step = await TrainStep.create(runtime, graph, arena, {
    optimizer: { name: 'adamw', beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.01 },
    clipNorm: 1,
    constants: Object.fromEntries(Object.entries(frozen.tensors).map(([path, t]) => [`teacher.${path}`, t])),
  });
  const scales = lossScales(model, [inputs], distillation);
  return () =>
    step.run({
      micros: [inputs],
      targetTokens: batch,
      scales,
      learningRate: 1e-5,
      dropoutSeeds: [deriveSeed(1, 'dropout', step.step)],
    });
}

const variants = {
  '6 layers, fine-tuned': await stepOf(6, false),
  '3 layers, fine-tuned': await stepOf(3, false),
  '3 layers, with the 6 as a teacher': await stepOf(3, true),
};
const times = new Map<string, number[]>(Object.keys(variants).map((name) => [name, []]));
for (const run of Object.values(variants)) await run();
for (let round = 0; round < rounds; round++) {
  for (const [name, run] of Object.entries(variants)) {
    const start = performance.now();
    for (let i = 0; i < stepsOfARound; i++) await run();
    times.get(name)!.push((performance.now() - start) / stepsOfARound);
  }
}
for (const [name, all] of times) {
  const sorted = all.toSorted((a, b) => a - b);
  console.log(`${name}: ${sorted[Math.floor(rounds / 2)]!.toFixed(0)} ms a step, ${sorted[0]!.toFixed(0)} at best`);
}
