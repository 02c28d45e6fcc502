import { describe, expect, it } from 'vitest';
import { type Dim, dimMul, symbol } from '../../src/base/dim.ts';
import { QkvError } from '../../src/base/errors.ts';
import { bool, float32, int32 } from '../../src/base/tensor.ts';
import type { Graph } from '../../src/graph/graph.ts';
import type { Value } from '../../src/graph/value.ts';
import { add, mul } from '../../src/ops/elementwise.ts';
import { gather, scatterAdd, takeAlong } from '../../src/ops/gather.ts';
import { input, parameter, scalarConstant } from '../../src/ops/leaf.ts';
import { crossEntropy } from '../../src/ops/loss.ts';
import { slice } from '../../src/ops/shape.ts';
import { createReferenceRuntime, evaluate } from '../../src/runtime/reference/reference.ts';

const [B, T] = ['B', 'T'].map(symbol) as [Dim, Dim];
const graphOf = (outputs: Graph['outputs']): Graph => ({ outputs, names: new Map() });

function errorOf(run: () => unknown): QkvError {
  try {
    run();
  } catch (error) {
    if (error instanceof QkvError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('evaluate', () => {
  const graph = graphOf({ y: add(input('a', 'float32', [B, T]), input('b', 'float32', [T])) });
  const a = float32([2, 3], [1, 2, 3, 4, 5, 6]);
  const b = float32([3], [10, 20, 30]);

  it('reads the symbols from the feeds', () => {
    expect(evaluate(graph, { a, b })['y']).toEqual(float32([2, 3], [11, 22, 33, 14, 25, 36]));
    const narrow = { a: float32([1, 1], [1]), b: float32([1], [2]) };
    expect(evaluate(graph, narrow)['y']).toEqual(float32([1, 1], [3]));
  });

  it('computes in float64 and rounds what it gives, unless float64 is kept', () => {
    const third = graphOf({ y: mul(input('x', 'float32', []), input('x2', 'float32', [])) });
    const feeds = { x: float32([], Float64Array.of(1 / 3)), x2: float32([], Float64Array.of(3)) };
    expect(evaluate(third, feeds, { keep: 'float64' })['y']!.data).toEqual(Float64Array.of(1));
    const product = graphOf({ y: mul(input('x', 'float32', []), scalarConstant(1)) });
    const x = float32([], Float64Array.of(1 / 3));
    expect(evaluate(product, { x })['y']!.data).toEqual(Float32Array.of(1 / 3));
    expect(evaluate(product, { x }, { keep: 'float64' })['y']!.data).toEqual(Float64Array.of(1 / 3));
  });

  it('does not share memory between results and feeds', () => {
    const x = int32([2], [1, 2]);
    const y = evaluate(graphOf({ y: input('x', 'int32', [2]) }), { x })['y']!;
    y.data[0] = 9;
    expect(x.data[0]).toBe(1);
  });

  it.each([
    ['a missing feed', 'runtime', /nothing for b/, { a }],
    ['an unexpected feed', 'runtime', /unexpected c/, { a, b, c: b }],
    ['another type', 'dtype', /feed b of graph: got int32, expected float32/, { a, b: int32([3], [1, 2, 3]) }],
    ['another rank', 'shape', /got \[2\], expected \[B, T\]/, { a: float32([2], [1, 2]), b }],
    [
      'another size of a symbol',
      'shape',
      /got \[2\], expected \[T\] with \{"B":2,"T":3\}/,
      { a, b: float32([2], [1, 2]) },
    ],
    ['data of another length', 'shape', /got 2 elements, expected 3/, { a, b: { ...b, data: Float32Array.of(1, 2) } }],
  ])('refuses %s', (_, code, message, feeds) => {
    const error = errorOf(() => evaluate(graph, feeds));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  it('checks compound extents when all symbols are known', () => {
    const flat = graphOf({ y: input('flat', 'float32', [dimMul(B, T)]), a: input('a', 'float32', [B, T]) });
    expect(evaluate(flat, { flat: float32([6], new Float32Array(6)), a })['y']!.shape).toEqual([6]);
    expect(errorOf(() => evaluate(flat, { flat: float32([5], new Float32Array(5)), a })).code).toBe('shape');
  });

  it('refuses a name that is an input and a parameter', () => {
    const both = graphOf({ y: add(input('x', 'float32', []), parameter('x', [])) });
    expect(errorOf(() => evaluate(both, { x: float32([], [1]) })).code).toBe('graph');
  });

  it.each([
    ['gather', 'index 2 at position 1, expected 0 ≤ index < 2', [0, 2]],
    ['scatterAdd', 'index 2 at position 1, expected 0 ≤ index < 2', [0, 2]],
    ['takeAlong', 'index -1 at position 0, expected 0 ≤ index < 3', [-1, 0]],
    ['crossEntropy', 'label 7 at position 1, expected 0 ≤ label < 3', [-100, 7]],
  ])('%s names index and bound where an index is out of range', (op, message, indices) => {
    const [x, rows] = ['a', 'rows'].map((name) => input(name, 'float32', [2, 3])) as [Value, Value];
    const i = input('i', 'int32', [2]);
    const results: Record<string, Value> = {
      gather: gather(x, i),
      scatterAdd: scatterAdd(x, i, rows),
      takeAlong: takeAlong(x, i),
      crossEntropy: crossEntropy(x, i),
    };
    const error = errorOf(() =>
      evaluate(graphOf({ y: results[op]!, rows, x }), { a, rows: a, i: int32([2], indices) }),
    );
    expect(error.code).toBe('runtime');
    expect(error.message).toContain(`${op}: got ${message}`);
  });

  it('refuses a slice beyond an extent that became known at run time', () => {
    const beyond = graphOf({ y: slice(input('a', 'float32', [B, T]), 1, 1, 5) });
    expect(errorOf(() => evaluate(beyond, { a })).message).toContain('got 1..5, expected 0 ≤ start ≤ end ≤ 3');
  });
});

describe('the reference runtime', () => {
  it('runs calls in order, later ones seeing what earlier ones wrote', async () => {
    await using runtime = createReferenceRuntime();
    const doubled = graphOf({ y: mul(input('x', 'float32', [2]), scalarConstant(2)) });
    using program = await runtime.compile(doubled, { label: 'double' });
    expect(program).toMatchObject({ label: 'double', feeds: ['x'], fetches: ['y'] });
    const shared = float32([2], new Float32Array(new SharedArrayBuffer(8)));
    shared.data.set([1, 2]);
    const results = await runtime.run([
      { program, feeds: { x: shared }, into: { y: shared } },
      { program, feeds: { x: shared } },
    ]);
    expect(results).toEqual([{}, { y: float32([2], [4, 8]) }]);
    expect([...shared.data]).toEqual([2, 4]);
  });

  it('refuses targets that do not fit, disposed programs and those of another runtime', async () => {
    await using runtime = createReferenceRuntime();
    const program = await runtime.compile(graphOf({ y: input('x', 'float32', [2]) }));
    const feeds = { x: float32([2], [1, 2]) };
    const attempts = {
      'no output of this name': { program, feeds, into: { z: float32([2], [0, 0]) } },
      'float32[1]': { program, feeds, into: { y: float32([1], [0]) } },
      'bool[2]': { program, feeds, into: { y: bool([2], [0, 0]) } },
      'another runtime': { program: { ...program, [Symbol.dispose]: () => {} }, feeds },
    };
    for (const [message, call] of Object.entries(attempts)) await expect(runtime.run([call])).rejects.toThrow(message);
    program[Symbol.dispose]();
    await expect(runtime.run([{ program, feeds }])).rejects.toThrow('disposed');
  });
});
