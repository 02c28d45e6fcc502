import { describe, expect, it } from 'vitest';
import { gradients } from '../../src/autodiff/gradients.ts';
import { dimMul, symbol } from '../../src/base/dim.ts';
import { bool, float32, int32 } from '../../src/base/tensor.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { printGraph } from '../../src/graph/print.ts';
import type { Value } from '../../src/graph/value.ts';
import { add, and, mul, stopGradient } from '../../src/ops/elementwise.ts';
import { constant, dimSize, input, intConstant, parameter } from '../../src/ops/leaf.ts';
import { matmul } from '../../src/ops/matmul.ts';
import { layerNorm } from '../../src/ops/norm.ts';
import { cumsum } from '../../src/ops/reduce.ts';
import { concat, pad, reshape, slice } from '../../src/ops/shape.ts';
import { softmax } from '../../src/ops/softmax.ts';

const B = symbol('B');
const T = symbol('T');
const graphOf = (outputs: Graph['outputs']): Graph => ({ outputs, names: new Map() });

/** The gradients of y alone. */
function backward(y: Value, wrt: readonly Value[]): string {
  const found = gradients([{ value: y, seed: input('g', 'float32', y.shape) }], wrt);
  return printGraph(
    graphOf(Object.fromEntries(wrt.map((value, i) => [`d${value.attrs['name'] as string}`, found[i]!]))),
  );
}

describe('printGraph', () => {
  const x = input('x', 'float32', [B, 3]);

  it('of a linear layer and its gradients', () => {
    const w = parameter('w', [3, 2]);
    const b = parameter('b', [2]);
    const y = add(matmul(x, w), b);
    expect(printGraph(graphOf({ y }))).toMatchInlineSnapshot(`
      "fn(x: float32[B, 3], w: parameter float32[3, 2], b: parameter float32[2]) {
        %0 = matmul x w {transposeA: false, transposeB: false, alpha: 1} : float32[B, 2]
        %1 = add %0 b : float32[B, 2]
        return y = %1
      }"
    `);
    expect(backward(y, [x, w, b])).toMatchInlineSnapshot(`
      "fn(x: float32[B, 3], g: float32[B, 2], w: parameter float32[3, 2]) {
        %0 = sum g {axes: [0], keepDims: true} : float32[1, 2]
        %1 = reshape %0 {shape: [2]} : float32[2]
        %2 = matmul g w {transposeA: false, transposeB: true, alpha: 1} : float32[B, 3]
        %3 = matmul x g {transposeA: true, transposeB: false, alpha: 1} : float32[3, 2]
        return dx = %2, dw = %3, db = %1
      }"
    `);
  });

  it('of softmax and its gradient', () => {
    const y = softmax(x);
    expect(printGraph(graphOf({ y }))).toMatchInlineSnapshot(`
      "fn(x: float32[B, 3]) {
        %0 = softmax x : float32[B, 3]
        return y = %0
      }"
    `);
    expect(backward(y, [x])).toMatchInlineSnapshot(`
      "fn(x: float32[B, 3], g: float32[B, 3]) {
        %0 = softmax x : float32[B, 3]
        %1 = mul g %0 : float32[B, 3]
        %2 = sum %1 {axes: [1], keepDims: true} : float32[B, 1]
        %3 = sub g %2 : float32[B, 3]
        %4 = mul %0 %3 : float32[B, 3]
        return dx = %4
      }"
    `);
  });

  it('of layerNorm and its gradients', () => {
    const weight = parameter('weight', [3]);
    const bias = parameter('bias', [3]);
    const y = layerNorm(x, weight, bias, 1e-5);
    expect(printGraph(graphOf({ y }))).toMatchInlineSnapshot(`
      "fn(x: float32[B, 3], weight: parameter float32[3], bias: parameter float32[3]) {
        %0 = layerNorm x weight bias {epsilon: 0.00001} : float32[B, 3]
        return y = %0
      }"
    `);
    expect(backward(y, [x, weight, bias])).toMatchInlineSnapshot(`
      "fn(x: float32[B, 3], g: float32[B, 3], weight: parameter float32[3]) {
        %0 = mean x {axes: [1], keepDims: true} : float32[B, 1]
        %1 = sub x %0 : float32[B, 3]
        %2 = inverseStd x {epsilon: 0.00001} : float32[B, 1]
        %3 = mul %1 %2 : float32[B, 3]
        %4 = mul g weight : float32[B, 3]
        %5 = reshape weight {shape: [3, 1]} : float32[3, 1]
        %6 = matmul g %5 {transposeA: false, transposeB: false, alpha: 1} : float32[B, 1]
        %7 = constant 3 : float32[]
        %8 = div %6 %7 : float32[B, 1]
        %9 = sub %4 %8 : float32[B, 3]
        %10 = mul g %3 : float32[B, 3]
        %11 = reshape weight {shape: [3, 1]} : float32[3, 1]
        %12 = matmul %10 %11 {transposeA: false, transposeB: false, alpha: 1} : float32[B, 1]
        %13 = constant 3 : float32[]
        %14 = div %12 %13 : float32[B, 1]
        %15 = mul %3 %14 : float32[B, 3]
        %16 = sub %9 %15 : float32[B, 3]
        %17 = inverseStd x {epsilon: 0.00001} : float32[B, 1]
        %18 = mul %16 %17 : float32[B, 3]
        %19 = mean x {axes: [1], keepDims: true} : float32[B, 1]
        %20 = sub x %19 : float32[B, 3]
        %21 = inverseStd x {epsilon: 0.00001} : float32[B, 1]
        %22 = mul %20 %21 : float32[B, 3]
        %23 = mul g %22 : float32[B, 3]
        %24 = sum %23 {axes: [0], keepDims: true} : float32[1, 3]
        %25 = reshape %24 {shape: [3]} : float32[3]
        %26 = sum g {axes: [0], keepDims: true} : float32[1, 3]
        %27 = reshape %26 {shape: [3]} : float32[3]
        return dx = %18, dweight = %25, dbias = %27
      }"
    `);
  });

  it('of attributes, literals and symbolic extents', () => {
    const padded = pad(slice(x, 0, 1, B), 1, T, 0, -Infinity);
    const flat = reshape(concat([padded, padded], 0), [-1]);
    const scaled = mul(flat, dimSize(dimMul(B, T)));
    const held = stopGradient(cumsum(scaled, 0, { reverse: true }));
    const table = constant(int32([3, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9]));
    const mask = and(constant(bool([2], [true, false])), input('mask', 'bool', []));
    expect(printGraph(graphOf({ held, table, mask, one: intConstant(1), x }))).toMatchInlineSnapshot(`
      "fn(x: float32[B, 3], mask: bool[]) {
        %0 = slice x {axis: 0, start: 1, end: B} : float32[B+-1, 3]
        %1 = pad %0 {axis: 1, before: T, after: 0, value: -Infinity} : float32[B+-1, T+3]
        %2 = concat %1 %1 {axis: 0} : float32[2*B+-2, T+3]
        %3 = reshape %2 {shape: [6*B+2*B*T+-2*T+-6]} : float32[6*B+2*B*T+-2*T+-6]
        %4 = dimSize  {dim: B*T} : float32[]
        %5 = mul %3 %4 : float32[6*B+2*B*T+-2*T+-6]
        %6 = cumsum %5 {axis: 0, exclusive: false, reverse: true} : float32[6*B+2*B*T+-2*T+-6]
        %7 = stopGradient %6 : float32[6*B+2*B*T+-2*T+-6]
        %8 = constant 9 values fnv1a:67a12a84 : int32[3, 3]
        %9 = constant 1,0 : bool[2]
        %10 = and %9 mask : bool[2]
        %11 = constant 1 : int32[]
        return held = %7, table = %8, mask = %10, one = %11, x = x
      }"
    `);
  });

  it('is the same for equal graphs, whenever they were made', () => {
    const make = (): Graph => {
      const a = input('a', 'float32', [B]);
      return graphOf({ y: mul(add(a, a), constant(float32([], [0.5]))) });
    };
    const first = printGraph(make());
    softmax(x); // takes an id
    expect(printGraph(make())).toBe(first);
  });

  it.each<readonly [string, (x: Value) => Value, (x: Value) => Value]>([
    ['the value of a padding', (v) => pad(v, 0, 1, 0, Infinity), (v) => pad(v, 0, 1, 0, -Infinity)],
    ['one of many constants', (v) => add(v, table(8)), (v) => add(v, table(9))],
    ['the type of a constant', () => constant(int32([], [1])), () => constant(float32([], [1]))],
    ['the order of operands', (v) => matmul(v, mul(v, v)), (v) => matmul(mul(v, v), v)],
  ])('tells graphs apart by %s', (_, one, other) => {
    const square = input('x', 'float32', [3, 3]);
    expect(printGraph(graphOf({ y: one(square) }))).not.toBe(printGraph(graphOf({ y: other(square) })));
  });
});

function table(last: number): Value {
  return constant(float32([3, 3], [0, 1, 2, 3, 4, 5, 6, 7, last]));
}
