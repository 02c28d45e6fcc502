import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkGradients } from '../../src/autodiff/checkGradients.ts';
import { symbol } from '../../src/base/dim.ts';
import { deriveSeed, normal } from '../../src/base/random.ts';
import { float32, type HostTensor, int32 } from '../../src/base/tensor.ts';
import type { Graph } from '../../src/graph/graph.ts';
import type { Value } from '../../src/graph/value.ts';
import { gelu, relu } from '../../src/ops/activation.ts';
import { add, cast, exp, mul, sqrt, stopGradient, sub, tanh } from '../../src/ops/elementwise.ts';
import { constant, scalarConstant } from '../../src/ops/leaf.ts';
import { matmul } from '../../src/ops/matmul.ts';
import { layerNorm } from '../../src/ops/norm.ts';
import { sum } from '../../src/ops/reduce.ts';
import { softmax } from '../../src/ops/softmax.ts';
import { evaluate as evaluateGraph } from '../../src/runtime/reference/reference.ts';
import type { Tensors } from '../../src/runtime/runtime.ts';

const evaluate = (graph: Graph, feeds: Tensors): Tensors => evaluateGraph(graph, feeds, { keep: 'float64' });

function random(label: string, ...shape: number[]): HostTensor {
  const size = shape.reduce((a, b) => a * b, 1);
  return float32(shape, Float32Array.from(normal(deriveSeed(7, label), size)));
}

/** x itself with the gradient `factor` instead of 1: stop(x) + factor · (x − stop(x)). */
function misgraded(x: Value, factor: Value): Value {
  const held = stopGradient(x);
  return add(held, mul(sub(x, held), factor));
}

const functions: Readonly<Record<string, (inputs: Value[]) => Value>> = {
  tanh: ([x]) => tanh(x!),
  exp: ([x]) => exp(x!),
  softmax: ([x]) => softmax(x!),
  gelu: ([x]) => gelu(x!),
  'a linear layer': ([x]) => matmul(x!, constant(random('w', 4, 5))),
  'a norm': ([x]) => layerNorm(x!, constant(random('g', 4)), constant(random('b', 4)), 1e-5),
  'a loss': ([x]) => sum(mul(x!, x!), [0, 1]),
};

describe('checkGradients', () => {
  it.each(Object.entries(functions))('passes %s', (_, fn) => {
    const check = checkGradients(fn, [random('x', 3, 4)], { evaluate });
    expect(check.passes).toBe(true);
    expect(check.inputs[0]!.relativeError).toBeLessThan(1e-6);
  });

  it.each(Object.entries(functions))('catches a gradient of %s that is 0.1 %% too large', (_, fn) => {
    const wrong = ([x]: Value[]): Value => misgraded(fn([x!]), scalarConstant(1.001));
    const check = checkGradients(wrong, [random('x', 3, 4)], { evaluate });
    expect(check.passes).toBe(false);
    expect(check.inputs[0]!.relativeError).toBeGreaterThan(1e-4);
  });

  it('catches errors of 0.1 % of either sign, whatever the directions', () => {
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom(0.999, 1.001), fc.integer({ min: 1, max: 40 }), (seed, factor, size) => {
        const wrong = ([x]: Value[]): Value => tanh(misgraded(x!, scalarConstant(factor)));
        const x = random('x', size);
        expect(checkGradients(wrong, [x], { evaluate, seed }).passes).toBe(false);
        expect(checkGradients(([y]) => tanh(y!), [x], { evaluate, seed }).passes).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('catches one wrong element among twenty', () => {
    const factors = Float32Array.from({ length: 20 }, (_, i) => (i === 13 ? 1.001 : 1));
    const wrong = ([x]: Value[]): Value => tanh(misgraded(x!, constant(float32([20], factors))));
    expect(checkGradients(wrong, [random('x', 20)], { evaluate, directions: 8 }).passes).toBe(false);
  });

  it('says which input is wrong', () => {
    const fn = ([a, b]: Value[]): Value => matmul(a!, misgraded(b!, scalarConstant(1.01)));
    const check = checkGradients(fn, [random('a', 2, 3), random('b', 3, 2)], { evaluate });
    expect(check.inputs.map(({ relativeError }) => relativeError > 1e-5)).toEqual([false, true]);
    const { analytic, numeric } = check.inputs[1]!;
    expect(analytic / numeric).toBeCloseTo(1.01, 6);
  });

  it('catches a gradient that is missing', () => {
    const fn = ([x]: Value[]): Value => mul(x!, stopGradient(x!));
    expect(checkGradients(fn, [random('x', 3)], { evaluate }).passes).toBe(false);
    const none = checkGradients(([x]) => stopGradient(x!), [random('x', 3)], { evaluate });
    expect(none.inputs[0]!.relativeError).toBeCloseTo(1, 9);
  });

  it('passes a gradient that is 0', () => {
    const fn = ([x, y]: Value[]): Value => add(y!, mul(x!, scalarConstant(0)));
    expect(checkGradients(fn, [random('x', 3), random('y', 3)], { evaluate }).passes).toBe(true);
  });

  it('fails where the function is not smooth or not a number', () => {
    expect(checkGradients(([x]) => relu(x!), [float32([2], [0, 1])], { evaluate }).passes).toBe(false);
    const root = checkGradients(([x]) => sqrt(x!), [float32([2], [-1, 1])], { evaluate });
    expect(root.inputs[0]!.relativeError).toBe(Infinity);
  });

  it('follows inputs whatever their magnitude', () => {
    for (const scale of [1e-4, 1e4]) {
      const x = random('x', 6);
      const scaled = float32(
        x.shape,
        Float32Array.from(x.data, (v) => v * scale),
      );
      const fn = ([v]: Value[]): Value => mul(v!, mul(v!, v!));
      expect(checkGradients(fn, [scaled], { evaluate }).passes).toBe(true);
    }
  });

  it('takes symbolic shapes and leaves integers alone', () => {
    const fn = ([x, k]: Value[]): Value => mul(x!, cast(k!, 'float32'));
    const samples = [random('x', 2, 3), int32([3], [1, 2, 3])];
    const check = checkGradients(fn, samples, { evaluate, shapes: [[symbol('B'), 3], [3]] });
    expect(check).toMatchObject({ passes: true, inputs: [{ input: 0 }] });
  });

  it('refuses a result that is not float32', () => {
    expect(() => checkGradients(([x]) => cast(x!, 'int32'), [random('x', 2)], { evaluate })).toThrow(
      'checkGradients: got a result of int32, expected float32',
    );
  });
});
