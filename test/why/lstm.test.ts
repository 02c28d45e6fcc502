import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { gradients } from '../../src/autodiff/gradients.ts';
import { float32 } from '../../src/base/tensor.ts';
import type { Value } from '../../src/graph/value.ts';
import { Trace } from '../../src/nn/scope.ts';
import { input } from '../../src/ops/leaf.ts';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';
import { evaluate } from '../../src/runtime/reference/reference.ts';
import type { Tensors } from '../../src/runtime/runtime.ts';
import { lossAndGradients } from '../../src/train/gradientGraph.ts';
import { lstm } from '../../src/why/lstm.ts';
import { LstmLearner, traceChunk } from '../../src/why/lstmLearner.ts';

interface Layer {
  readonly input: number[];
  readonly recurrent: number[];
  readonly bias: number[];
}

/** What `torch.nn.LSTM` gave: fixtures/why/lstm.py. */
const expected = JSON.parse(readFileSync(new URL('../../fixtures/why/lstm.json', import.meta.url), 'utf8')) as {
  readonly batch: number;
  readonly length: number;
  readonly width: number;
  readonly hidden: number;
  readonly x: number[];
  readonly seed: number[];
  readonly weights: Layer[];
  readonly y: number[];
  readonly gradients: Layer[];
  readonly xGradient: number[];
};

function expectClose(found: ArrayLike<number>, wanted: readonly number[], tolerance: number): void {
  expect(found.length).toBe(wanted.length);
  const worst = wanted.reduce((most, value, i) => Math.max(most, Math.abs(value - found[i]!)), 0);
  expect(worst).toBeLessThan(tolerance);
}

describe('lstm', () => {
  it("equals PyTorch's nn.LSTM, two layers deep, and so do all its gradients", () => {
    const { batch, length, width, hidden } = expected;
    const trace = new Trace();
    const x = input('x', 'float32', [length * batch, width]);
    const zero = input('zero', 'float32', [batch, hidden]);
    let rows: Value = x;
    for (const [i, from] of [width, hidden].entries()) {
      const state = { hidden: zero, cell: zero };
      rows = lstm(trace.root.at(i), rows, state, { batch, length }, { from, width: hidden }).rows;
    }
    const names = [...trace.parameters.keys()];
    const wrt = [x, ...names.map((name) => trace.parameters.get(name)!.value)];
    const all = gradients([{ value: rows, seed: input('seed', 'float32', rows.shape) }], wrt);
    const shapes: Record<string, number[]> = {
      input: [0, 4 * hidden],
      recurrent: [hidden, 4 * hidden],
      bias: [4 * hidden],
    };
    const feeds: Record<string, Tensors[string]> = {
      x: float32([length * batch, width], expected.x),
      zero: float32([batch, hidden], new Float32Array(batch * hidden)),
      seed: float32([length * batch, hidden], expected.seed),
    };
    for (const [i, layer] of expected.weights.entries()) {
      for (const [name, values] of Object.entries(layer)) {
        const shape = name === 'input' ? [i === 0 ? width : hidden, 4 * hidden] : shapes[name]!;
        feeds[`${i}.${name}`] = float32(shape, Float64Array.from(values as number[]));
      }
    }
    const outputs = { y: rows, ...Object.fromEntries(all.map((value, i) => [i === 0 ? 'x' : names[i - 1]!, value])) };
    const found = evaluate({ outputs, names: new Map() }, feeds, { keep: 'float64' });
    expectClose(found['y']!.data, expected.y, 1e-6);
    expectClose(found['x']!.data, expected.xGradient, 1e-6);
    for (const [i, layer] of expected.gradients.entries()) {
      for (const [name, values] of Object.entries(layer)) {
        expectClose(found[`${i}.${name}`]!.data, values as number[], 2e-6);
      }
    }
  });
});

describe('LstmLearner', () => {
  const config = { vocabSize: 11, width: 8, layers: 2, forgetShift: 0.5 };
  const [batch, length] = [4, 48];
  const ids = Int32Array.from({ length: batch * length }, (_, i) => (i * i + 3 * i) % 11);
  const labels = ids.map((id, i) => (i % 5 === 0 ? -100 : (id * 2 + 1) % 11));

  it('in chunks takes the step that the whole sequence takes', async () => {
    await using runtime = await createNodeRuntime({ lanes: 2, threads: 1, spinning: false });
    using learner = await LstmLearner.create(runtime, config, { batch, length, seed: 3 });
    const weights = Float32Array.from(learner.arena.data);
    const loss = await learner.step({ ids, labels }, 1e-3);

    const { trace, loss: whole, before } = traceChunk(config, batch, length);
    const graph = lossAndGradients(trace.graph({ loss: whole }), learner.arena);
    const targets = labels.filter((label) => label >= 0).length;
    const feeds: Tensors = {
      ...Object.fromEntries(
        Object.keys(before).map((name) => [name, float32([batch, 8], new Float32Array(batch * 8))]),
      ),
      ...learner.arena.viewsOf(weights),
      ids: { dtype: 'int32', shape: [batch, length], data: ids },
      labels: { dtype: 'int32', shape: [batch, length], data: labels },
      lossScale: float32([], [1 / targets]),
    };
    const outputs = evaluate(graph, feeds);
    expect(loss).toBeCloseTo(outputs['loss']!.data[0]!, 5);
    for (const [path, gradient] of Object.entries(learner.arena.viewsOf(learner.gradient))) {
      const wanted = [...outputs[`gradient.${path}`]!.data];
      expect(Math.max(...wanted.map(Math.abs))).toBeGreaterThan(1e-4);
      expectClose(gradient.data, wanted, 1e-6);
    }
    // the first step of Adam has the size of the rate
    const moved = weights.map((weight, i) => Math.abs(learner.arena.data[i]! - weight));
    expect(moved.reduce((a, b) => Math.max(a, b))).toBeCloseTo(1e-3, 5);
  });

  it('knows how far an input reaches: the gradient of the last output, at each position', async () => {
    await using runtime = await createNodeRuntime({ lanes: 2, threads: 1, spinning: false });
    using learner = await LstmLearner.create(runtime, config, { batch, length, seed: 3 });
    const seed = Float32Array.from({ length: batch * 8 }, (_, i) => Math.sin(i));
    const found = await learner.reach(ids, seed);

    const { trace, embedding, rows, before } = traceChunk(config, batch, length);
    const { 'output.weight': _, ...withoutOutput } = learner.arena.tensors;
    const rowSeed = input('seed', 'float32', rows.shape);
    const [toEmbedding] = gradients([{ value: rows, seed: rowSeed }], [embedding]);
    const seeds = new Float32Array(length * batch * 8);
    seeds.set(seed, (length - 1) * batch * 8);
    const outputs = evaluate(trace.graph({ g: toEmbedding! }), {
      ...Object.fromEntries(
        Object.keys(before).map((name) => [name, float32([batch, 8], new Float32Array(batch * 8))]),
      ),
      ...withoutOutput,
      ids: { dtype: 'int32', shape: [batch, length], data: ids },
      seed: float32([length * batch, 8], seeds),
    });
    const wanted = Array.from({ length }, (_, t) => {
      const part = [...outputs['g']!.data].slice(t * batch * 8, (t + 1) * batch * 8);
      return Math.sqrt(part.reduce((total, x) => total + x * x, 0) / part.length);
    });
    wanted.forEach((value, t) => {
      expect(found[t]! / value).toBeCloseTo(1, 4);
    });
  });

  it('learns', async () => {
    await using runtime = await createNodeRuntime({ lanes: 2, threads: 1, spinning: false });
    using learner = await LstmLearner.create(runtime, config, { batch, length, seed: 3 });
    const before = await learner.measure({ ids, labels });
    for (let i = 0; i < 60; i++) await learner.step({ ids, labels }, 1e-2);
    const after = await learner.measure({ ids, labels });
    expect(before.accuracy).toBeLessThan(0.5);
    expect(after.accuracy).toBeGreaterThan(0.9);
    expect(after.loss).toBeLessThan(before.loss / 2);
  });
});
