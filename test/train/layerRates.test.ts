import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { float32 } from '../../src/base/tensor.ts';
import { declarationsOf } from '../../src/models/declarations.ts';
import { parseModel } from '../../src/models/registry.ts';
import { normalInit } from '../../src/nn/init.ts';
import { ParameterArena } from '../../src/nn/parameterArena.ts';
import { type Scope, Trace } from '../../src/nn/scope.ts';
import { mul } from '../../src/ops/elementwise.ts';
import { input } from '../../src/ops/leaf.ts';
import { matmul } from '../../src/ops/matmul.ts';
import { sum } from '../../src/ops/reduce.ts';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';
import { layerRates } from '../../src/train/layerRates.ts';
import { TrainStep } from '../../src/train/trainStep.ts';

type Weights = Readonly<Record<string, readonly number[]>>;
interface Expected {
  readonly decay: number;
  readonly average: number;
  readonly x: readonly number[];
  readonly start: Weights;
  /** After five steps. */
  readonly weights: Weights;
  readonly averaged: Weights;
}

it.each([1, 2])('rates by layer and a moving average give the weights that PyTorch has, on %i lanes', async (lanes) => {
  const file = new URL('../../fixtures/optimizer/expected.json', import.meta.url);
  const expected = JSON.parse(readFileSync(file, 'utf8')) as Expected;
  const trace = new Trace();
  const at = (name: string): Scope => name.split('.').reduce((scope, part) => scope.at(part), trace.root);
  const names = Object.keys(expected.start);
  const weights = names.map((name) => at(name).parameter('weight', [4, 4], normalInit(1)));
  const y = weights.reduce((x, weight) => matmul(x, weight), input('x', 'float32', [6, 4]));
  const loss = mul(sum(mul(y, y), [0, 1]), input('lossScale', 'float32', []));
  const { declarations } = trace;
  const arena = new ParameterArena(declarations);
  for (const name of names) (arena.tensors[`${name}.weight`]!.data as Float32Array).set(expected.start[name]!);
  await using runtime = await createNodeRuntime({ lanes, threads: 1, spinning: false });
  const step = await TrainStep.create(runtime, trace.graph({ loss }), arena, {
    optimizer: { name: 'adamw', beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.1 },
    clipNorm: null,
    rates: layerRates(declarations, expected.decay),
    averageDecay: expected.average,
    bindings: { B: 1 }, // rows are not shared out: the graph has them fixed
  });
  const micros = [{ x: float32([6, 4], expected.x) }];
  for (let i = 0; i < 5; i++) await step.run({ micros, targetTokens: 6, learningRate: 0.02 });
  const compare = (wanted: Weights): void => {
    for (const name of names) {
      const got = arena.tensors[`${name}.weight`]!.data;
      for (const [i, value] of wanted[name]!.entries()) expect(got[i], `${name}[${i}]`).toBeCloseTo(value, 5);
    }
  };
  compare(expected.weights);
  step.exchangeAverage();
  compare(expected.averaged);
  step.exchangeAverage();
  compare(expected.weights);
});

it('falls from the head to the embeddings in every kind of model', () => {
  const ratesOf = (config: object): Record<string, number> => {
    const rates = layerRates(declarationsOf(parseModel(config)), 0.5);
    return Object.fromEntries([...rates].map(([path, rate]) => [path, Math.round(Math.abs(Math.log2(rate)))]));
  };
  const sizes = { vocab_size: 20, hidden_size: 8, num_hidden_layers: 3, num_attention_heads: 2, intermediate_size: 8 };
  const bert = ratesOf({ model_type: 'bert', architectures: ['BertForSequenceClassification'], ...sizes });
  const powers = (rates: Record<string, number>, pattern: RegExp): number[] => [
    ...new Set(Object.entries(rates).flatMap(([path, power]) => (pattern.test(path) ? [power] : []))),
  ];
  expect(powers(bert, /layers\.0\./)).toEqual([3]);
  expect(powers(bert, /layers\.2\./)).toEqual([1]);
  expect(powers(bert, /classifier|pooler/)).toEqual([0]);
  expect(powers(bert, /^(?!layers|.*classifier|.*pooler)/)).toEqual([4]);
  const t5 = ratesOf({
    model_type: 't5',
    vocab_size: 20,
    d_model: 8,
    d_kv: 4,
    num_heads: 2,
    d_ff: 8,
    num_layers: 2,
    num_decoder_layers: 3,
    tie_word_embeddings: false,
  });
  expect(t5).toMatchObject({ 'tokens.weight': 4, 'output.weight': 0, 'decoder.norm.weight': 0 });
  expect(powers(t5, /^(encoder|decoder)\.relative/)).toEqual([3, 4]);
  expect(powers(t5, /^encoder\.layers\.0\./)).toEqual([2]);
  expect(powers(t5, /^decoder\.layers\.0\./)).toEqual([3]);
});
