import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { symbol } from '../../src/base/dim.ts';
import { QkvError } from '../../src/base/errors.ts';
import { float32 } from '../../src/base/tensor.ts';
import { fetch, findValue, type Graph, leaves } from '../../src/graph/graph.ts';
import { printGraph } from '../../src/graph/print.ts';
import { bind, dedupe, substitute } from '../../src/graph/rewrite.ts';
import { reachable, type Value } from '../../src/graph/value.ts';
import { add, cast, exp, mul, sub, tanh } from '../../src/ops/elementwise.ts';
import { constant, dimSize, input, iota, parameter, scalarConstant } from '../../src/ops/leaf.ts';
import { sum } from '../../src/ops/reduce.ts';
import { pad, reshape, slice } from '../../src/ops/shape.ts';
import { evaluate } from '../../src/runtime/reference/reference.ts';

const B = symbol('B');
const T = symbol('T');
const graphOf = (outputs: Graph['outputs'], names: Readonly<Record<string, Value>> = {}): Graph => ({
  outputs,
  names: new Map(Object.entries(names)),
});
const count = (graph: Graph, op?: string): number =>
  reachable(Object.values(graph.outputs)).filter((value) => op === undefined || value.op === op).length;

describe('dedupe', () => {
  it('makes one value of equal expressions', () => {
    const make = (): Value => {
      const x = input('x', 'float32', [B]);
      return mul(exp(x), scalarConstant(2));
    };
    const graph = dedupe(graphOf({ a: make(), b: make(), sum: add(make(), make()) }));
    expect(count(graph)).toBe(5); // x, exp, 2, mul, add
    expect(graph.outputs['a']).toBe(graph.outputs['b']);
  });

  it('keeps apart what differs in an attribute, a type or a constant', () => {
    const x = input('x', 'float32', [4]);
    const pairs: readonly (readonly [Value, Value])[] = [
      [slice(x, 0, 0, 2), slice(x, 0, 2, 4)],
      [pad(x, 0, 1, 0, Infinity), pad(x, 0, 1, 0, -Infinity)],
      [cast(x, 'int32'), cast(x, 'bool')],
      [scalarConstant(1), scalarConstant(2)],
      [constant(float32([1], [1])), constant(float32([], [1]))],
      [sub(x, exp(x)), sub(exp(x), x)],
      [iota(B), iota(T)],
    ];
    for (const [a, b] of pairs) {
      const graph = dedupe(graphOf({ a, b }));
      expect(graph.outputs['a'], a.op).not.toBe(graph.outputs['b']);
    }
  });

  it('maps names too, and changes no result', () => {
    // Random expressions over two leaves; equal parts arise often.
    const expression = fc.letrec<{ node: (x: Value, y: Value) => Value }>((tie) => ({
      node: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        fc.constantFrom(
          (x: Value) => x,
          (_: Value, y: Value) => y,
          () => scalarConstant(2),
        ),
        fc.tuple(fc.constantFrom(add, mul, sub), tie('node'), tie('node')).map(
          ([op, a, b]) =>
            (x: Value, y: Value) =>
              op(a(x, y), b(x, y)),
        ),
        tie('node').map((a) => (x: Value, y: Value) => tanh(a(x, y))),
      ),
    })).node;
    const x = input('x', 'float32', []);
    const y = input('y', 'float32', []);
    const feeds = { x: float32([], [0.3]), y: float32([], [-1.7]) };
    fc.assert(
      fc.property(expression, (build) => {
        const value = build(x, y);
        const graph = graphOf({ x, y, value, again: build(x, y) }, { middle: value });
        const smaller = dedupe(graph);
        expect(evaluate(smaller, feeds)).toEqual(evaluate(graph, feeds));
        expect(smaller.outputs['again']).toBe(smaller.outputs['value']);
        expect(smaller.names.get('middle')).toBe(smaller.outputs['value']);
        expect(count(smaller)).toBeLessThanOrEqual(count(graph));
        expect(printGraph(dedupe(smaller))).toBe(printGraph(smaller));
      }),
    );
  });
});

describe('substitute', () => {
  const x = input('x', 'float32', [2]);
  const middle = exp(x);
  const graph = graphOf({ y: add(middle, x) }, { middle });

  it('puts another value in the place of one, for all its users', () => {
    const patched = substitute(graph, new Map([[middle, scalarConstant(10)]]));
    expect(count(patched, 'exp')).toBe(0);
    expect(evaluate(patched, { x: float32([2], [1, 2]) })['y']).toEqual(float32([2], [11, 12]));
    expect(patched.names.get('middle')!.op).toBe('constant');
    expect(count(graph, 'exp')).toBe(1); // the original is what it was
  });

  it('lets the replacement use what it replaces', () => {
    const patched = substitute(graph, new Map([[middle, mul(middle, scalarConstant(0))]]));
    expect(evaluate(patched, { x: float32([2], [1, 2]) })['y']).toEqual(float32([2], [1, 2]));
  });

  it('leaves a graph without the value as it is', () => {
    expect(substitute(graph, new Map([[tanh(x), x]])).outputs['y']).toBe(graph.outputs['y']);
  });
});

describe('bind', () => {
  const x = input('x', 'float32', [B, T]);
  const total = sum(mul(reshape(x, [-1]), dimSize(T)), [0]);
  const graph = graphOf({ total, last: slice(x, 1, 1, T), counts: iota(T) }, { x });

  it('puts numbers for symbols in shapes and attributes', () => {
    const bound = bind(graph, { B: 2, T: 3 });
    expect(printGraph(bound)).toMatchInlineSnapshot(`
      "fn(x: float32[2, 3]) {
        %0 = reshape x {shape: [6]} : float32[6]
        %1 = dimSize  {dim: 3} : float32[]
        %2 = mul %0 %1 : float32[6]
        %3 = sum %2 {axes: [0], keepDims: false} : float32[]
        %4 = slice x {axis: 1, start: 1, end: 3} : float32[2, 2]
        %5 = iota  {size: 3} : int32[3]
        return total = %3, last = %4, counts = %5
      }"
    `);
    const feeds = { x: float32([2, 3], [1, 2, 3, 4, 5, 6]) };
    expect(evaluate(bound, feeds)).toEqual(evaluate(graph, feeds));
    expect(bound.names.get('x')!.shape).toEqual([2, 3]);
  });

  it('keeps the symbols that it is not told', () => {
    const partly = bind(graph, { T: 3 });
    expect(printGraph(partly)).toContain('reshape x {shape: [3*B]} : float32[3*B]');
    expect(printGraph(bind(partly, { B: 2 }))).toBe(printGraph(bind(graph, { B: 2, T: 3 })));
    expect(bind(graph, {})).toBe(graph);
  });
});

describe('fetch', () => {
  const x = input('x', 'float32', [2]);
  const weights = exp(x);
  const graph = graphOf({ y: add(weights, x) }, { 'layers.0.attention.weights': weights, 'layers.0.out': tanh(x) });

  it('makes outputs of named values', () => {
    const fetched = fetch(graph, ['y', 'layers.0.attention.weights']);
    expect(Object.keys(fetched.outputs)).toEqual(['y', 'layers.0.attention.weights']);
    expect(fetched.outputs['layers.0.attention.weights']).toBe(weights);
    expect(count(fetch(graph, ['layers.0.attention.weights']), 'add')).toBe(0);
  });

  it('offers names that end alike for one that does not exist', () => {
    expect(() => findValue(graph, 'layers.1.attention.weights')).toThrow(
      'value layers.1.attention.weights: got a name that this graph does not have, expected one of layers.0.attention.weights',
    );
  });
});

describe('leaves', () => {
  it('are listed once, and two of one name are refused', () => {
    const x = input('x', 'float32', [2]);
    const w = parameter('w', [2]);
    const y = add(mul(x, w), x);
    expect(leaves([y, w], 'input')).toEqual([{ name: 'x', value: x }]);
    expect(leaves([y, w], 'parameter')).toEqual([{ name: 'w', value: w }]);
    const twice = (): unknown => leaves([add(x, input('x', 'float32', [2]))], 'input');
    expect(twice).toThrow(QkvError);
    expect(twice).toThrow('input x: got two different values of this name');
  });
});
