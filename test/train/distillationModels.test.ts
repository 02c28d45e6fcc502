import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { deriveSeed, normal } from '../../src/base/random.ts';
import { float32, int32, scalar } from '../../src/base/tensor.ts';
import { inCheckpoint } from '../../src/check/against.ts';
import { nodeStorage } from '../../src/checkpoint/storage.node.ts';
import { declarationsOf } from '../../src/models/declarations.ts';
import type { HeadName } from '../../src/models/encoderHead.ts';
import { parseModel } from '../../src/models/registry.ts';
import { ParameterArena } from '../../src/nn/parameterArena.ts';
import { fillArena, loadPretrained, openParts } from '../../src/pretrained/pretrained.ts';
import { createReferenceRuntime, evaluate } from '../../src/runtime/reference/reference.ts';
import type { Tensors } from '../../src/runtime/runtime.ts';
import type { Distillation } from '../../src/train/distillationTerms.ts';
import { lossAndGradients } from '../../src/train/gradientGraph.ts';
import { withLayers } from '../../src/train/keptLayers.ts';
import { gatherTargets, lossScales, traceLoss } from '../../src/train/objectives.ts';
import { TrainStep } from '../../src/train/trainStep.ts';

interface Case {
  readonly terms: Readonly<Record<string, number>>;
  readonly loss: number;
  readonly gradient_norms: Readonly<Record<string, number>>;
  readonly gradient_norm: number;
  readonly batch: Readonly<Record<'input_ids' | 'attention_mask' | 'labels', number[] | number[][]>>;
}

const expected = JSON.parse(readFileSync('fixtures/distillation/models.json', 'utf8'));

/** Student, teacher and batch of a case. */
async function open(name: 'words' | 'classes') {
  const { batch } = expected[name] as Case;
  const words = name === 'words';
  const head: HeadName = words ? 'masked-lm' : 'sequence-classification';
  const folder = (model: string) => nodeStorage(`fixtures/parity/${model}`);
  const { checkpoint } = await openParts(folder(words ? 'distilbert-masked-lm' : 'bert-sequence-classification'));
  const from = words ? checkpoint : withLayers(checkpoint, [1]);
  const model = parseModel(from.config, 'config.json', new Set(from.tensors.keys()), head);
  const arena = new ParameterArena(declarationsOf(model));
  await fillArena(model, from, arena);
  const teacher = await loadPretrained(folder(words ? 'bert-pretraining' : 'bert-sequence-classification'), { head });
  const tensor = (values: number[] | number[][]) => {
    const [first] = values;
    return int32(Array.isArray(first) ? [values.length, first.length] : [values.length], values.flat());
  };
  const labels = tensor(batch.labels);
  const inputs: Tensors = {
    inputIds: tensor(batch.input_ids),
    attentionMask: tensor(batch.attention_mask),
    ...(words ? gatherTargets(labels) : { labels }),
  };
  const distillation: Distillation = {
    teacher: teacher.model,
    temperature: expected.temperature,
    weights: expected.weights,
    layers: words ? [1, 0] : [1],
  };
  const traced = traceLoss(model, { training: true, smoothing: 0, padded: true, targetsOnly: words, distillation });
  const constants = Object.fromEntries(Object.entries(teacher.arena.tensors).map(([p, t]) => [`teacher.${p}`, t]));
  return { model, arena, teacher, inputs, distillation, traced, constants };
}

const scaleNames: Readonly<Record<string, string>> = { labels: 'lossScale' };

describe('a student and its teacher in one graph', () => {
  it.each(['words', 'classes'] as const)('have the losses and the gradients of PyTorch: %s', async (name) => {
    const { model, arena, teacher, inputs, distillation, traced, constants } = await open(name);
    const frozen = teacher.arena.data.slice();
    const runtime = createReferenceRuntime();
    const step = await TrainStep.create(runtime, traced.graph, arena, {
      optimizer: { name: 'sgd', momentum: 0, weightDecay: 0 },
      clipNorm: null,
      constants,
    });
    const scales = lossScales(model, [inputs], distillation);
    const dropoutSeeds = [[1, 2] as const];
    const run = { micros: [inputs], targetTokens: 1, scales, learningRate: 0.1, dropoutSeeds };
    const { loss, terms, gradientNorm } = await step.run(run);
    const theirs = expected[name] as Case;
    expect(Math.abs(loss / theirs.loss - 1)).toBeLessThan(1e-5);
    for (const [term, value] of Object.entries(theirs.terms)) {
      expect(terms[scaleNames[term] ?? `${term}Scale`], term).toBeCloseTo(value, 5);
    }
    expect(Math.abs(gradientNorm / theirs.gradient_norm - 1)).toBeLessThan(1e-4);
    const views = arena.viewsOf(step.gradient);
    const gradients = await inCheckpoint(model, arena, (path) => views[path]!.data as Float32Array);
    for (const [key, norm] of Object.entries(theirs.gradient_norms)) {
      const own = Math.hypot(...gradients.get(key)!.data);
      expect(Math.abs(own - norm), key).toBeLessThan(2e-4 * Math.max(norm, 0.01 * theirs.gradient_norm));
    }
    expect(teacher.arena.data).toEqual(frozen);
  });

  it('have a gradient that finite differences confirm', async () => {
    const { model, arena, inputs, distillation, traced, constants } = await open('words');
    const scales = Object.entries(lossScales(model, [inputs], distillation)).map(([k, v]) => [k, scalar(v)]);
    const feeds = {
      ...arena.tensors,
      ...constants,
      ...inputs,
      ...Object.fromEntries(scales),
    };
    const found = evaluate(lossAndGradients(traced.graph, arena), feeds);
    const direction = arena.trained.map(({ path, size }) => [path, normal(deriveSeed(1, path), size)] as const);
    const analytic = direction.reduce((sum, [path, d]) => {
      const gradient = found[`gradient.${path}`]!.data;
      return sum + d.reduce((s, x, i) => s + x * gradient[i]!, 0);
    }, 0);
    const lossAt = (h: number): number => {
      const moved = direction.map(([path, d]) => {
        const { shape, data } = arena.tensors[path]!;
        return [
          path,
          float32(
            shape,
            Float32Array.from(data, (x, i) => x + h * d[i]!),
          ),
        ];
      });
      return evaluate(
        { outputs: { loss: traced.graph.outputs['loss']! }, names: new Map() },
        { ...feeds, ...Object.fromEntries(moved) },
      )['loss']!.data[0]!;
    };
    const h = 1e-3;
    const numeric = (lossAt(h) - lossAt(-h)) / (2 * h);
    expect(Math.abs(numeric - analytic)).toBeLessThan(2e-3 * Math.abs(analytic));
  });
});
