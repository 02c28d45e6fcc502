import { describe, expect, it } from 'vitest';
import { checkGradients } from '../../src/autodiff/checkGradients.ts';
import { float32, type HostTensor, int32 } from '../../src/base/tensor.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { reachable, type Value } from '../../src/graph/value.ts';
import { gelu } from '../../src/ops/activation.ts';
import { cast, erf, mul } from '../../src/ops/elementwise.ts';
import { expandComposites } from '../../src/ops/expandComposites.ts';
import { input } from '../../src/ops/leaf.ts';
import { crossEntropy } from '../../src/ops/loss.ts';
import { matmul } from '../../src/ops/matmul.ts';
import { layerNorm } from '../../src/ops/norm.ts';
import { hashBits } from '../../src/ops/random.ts';
import { argmax, cumsum, max, mean } from '../../src/ops/reduce.ts';
import { slice, transpose } from '../../src/ops/shape.ts';
import { softmax } from '../../src/ops/softmax.ts';
import { type OpName, ops } from '../../src/ops/table.ts';
import { createReferenceRuntime, evaluate } from '../../src/runtime/reference/reference.ts';
import type { Tensors } from '../../src/runtime/runtime.ts';
import { deviation } from './deviation.ts';
import { opsParityCases } from './opsParity.ts';
import { allSamples, buildSample, samples } from './samples.ts';

const inFloat64 = (graph: Graph, feeds: Tensors): Tensors => evaluate(graph, feeds, { keep: 'float64' });

/** fn(tensors) in float64, as plain numbers. */
function compute(fn: (...inputs: Value[]) => Value, ...tensors: HostTensor[]): number[] {
  const inputs = tensors.map(({ dtype, shape }, i) => input(`x${i}`, dtype, shape));
  const feeds = Object.fromEntries(tensors.map((tensor, i) => [`x${i}`, tensor]));
  return [...inFloat64({ outputs: { y: fn(...inputs) }, names: new Map() }, feeds)['y']!.data];
}

function expectClose(actual: readonly number[], expected: readonly number[], precision = 1e-14): void {
  expect(actual).toHaveLength(expected.length);
  actual.forEach((value, i) => {
    expect(Math.abs(value - expected[i]!), `element ${i}`).toBeLessThanOrEqual(
      precision * Math.max(1, Math.abs(expected[i]!)),
    );
  });
}

describe('the table of samples', () => {
  it('has a sample of every operator, whose graph has that operator', () => {
    expect(Object.keys(samples).sort()).toEqual(Object.keys(ops).sort());
    for (const { title, op, sample } of allSamples()) {
      const { output } = buildSample(op, sample);
      expect(
        reachable([output]).map((value) => value.op),
        title,
      ).toContain(op);
    }
  });

  it('names no two samples of an operator alike', () => {
    const titles = allSamples().map(({ title }) => title);
    expect(new Set(titles).size).toBe(titles.length);
  });
});

describe('reference kernels, by hand', () => {
  const matrix = float32([2, 3], [1, 2, 3, 4, 5, 6]);

  it('erf to 1e-15', () => {
    // Python 3.11, math.erf
    const expected: readonly (readonly [number, number])[] = [
      [1e-10, 1.1283791670955126e-10],
      [0.25, 0.2763263901682369],
      [0.5, 0.5204998778130465],
      [1, 0.8427007929497149],
      [-2, -0.9953222650189527],
      [4.5, 0.9999999998033839],
      [7, 1],
    ];
    const x = float32(
      [expected.length],
      Float64Array.from(expected, ([point]) => point),
    );
    expectClose(
      compute(erf, x),
      expected.map(([, value]) => value),
      1e-15,
    );
    expect(compute(erf, x)[0]! / 1.1283791670955126e-10).toBeCloseTo(1, 14);
  });

  it('matmul, transpose and slice', () => {
    expect(compute((a) => matmul(a, a, { transposeB: true }), matrix)).toEqual([14, 32, 32, 77]);
    expect(compute((a) => matmul(a, a, { transposeA: true, alpha: 2 }), matrix)).toEqual([
      34, 44, 54, 44, 58, 72, 54, 72, 90,
    ]);
    expect(compute((a) => transpose(a, [1, 0]), matrix)).toEqual([1, 4, 2, 5, 3, 6]);
    expect(compute((a) => slice(a, 1, 1, 3), matrix)).toEqual([2, 3, 5, 6]);
  });

  it('reductions and running sums', () => {
    expect(compute((a) => mean(a, [0]), matrix)).toEqual([2.5, 3.5, 4.5]);
    expect(compute((a) => max(a, [1]), matrix)).toEqual([3, 6]);
    expect(compute((a) => argmax(a, 1), float32([2, 3], [1, 7, 7, 5, 5, 5]))).toEqual([1, 0]);
    expect(compute((a) => cumsum(a, 1), matrix)).toEqual([1, 3, 6, 4, 9, 15]);
    expect(compute((a) => cumsum(a, 1, { exclusive: true }), matrix)).toEqual([0, 1, 3, 0, 4, 9]);
    expect(compute((a) => cumsum(a, 1, { exclusive: true, reverse: true }), matrix)).toEqual([5, 3, 0, 11, 6, 0]);
    expect(compute((a) => cumsum(a, 0, { reverse: true }), matrix)).toEqual([5, 7, 9, 4, 5, 6]);
  });

  it('softmax of ordinary, huge and masked rows', () => {
    const third = 1 / (1 + 2 + 5);
    const rows = float32(
      [4, 3],
      Float64Array.from([0, Math.log(2), Math.log(5), 5000, 5000, -1e30, 1, -Infinity, 1, -1e30, -1e30, -1e30]),
    );
    expectClose(compute(softmax, rows), [third, 2 * third, 5 * third, 0.5, 0.5, 0, 0.5, 0, 0.5, 1 / 3, 1 / 3, 1 / 3]);
    expect(compute(softmax, float32([1, 2], [-Infinity, -Infinity]))).toEqual([NaN, NaN]);
  });

  it('layerNorm, gelu and crossEntropy', () => {
    // mean 2.5, variance 1.25 and ε = 1: standard deviation 1.5
    const x = float32([4], [1, 2, 3, 4]);
    const weight = float32([4], [1, 1, 3, 3]);
    const bias = float32([4], [0, 0, 0, 1]);
    expectClose(
      compute((a, w, b) => layerNorm(a, w, b, 1), x, weight, bias),
      [-1, -1 / 3, 1, 4],
    );
    // ½ (1 + erf(1/√2)) = 0.8413447460685429, the normal distribution at 1
    expectClose(
      compute((a) => gelu(a), float32([2], [1, -1])),
      [0.8413447460685429, -0.15865525393145707],
    );
    // p = (⅛, ¼, ⅝): −log ¼, and with ε = 0.3 −0.7 log ¼ − 0.1 (log ⅛ + log ¼ + log ⅝)
    const logits = float32(
      [3, 3],
      Float64Array.from({ length: 9 }, (_, i) => Math.log([1, 2, 5][i % 3]!)),
    );
    const labels = int32([3], [1, -100, 1]);
    expectClose(
      compute((z, y) => crossEntropy(z, y), logits, labels),
      [Math.log(4), 0, Math.log(4)],
    );
    const smoothed = 0.7 * Math.log(4) + 0.1 * (Math.log(8) + Math.log(4) + Math.log(1.6));
    expectClose(
      compute((z, y) => crossEntropy(z, y, { smoothing: 0.3 }), logits, labels),
      [smoothed, 0, smoothed],
    );
  });

  it('int32 wraps around as in ONNX, and casts toward zero', () => {
    const large = 0x7fffffff;
    expect(compute(mul, int32([3], [large, 65537, large]), int32([3], [3, 65537, large]))).toEqual([
      0x7ffffffd, 131073, 1,
    ]);
    expect(compute((x) => cast(x, 'int32'), float32([4], [1.9, -1.9, 0.5, -0.5]))).toEqual([1, -1, 0, 0]);
  });

  it("hashBits is murmur3's finaliser", () => {
    // Published test vectors of MurmurHash3_x86_32, for no bytes under these seeds: the finaliser alone.
    expect(compute((key) => hashBits(key, 1), int32([], [0]))).toEqual([0]);
    expect(compute((key) => hashBits(key, 1), int32([], [1]))).toEqual([0x514e28b7]);
    expect(compute((key) => hashBits(key, 1), int32([], [-1]))).toEqual([0x81f16f39 | 0]);
    expect(compute((key) => hashBits(key, 2), int32([], [0]))[1]).toBe(
      compute((key) => hashBits(key, 1), int32([], [0x9e3779b9 | 0]))[0],
    );
  });
});

describe('operators on the reference', () => {
  const cases = allSamples();

  it.each(cases.filter(({ sample }) => !sample.notDifferentiable))('gradient of $title', ({ op, sample }) => {
    const { tensors } = buildSample(op, sample);
    const shapes = sample.inputs.map(({ shape }) => shape);
    const check = checkGradients(sample.build, tensors, { evaluate: inFloat64, shapes, tolerance: 1e-6 });
    expect(check.inputs.length).toBeGreaterThan(0);
    expect(check, JSON.stringify(check.inputs)).toMatchObject({ passes: true });
  });

  it('differentiates every operator that has a derivative', () => {
    const checked = new Set(cases.filter(({ sample }) => !sample.notDifferentiable).map(({ op }) => op));
    const without = (Object.keys(ops) as OpName[]).filter((op) => {
      const { derivative } = ops[op];
      return typeof derivative !== 'function' && derivative.every((rule) => 'none' in rule);
    });
    expect(
      Object.keys(ops)
        .filter((op) => !checked.has(op as OpName))
        .sort(),
    ).toEqual(without.filter((op) => !checked.has(op)).sort());
  });

  it.each(cases.filter(({ op }) => op === 'crossEntropy' || op === 'linearCrossEntropy'))(
    '$title equals its expansion',
    ({ op, sample }) => {
      const { graph, feeds } = buildSample(op, sample);
      const expanded = expandComposites(graph);
      expect(reachable(Object.values(expanded.outputs)).map((value) => value.op)).not.toContain(op);
      const [direct, composed] = [graph, expanded].map((g) => inFloat64(g, feeds)['y']!);
      expect(deviation(composed!, direct!)).toBeLessThan(1e-7); // 1 − ε and ε are float32 in the expansion
    },
  );
});

describe('operators against PyTorch', async () => {
  const parity = await opsParityCases(createReferenceRuntime());

  it.each(parity)('$name', async ({ run }) => {
    const deviations = await run();
    expect(deviations.length).toBeGreaterThan(0);
    for (const { tensor, deviation: found } of deviations) expect(found, tensor).toBeLessThan(2e-6);
  });
});
