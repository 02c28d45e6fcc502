import { describe, expect, it } from 'vitest';
import { checkGradients } from '../../src/autodiff/checkGradients.ts';
import { gradients, unbroadcast } from '../../src/autodiff/gradients.ts';
import { type Dim, dimText, symbol } from '../../src/base/dim.ts';
import { QkvError } from '../../src/base/errors.ts';
import { deriveSeed, normal } from '../../src/base/random.ts';
import { float32, type HostTensor, int32 } from '../../src/base/tensor.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { reachable, type Value } from '../../src/graph/value.ts';
import { gelu, relu, silu } from '../../src/ops/activation.ts';
import * as e from '../../src/ops/elementwise.ts';
import { gather } from '../../src/ops/gather.ts';
import { constant, input, scalarConstant } from '../../src/ops/leaf.ts';
import { crossEntropy, linearCrossEntropy } from '../../src/ops/loss.ts';
import { matmul } from '../../src/ops/matmul.ts';
import { layerNorm, rmsNorm } from '../../src/ops/norm.ts';
import { cumsum, max, mean, sum } from '../../src/ops/reduce.ts';
import { expand } from '../../src/ops/shape.ts';
import { logSoftmax, softmax } from '../../src/ops/softmax.ts';
import { evaluate as evaluateGraph } from '../../src/runtime/reference/reference.ts';
import type { Tensors } from '../../src/runtime/runtime.ts';

const evaluate = (graph: Graph, feeds: Tensors): Tensors => evaluateGraph(graph, feeds, { keep: 'float64' });

function random(label: string, ...shape: number[]): HostTensor {
  const size = shape.reduce((a, b) => a * b, 1);
  return float32(shape, Float32Array.from(normal(deriveSeed(11, label), size)));
}

function ones(value: Value): Value {
  return expand(scalarConstant(1), value.shape);
}

/** Gradients of Σ fn(tensors), as plain numbers. */
function grad(fn: (inputs: Value[]) => Value, ...tensors: HostTensor[]): number[][] {
  const inputs = tensors.map(({ dtype, shape }, i) => input(`x${i}`, dtype, shape));
  const y = fn(inputs);
  const wrt = inputs.filter(({ dtype }) => dtype === 'float32');
  const found = gradients([{ value: y, seed: ones(y) }], wrt);
  const fed = Object.fromEntries(inputs.map((value, i) => [`x${i}`, value]));
  const outputs = { ...fed, ...Object.fromEntries(found.map((g, i) => [`g${i}`, g])) };
  const feeds = Object.fromEntries(tensors.map((tensor, i) => [`x${i}`, tensor]));
  const results = evaluate({ outputs, names: new Map() }, feeds);
  return wrt.map((_, i) => [...results[`g${i}`]!.data]);
}

function errorOf(run: () => unknown): QkvError {
  try {
    run();
  } catch (error) {
    if (error instanceof QkvError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('gradients', () => {
  it('adds up what several uses contribute', () => {
    // d(x² + 3x + x y)/dx = 2x + 3 + y
    const fn = ([x, y]: Value[]): Value => e.add(e.add(e.mul(x!, x!), e.mul(x!, scalarConstant(3))), e.mul(x!, y!));
    expect(grad(fn, float32([2], [1, 2]), float32([2], [10, 20]))).toEqual([
      [15, 27],
      [1, 2],
    ]);
  });

  it('adds up several outputs, and one output named twice', () => {
    const x = input('x', 'float32', [2]);
    const [square, triple] = [e.mul(x, x), e.mul(x, scalarConstant(3))];
    const [g] = gradients(
      [square, triple, square].map((value) => ({ value, seed: ones(value) })),
      [x],
    );
    const y = evaluate({ outputs: { g: g! }, names: new Map() }, { x: float32([2], [1, 5]) });
    expect([...y['g']!.data]).toEqual([7, 23]); // 2 · 2x + 3
  });

  it('goes through values in the middle as well as leaves', () => {
    const x = input('x', 'float32', []);
    const middle = e.mul(x, x);
    const y = e.mul(middle, x);
    const [gMiddle, gx] = gradients([{ value: y, seed: scalarConstant(1) }], [middle, x]);
    const results = evaluate({ outputs: { gMiddle: gMiddle!, gx: gx! }, names: new Map() }, { x: float32([], [2]) });
    expect([...results['gMiddle']!.data, ...results['gx']!.data]).toEqual([2, 12]);
  });

  it('sums over broadcast axes', () => {
    const fn = ([a, b, c]: Value[]): Value => e.mul(e.add(a!, b!), c!);
    const [ga, gb, gc] = grad(
      fn,
      float32([2, 3], [1, 2, 3, 4, 5, 6]),
      float32([3], [1, 1, 1]),
      float32([2, 1], [2, 10]),
    );
    expect(ga).toEqual([2, 2, 2, 10, 10, 10]);
    expect(gb).toEqual([12, 12, 12]);
    expect(gc).toEqual([9, 18]);
  });

  it('sums over symbolic axes, but not over one that merely may be 1', () => {
    const [B, T] = ['B', 'T'].map(symbol) as [Dim, Dim];
    const g = input('g', 'float32', [B, T, 4]);
    const shapeOf = (value: Value): string => value.shape.map(dimText).join();
    expect(shapeOf(unbroadcast(g, [T, 1]))).toBe('T,1');
    expect(shapeOf(unbroadcast(g, []))).toBe('');
    expect(unbroadcast(g, [B, T, 4])).toBe(g);
  });

  it('gives zeros for what does not matter, and leaves its computation out', () => {
    const [x, y] = ['x', 'y'].map((name) => input(name, 'float32', [2])) as [Value, Value];
    const [gy, gStopped] = gradients([{ value: e.mul(x, e.stopGradient(y)), seed: ones(x) }], [y, y]);
    for (const g of [gy!, gStopped!]) {
      expect([...evaluate({ outputs: { g }, names: new Map() }, {})['g']!.data]).toEqual([0, 0]);
    }
    const w = input('w', 'float32', [2, 2]);
    const product = matmul(input('a', 'float32', [2, 2]), w);
    const [gw] = gradients([{ value: e.tanh(product), seed: ones(product) }], [w]);
    const used = reachable([gw!]);
    expect(used.filter(({ op }) => op === 'matmul')).toHaveLength(2); // forward, and aᵀ g: no product for the gradient of a
  });

  it('passes nothing through integers, booleans and stopGradient', () => {
    const throughInts = ([x]: Value[]): Value => {
      const k = e.cast(x!, 'int32');
      return e.add(x!, e.cast(e.mul(k, k), 'float32'));
    };
    expect(grad(throughInts, float32([2], [1.5, 2.5]))).toEqual([[1, 1]]);
    const throughBools = ([x]: Value[]): Value => e.add(x!, e.cast(e.greater(x!, scalarConstant(0)), 'float32'));
    expect(grad(throughBools, float32([2], [-1, 1]))).toEqual([[1, 1]]);
    expect(grad(([x]) => e.mul(x!, e.stopGradient(x!)), float32([2], [3, 4]))).toEqual([[3, 4]]);
  });

  it('shares the gradient out at a tie, and takes 0 at the kinks of relu and abs', () => {
    const [a, b] = [float32([3], [1, 2, 3]), float32([3], [1, 3, 2])];
    expect(grad(([x, y]) => e.maximum(x!, y!), a, b)).toEqual([
      [0.5, 0, 1],
      [0.5, 1, 0],
    ]);
    expect(grad(([x, y]) => e.minimum(x!, y!), a, b)).toEqual([
      [0.5, 1, 0],
      [0.5, 0, 1],
    ]);
    expect(grad(([x]) => max(x!, [1]), float32([2, 3], [1, 2, 2, 7, 5, 5]))).toEqual([[0, 0.5, 0.5, 1, 0, 0]]);
    expect(grad(([x]) => relu(x!), float32([3], [-1, 0, 1]))).toEqual([[0, 0, 1]]);
    expect(grad(([x]) => e.abs(x!), float32([3], [-2, 0, 2]))).toEqual([[-1, 0, 1]]);
  });

  it('passes no gradient to an untrained row of a table', () => {
    const index = int32([4], [1, 0, 1, 2]);
    const fn = ([table, i]: Value[]): Value => gather(table!, i!, 1);
    expect(grad(fn, random('table', 3, 2), index)).toEqual([[1, 1, 0, 0, 1, 1]]);
  });

  it('adds up the rows that are looked up twice', () => {
    const fn = ([table, i]: Value[]): Value => gather(table!, i!);
    expect(grad(fn, random('table', 3, 2), int32([4], [1, 0, 1, 1]))).toEqual([[1, 1, 3, 3, 0, 0]]);
  });

  it('refuses what cannot be differentiated', () => {
    const x = input('x', 'float32', [2]);
    const k = input('k', 'int32', [2]);
    const isPositive = e.greater(x, scalarConstant(0));
    const attempts = {
      'greater: got a value of bool': () => gradients([{ value: isPositive, seed: ones(x) }], [x]),
      'input: got a value of int32': () => gradients([{ value: x, seed: ones(x) }], [k]),
      "seed: got [], expected the output's shape [2]": () => gradients([{ value: x, seed: scalarConstant(1) }], [x]),
    };
    for (const [message, run] of Object.entries(attempts)) {
      const error = errorOf(run);
      expect(error.code).toBe('gradient');
      expect(error.message).toContain(message);
    }
  });
});

describe('second derivatives', () => {
  it('of x³ and exp(2x) are 6x and 4 exp(2x)', () => {
    const second = (f: (x: Value) => Value) => (inputs: Value[]) => {
      const y = f(inputs[0]!);
      return gradients([{ value: y, seed: ones(y) }], inputs)[0]!;
    };
    expect(
      grad(
        second((x) => e.pow(x, 3)),
        float32([3], [1, -2, 0.5]),
      ),
    ).toEqual([[6, -12, 3]]);
    const twice = grad(
      second((x) => e.exp(e.mul(x, scalarConstant(2)))),
      float32([2], [0, 1]),
    )[0]!;
    expect(twice[0]).toBe(4);
    expect(twice[1]).toBeCloseTo(4 * Math.exp(2), 12);
  });

  const matrix = random('x', 3, 4);
  const labels = constant(int32([3], [2, -100, 0]));
  const cases: Readonly<Record<string, readonly [(inputs: Value[]) => Value, ...HostTensor[]]>> = {
    tanh: [([x]) => e.tanh(x!), matrix],
    sigmoid: [([x]) => e.sigmoid(x!), matrix],
    erf: [([x]) => e.erf(x!), matrix],
    gelu: [([x]) => gelu(x!), matrix],
    'gelu, tanh': [([x]) => gelu(x!, 'tanh'), matrix],
    silu: [([x]) => silu(x!), matrix],
    'sqrt and log of a square': [([x]) => e.log(e.sqrt(e.add(e.mul(x!, x!), scalarConstant(1)))), matrix],
    division: [([x, y]) => e.div(x!, e.add(e.mul(y!, y!), scalarConstant(1))), matrix, random('y', 4)],
    reciprocal: [([x]) => e.reciprocal(e.add(e.mul(x!, x!), scalarConstant(1))), matrix],
    'mean, cumsum': [([x]) => e.pow(cumsum(mean(x!, [0]), 0), 3), matrix],
    softmax: [([x]) => softmax(x!), matrix],
    logSoftmax: [([x]) => logSoftmax(x!), matrix],
    layerNorm: [([x, w, b]) => layerNorm(x!, w!, b!, 1e-5), matrix, random('w', 4), random('b', 4)],
    rmsNorm: [([x, w]) => rmsNorm(x!, w!, 1e-6), matrix, random('w', 4)],
    crossEntropy: [([x]) => crossEntropy(x!, labels, { smoothing: 0.1 }), matrix],
    linearCrossEntropy: [
      ([h, w, b]) => linearCrossEntropy(h!, w!, b!, labels, { smoothing: 0.1 }),
      matrix,
      random('v', 5, 4),
      random('c', 5),
    ],
    attention: [
      ([q, k, v]) => matmul(softmax(matmul(q!, k!, { transposeB: true, alpha: 0.5 })), v!),
      random('q', 2, 3, 4),
      random('k', 2, 5, 4),
      random('v', 2, 5, 4),
    ],
  };

  it.each(Object.entries(cases))('of %s', (_, [fn, ...tensors]) => {
    // The sum of all first derivatives, each weighted so that none cancels another.
    const slope = (inputs: Value[]): Value => {
      const y = fn(inputs);
      const seed = constant(random('seed', ...(y.shape as number[])));
      const parts = gradients([{ value: y, seed }], inputs).map((g, i) =>
        sum(
          e.mul(g, constant(random(`weight${i}`, ...(g.shape as number[])))),
          g.shape.map((_dim, axis) => axis),
        ),
      );
      return parts.reduce((a, b) => e.add(a, b));
    };
    const check = checkGradients(slope, tensors, { evaluate });
    expect(check.passes, JSON.stringify(check.inputs)).toBe(true);
  });
});
