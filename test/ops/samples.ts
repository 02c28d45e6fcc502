import { gradients } from '../../src/autodiff/gradients.ts';
import { concreteShape, type Dim, dimAdd, type Shape, symbol } from '../../src/base/dim.ts';
import { deriveSeed, type Key, normal, permutation, RandomStream } from '../../src/base/random.ts';
import { bool, type DType, float32, type HostTensor, int32, sizeOf } from '../../src/base/tensor.ts';
import type { Graph } from '../../src/graph/graph.ts';
import type { Value } from '../../src/graph/value.ts';
import { gelu, relu, silu } from '../../src/ops/activation.ts';
import * as e from '../../src/ops/elementwise.ts';
import { gather, scatterAdd, takeAlong } from '../../src/ops/gather.ts';
import { constant, dimSize, input, intConstant, iota, parameter, scalarConstant } from '../../src/ops/leaf.ts';
import { crossEntropy, linearCrossEntropy } from '../../src/ops/loss.ts';
import { matmul } from '../../src/ops/matmul.ts';
import { inverseRms, inverseStd, layerNorm, rmsNorm } from '../../src/ops/norm.ts';
import { dropoutMask, hashBits } from '../../src/ops/random.ts';
import { argmax, cumsum, max, mean, sum } from '../../src/ops/reduce.ts';
import { concat, expand, pad, reshape, slice, transpose } from '../../src/ops/shape.ts';
import { logSoftmax, softmax } from '../../src/ops/softmax.ts';
import type { OpName } from '../../src/ops/table.ts';
import { topIndices, topValues } from '../../src/ops/topK.ts';

/** An input of a sample: its declared shape, and how its data are made from a seed. */
export interface SampleInput {
  readonly leaf: 'input' | 'parameter';
  readonly dtype: DType;
  readonly shape: Shape;
  readonly fill: (key: Key, shape: readonly number[]) => HostTensor;
}

export interface OpSample {
  readonly name: string;
  readonly inputs: readonly SampleInput[];
  readonly build: (inputs: Value[]) => Value;
  /** Why its gradient is not compared with finite differences; left out where it is. */
  readonly notDifferentiable?: string;
  /** Largest |difference| / max |reference| of a float32 engine, where it is not the usual one. */
  readonly tolerance?: number;
}

/** Sizes of the symbols in all samples. */
export const sampleSizes: Readonly<Record<string, number>> = { B: 2, T: 3, S: 4, N: 5, V: 7 };
const [B, T, S, N, V] = ['B', 'T', 'S', 'N', 'V'].map(symbol) as [Dim, Dim, Dim, Dim, Dim];

function floats(shape: Shape, map: (x: number, i: number) => number = (x) => x): SampleInput {
  return {
    leaf: 'input',
    dtype: 'float32',
    shape,
    fill: (key, sizes) => float32(sizes, Float32Array.from(normal(key, sizeOf(sizes)), map)),
  };
}
const real = (...shape: Dim[]): SampleInput => floats(shape);
/** |x| ≥ 0.2: away from kinks and poles at 0. */
const nonZero = (...shape: Dim[]): SampleInput => floats(shape, (x) => x + Math.sign(x) * 0.2);
const positive = (...shape: Dim[]): SampleInput => floats(shape, (x) => Math.abs(x) + 0.2);
/** Values in random order, at distances of 0.125 or more, so that no two meet in a finite difference. */
function distinct(...shape: Dim[]): SampleInput {
  return {
    ...floats(shape),
    fill: (key, sizes) => {
      const size = sizeOf(sizes);
      const shift = normal(key, 1)[0]! / 32; // tells two inputs apart
      return float32(
        sizes,
        Float32Array.from(permutation(key, 0, size), (rank) => (rank - size / 2) / 4 + shift),
      );
    },
  };
}
/** Whole numbers from `low` to `low + count − 1`. */
function whole(shape: Shape, count: number, low = 0): SampleInput {
  return {
    leaf: 'input',
    dtype: 'int32',
    shape,
    fill: (key, sizes) => {
      const stream = new RandomStream(key);
      return int32(
        sizes,
        Int32Array.from({ length: sizeOf(sizes) }, () => low + stream.below(count)),
      );
    },
  };
}
/** Any of the 2^32 int32. */
const bits = (...shape: Dim[]): SampleInput => whole(shape, 2 ** 32, -(2 ** 31));
function truth(...shape: Dim[]): SampleInput {
  const words = whole(shape, 2);
  return { ...words, dtype: 'bool', fill: (key, sizes) => bool(sizes, Uint8Array.from(words.fill(key, sizes).data)) };
}
/** Given values, row by row. */
function given(values: HostTensor): SampleInput {
  return { leaf: 'input', dtype: values.dtype, shape: values.shape, fill: () => values };
}

const noFloats = 'no float32 input leads to the result';
const isBoolean = 'the result is boolean';
const isInteger = 'the result is an integer';

function unary(f: (x: Value) => Value, domain: (...shape: Dim[]) => SampleInput = real): OpSample[] {
  const build = ([x]: Value[]): Value => f(x!);
  return [
    { name: 'matrix of symbols', inputs: [domain(B, T)], build },
    { name: 'scalar', inputs: [domain()], build },
    { name: 'no elements', inputs: [domain(0, 3)], build },
  ];
}

function binary(
  f: (a: Value, b: Value) => Value,
  domain: (...shape: Dim[]) => SampleInput = real,
  notDifferentiable?: string,
): OpSample[] {
  const build = ([a, b]: Value[]): Value => f(a!, b!);
  const reason = notDifferentiable === undefined ? {} : { notDifferentiable };
  return [
    { name: 'equal shapes', inputs: [domain(B, 3), domain(B, 3)], build, ...reason },
    { name: 'a scalar on the left', inputs: [domain(), domain(B, T)], build, ...reason },
    { name: 'a row on the right', inputs: [domain(B, T, 4), domain(4)], build, ...reason },
    { name: 'extents of 1 on both sides', inputs: [domain(B, 1, 3), domain(T, 1)], build, ...reason },
    { name: 'no elements', inputs: [domain(0, 3), domain(1, 3)], build, ...reason },
    { name: 'scalars', inputs: [domain(), domain()], build, ...reason },
  ];
}

function ints(
  f: (a: Value, b: Value) => Value,
  a: SampleInput = bits(B, 5),
  b: SampleInput = bits(5),
  reason = isInteger,
): OpSample {
  return { name: 'int32', inputs: [a, b], build: ([x, y]) => f(x!, y!), notDifferentiable: reason };
}

function comparison(f: (a: Value, b: Value) => Value): OpSample[] {
  const few = (...shape: Dim[]): SampleInput => floats(shape, (x) => Math.round(x)); // with ties
  return [...binary(f, few, isBoolean), ints(f, whole([B, 5], 3), whole([5], 3), isBoolean)];
}

const logical = (f: (a: Value, b: Value) => Value): OpSample[] => binary(f, truth, isBoolean);

function reduction(
  f: (x: Value, axes: readonly number[], keepDims?: boolean) => Value,
  domain: (...shape: Dim[]) => SampleInput = real,
): OpSample[] {
  return [
    { name: 'last axis', inputs: [domain(B, T, 4)], build: ([x]) => f(x!, [-1]) },
    { name: 'first axis, kept', inputs: [domain(B, 5)], build: ([x]) => f(x!, [0], true) },
    { name: 'middle axis of symbols', inputs: [domain(B, T, 4)], build: ([x]) => f(x!, [1]) },
    { name: 'two axes apart', inputs: [domain(B, T, 4)], build: ([x]) => f(x!, [2, 0]) },
    { name: 'all axes', inputs: [domain(B, T)], build: ([x]) => f(x!, [0, 1]) },
    { name: 'no rows', inputs: [domain(0, 4)], build: ([x]) => f(x!, [1], true) },
  ];
}

function scan(name: string, options: { exclusive?: boolean; reverse?: boolean }, axis = 1): OpSample {
  return { name, inputs: [real(B, T, 4)], build: ([x]) => cumsum(x!, axis, options) };
}

function product(
  name: string,
  a: SampleInput,
  b: SampleInput,
  options?: { transposeA?: boolean; transposeB?: boolean; alpha?: number },
): OpSample {
  return { name, inputs: [a, b], build: ([x, y]) => matmul(x!, y!, options) };
}

const infinite = given(
  float32([3, 4], [1, -Infinity, 0.5, -2, -Infinity, -Infinity, 3, -Infinity, -1e30, 0, 1, -1e30]),
);
const infiniteInput = 'an infinite input has no finite differences';

function rows(f: (x: Value) => Value): OpSample[] {
  const build = ([x]: Value[]): Value => f(x!);
  return [
    { name: 'three axes', inputs: [real(B, T, 5)], build },
    { name: 'a symbol on the last axis', inputs: [real(B, 2, S)], build },
    { name: 'scores of order 10', inputs: [floats([B, 6], (x) => 10 * x)], build },
    { name: 'one element', inputs: [real(T, 1)], build },
    { name: 'one axis', inputs: [real(6)], build },
    { name: 'no rows', inputs: [real(0, 4)], build },
  ];
}

const narrow = (...shape: Dim[]): SampleInput => floats(shape, (x) => x * 1e-2);

const labels = (ignore: number): SampleInput => given(int32([5], [3, ignore, 0, 6, ignore]));
function loss(name: string, options: { smoothing?: number; ignore?: number }): OpSample {
  return {
    name,
    inputs: [real(5, 7), labels(options.ignore ?? -100)],
    build: ([z, y]) => crossEntropy(z!, y!, options),
  };
}
function linearLoss(name: string, options: { smoothing?: number; ignore?: number }): OpSample {
  return {
    name,
    inputs: [real(5, 3), real(7, 3), real(7), labels(options.ignore ?? -100)],
    build: ([h, w, b, y]) => linearCrossEntropy(h!, w!, b!, y!, options),
  };
}

/** Several cases of every operator; the key is the operator that the case is about. */
export const samples: { readonly [K in OpName]: readonly OpSample[] } = {
  input: [
    { name: 'float32', inputs: [real(B, 3)], build: ([x]) => x! },
    { name: 'int32', inputs: [bits(B)], build: ([x]) => x!, notDifferentiable: isInteger },
    { name: 'bool', inputs: [truth(B)], build: ([x]) => x!, notDifferentiable: isBoolean },
  ],
  parameter: [
    {
      name: 'in a product',
      inputs: [real(B, 3), { ...real(3, 2), leaf: 'parameter' }],
      build: ([x, w]) => matmul(x!, w!),
    },
  ],
  constant: [
    {
      name: 'matrix',
      inputs: [real(T, 1, 2)],
      build: ([x]) => e.mul(x!, constant(float32([2, 2], [1, -0.5, 2.25, 3]))),
    },
    {
      name: 'many values',
      inputs: [real(B, 20)],
      build: ([x]) =>
        e.add(
          x!,
          constant(
            float32(
              [20],
              Float32Array.from({ length: 20 }, (_, i) => i / 7),
            ),
          ),
        ),
    },
    {
      name: 'int32',
      inputs: [whole([B], 9)],
      build: ([x]) => e.add(x!, intConstant(-(2 ** 31))),
      notDifferentiable: isInteger,
    },
    {
      name: 'bool',
      inputs: [truth(B, 2)],
      build: ([x]) => e.and(x!, constant(bool([2], [true, false]))),
      notDifferentiable: isBoolean,
    },
    { name: 'no elements', inputs: [real(1, 2)], build: ([x]) => e.add(x!, constant(float32([0, 2], []))) },
  ],
  dimSize: [
    { name: 'symbol', inputs: [real(B, T)], build: ([x]) => e.mul(x!, dimSize(T)) },
    {
      name: 'product of symbols',
      inputs: [real(B, T)],
      build: ([x]) => e.div(x!, dimSize(reshape(x!, [-1]).shape[0]!)),
    },
  ],
  iota: [
    { name: 'number', inputs: [real(4)], build: ([x]) => e.mul(x!, e.cast(iota(4), 'float32')) },
    { name: 'symbol', inputs: [real(B, T)], build: ([x]) => e.mul(x!, e.cast(iota(T), 'float32')) },
    { name: 'alone', inputs: [], build: () => iota(5), notDifferentiable: isInteger },
    { name: 'no elements', inputs: [], build: () => iota(0), notDifferentiable: isInteger },
  ],

  neg: unary(e.neg),
  abs: unary(e.abs, nonZero),
  exp: unary(e.exp),
  log: unary(e.log, positive),
  sqrt: unary(e.sqrt, positive),
  reciprocal: unary(e.reciprocal, nonZero),
  erf: [
    ...unary(e.erf),
    { name: 'far from 0', inputs: [floats([40], (_, i) => (i - 20) / 3 + 0.01)], build: ([x]) => e.erf(x!) },
  ],
  tanh: [
    ...unary(e.tanh),
    { name: 'far from 0', inputs: [floats([9], (_, i) => 4 * i - 16)], build: ([x]) => e.tanh(x!) },
  ],
  sigmoid: [
    ...unary(e.sigmoid),
    { name: 'far from 0', inputs: [floats([9], (_, i) => 20 * i - 80)], build: ([x]) => e.sigmoid(x!) },
  ],
  sin: unary(e.sin),
  cos: unary(e.cos),
  add: [...binary(e.add), ints(e.add)],
  sub: [...binary(e.sub), ints(e.sub)],
  mul: [...binary(e.mul), ints(e.mul)],
  div: [...binary(e.div, nonZero), ints(e.div, whole([B, 5], 2000, -1000), whole([5], 9, 1))],
  maximum: [
    ...binary(e.maximum, distinct),
    ints(e.maximum),
    {
      name: 'equal values',
      inputs: [given(float32([3], [1, 2, 3])), given(float32([3], [1, 2, 4]))],
      build: ([a, b]) => e.maximum(a!, b!),
      notDifferentiable: 'a kink',
    },
  ],
  minimum: [...binary(e.minimum, distinct), ints(e.minimum)],
  pow: [
    { name: 'square', inputs: [real(B, 3)], build: ([x]) => e.pow(x!, 2) },
    { name: 'cube', inputs: [real(B, 3)], build: ([x]) => e.pow(x!, 3) },
    { name: 'inverse', inputs: [nonZero(B, 3)], build: ([x]) => e.pow(x!, -1) },
    { name: 'fraction', inputs: [positive(B, 3)], build: ([x]) => e.pow(x!, 1.5) },
    { name: 'zeroth', inputs: [given(float32([2], [0, 2]))], build: ([x]) => e.pow(x!, 0) },
    { name: 'no elements', inputs: [real(0)], build: ([x]) => e.pow(x!, 2) },
  ],
  equal: [
    ...comparison(e.equal),
    { name: 'bool', inputs: [truth(B, 4), truth(4)], build: ([a, b]) => e.equal(a!, b!), notDifferentiable: isBoolean },
  ],
  less: comparison(e.less),
  lessEqual: comparison(e.lessEqual),
  greater: comparison(e.greater),
  greaterEqual: comparison(e.greaterEqual),
  and: logical(e.and),
  or: logical(e.or),
  not: unary(e.not, truth).map((sample) => ({ ...sample, notDifferentiable: isBoolean })),
  bitXor: binary(e.bitXor, bits, isInteger),
  where: [
    { name: 'equal shapes', inputs: [truth(B, 3), real(B, 3), real(B, 3)], build: ([c, a, b]) => e.where(c!, a!, b!) },
    {
      name: 'a mask over batch and heads',
      inputs: [truth(T, S), real(B, 2, T, S), real()],
      build: ([c, a, b]) => e.where(c!, a!, b!),
    },
    { name: 'a wide condition', inputs: [truth(B, T), real(T), real(B, 1)], build: ([c, a, b]) => e.where(c!, a!, b!) },
    { name: 'no elements', inputs: [truth(0, 3), real(3), real()], build: ([c, a, b]) => e.where(c!, a!, b!) },
    {
      name: 'int32',
      inputs: [truth(B, 5), bits(5), bits(B, 5)],
      build: ([c, a, b]) => e.where(c!, a!, b!),
      notDifferentiable: isInteger,
    },
    {
      name: 'infinite on the side not chosen',
      inputs: [given(bool([3], [1, 0, 1])), given(float32([3], [1, Infinity, 2])), real(3)],
      build: ([c, a, b]) => e.where(c!, a!, b!),
      notDifferentiable: infiniteInput,
    },
  ],
  cast: [
    {
      name: 'float32 to int32',
      inputs: [given(float32([6], [1.9, -1.9, 0.5, -0.5, 1e6, 7]))],
      build: ([x]) => e.cast(x!, 'int32'),
      notDifferentiable: isInteger,
    },
    {
      name: 'float32 to bool',
      inputs: [given(float32([4], [0, -0, 0.3, -2]))],
      build: ([x]) => e.cast(x!, 'bool'),
      notDifferentiable: isBoolean,
    },
    {
      name: 'int32 to float32',
      inputs: [whole([B, 3], 100, -50)],
      build: ([x]) => e.cast(x!, 'float32'),
      notDifferentiable: noFloats,
    },
    {
      name: 'int32 to bool',
      inputs: [whole([B, 3], 2)],
      build: ([x]) => e.cast(x!, 'bool'),
      notDifferentiable: isBoolean,
    },
    {
      name: 'bool to float32',
      inputs: [truth(B, 3)],
      build: ([x]) => e.cast(x!, 'float32'),
      notDifferentiable: noFloats,
    },
    { name: 'bool to int32', inputs: [truth()], build: ([x]) => e.cast(x!, 'int32'), notDifferentiable: isInteger },
  ],
  stopGradient: [
    {
      name: 'in a product',
      inputs: [real(B, 3)],
      build: ([x]) => e.mul(x!, e.stopGradient(x!)),
      notDifferentiable: 'the gradient differs from the derivative on purpose',
    },
  ],

  reshape: [
    { name: 'symbols joined', inputs: [real(B, T, 4)], build: ([x]) => reshape(x!, [-1, 4]) },
    {
      name: 'heads split off',
      inputs: [real(B, T, 6)],
      build: ([x]) => reshape(x!, [...x!.shape.slice(0, 2), 2, 3]),
    },
    { name: 'a scalar', inputs: [real(1, 1)], build: ([x]) => reshape(x!, []) },
    { name: 'from a scalar', inputs: [real()], build: ([x]) => reshape(x!, [1, 1]) },
    { name: 'no elements', inputs: [real(0, 4)], build: ([x]) => reshape(x!, [2, 0]) },
    { name: 'int32', inputs: [bits(B, 4)], build: ([x]) => reshape(x!, [-1]), notDifferentiable: isInteger },
    { name: 'bool', inputs: [truth(2, 3)], build: ([x]) => reshape(x!, [3, 2]), notDifferentiable: isBoolean },
  ],
  transpose: [
    { name: 'matrix of symbols', inputs: [real(B, T)], build: ([x]) => transpose(x!, [1, 0]) },
    { name: 'heads to the front', inputs: [real(B, T, 2, 3)], build: ([x]) => transpose(x!, [0, 2, 1, 3]) },
    { name: 'a cycle of three', inputs: [real(2, 3, 4)], build: ([x]) => transpose(x!, [2, 0, 1]) },
    { name: 'no elements', inputs: [real(0, 3)], build: ([x]) => transpose(x!, [1, 0]) },
    { name: 'int32', inputs: [bits(B, 3)], build: ([x]) => transpose(x!, [1, 0]), notDifferentiable: isInteger },
    { name: 'bool', inputs: [truth(B, 3)], build: ([x]) => transpose(x!, [1, 0]), notDifferentiable: isBoolean },
  ],
  expand: [
    { name: 'an extent of 1', inputs: [real(B, 1, 3)], build: ([x]) => expand(x!, [B, 4, 3]) },
    { name: 'new leading axes', inputs: [real(T)], build: ([x]) => expand(x!, [2, 4, T]) },
    { name: 'a scalar', inputs: [real()], build: ([x]) => expand(x!, [2, 3]) },
    { name: 'to no elements', inputs: [real(1, 3)], build: ([x]) => expand(x!, [0, 3]) },
    {
      name: 'to a symbol',
      inputs: [real(B, T), real(1, 4)],
      build: ([x, y]) => e.mul(sum(x!, [1], true), expand(y!, [B, 4])),
    },
    { name: 'int32', inputs: [bits(1, 3)], build: ([x]) => expand(x!, [2, 3]), notDifferentiable: isInteger },
  ],
  slice: [
    { name: 'middle', inputs: [real(B, 6)], build: ([x]) => slice(x!, 1, 2, 5) },
    {
      name: 'a symbol long',
      inputs: [real(B, T), real(B, 9)],
      build: ([x, y]) => e.add(x!, slice(y!, -1, 2, dimAdd(T, 2))),
    },
    { name: 'all but the first', inputs: [real(B, T)], build: ([x]) => slice(x!, 1, 1, T) },
    { name: 'nothing', inputs: [real(B, 4)], build: ([x]) => slice(x!, 1, 2, 2) },
    { name: 'int32', inputs: [bits(5)], build: ([x]) => slice(x!, 0, 1, 3), notDifferentiable: isInteger },
  ],
  concat: [
    { name: 'symbols', inputs: [real(B, T, 2), real(B, S, 2)], build: (xs) => concat(xs, 1) },
    { name: 'three on the last axis', inputs: [real(B, 2), real(B, 1), real(B, 3)], build: (xs) => concat(xs, -1) },
    { name: 'first axis', inputs: [real(B, 3), real(T, 3)], build: (xs) => concat(xs, 0) },
    { name: 'an empty part', inputs: [real(2, 0), real(2, 3)], build: (xs) => concat(xs, 1) },
    { name: 'one value twice', inputs: [real(B, 2)], build: ([x]) => concat([x!, x!], 1) },
    { name: 'int32', inputs: [bits(B, 2), bits(B, 1)], build: (xs) => concat(xs, 1), notDifferentiable: isInteger },
    { name: 'bool', inputs: [truth(B, 2), truth(B, 1)], build: (xs) => concat(xs, 1), notDifferentiable: isBoolean },
  ],
  pad: [
    { name: 'both ends', inputs: [real(B, 3)], build: ([x]) => pad(x!, 1, 1, 2) },
    {
      name: 'a symbol before',
      inputs: [real(B, 2), real(B, T)],
      build: ([x, y]) => e.mul(pad(x!, 1, T, 0), pad(y!, 1, 0, 2)),
    },
    { name: 'with a value', inputs: [real(B, 3)], build: ([x]) => pad(x!, 0, 0, 1, -1e30), tolerance: 1e-6 },
    { name: 'nothing', inputs: [real(0, 3)], build: ([x]) => pad(x!, 0, 1, 1) },
    { name: 'int32', inputs: [bits(3)], build: ([x]) => pad(x!, 0, 1, 0, -100), notDifferentiable: isInteger },
  ],

  sum: [
    ...reduction(sum),
    { name: 'of nothing', inputs: [real(2, 0)], build: ([x]) => sum(x!, [1]) },
    { name: 'int32', inputs: [whole([B, 5], 2000, -1000)], build: ([x]) => sum(x!, [1]), notDifferentiable: isInteger },
  ],
  mean: reduction(mean),
  max: [
    ...reduction(max, distinct),
    { name: 'int32', inputs: [bits(B, 5)], build: ([x]) => max(x!, [1]), notDifferentiable: isInteger },
    {
      name: 'equal values',
      inputs: [given(float32([2, 3], [1, 2, 2, 5, 5, 5]))],
      build: ([x]) => max(x!, [1]),
      notDifferentiable: 'a kink',
    },
  ],
  argmax: [
    { name: 'last axis', inputs: [real(B, T, 5)], build: ([x]) => argmax(x!, -1), notDifferentiable: isInteger },
    { name: 'first axis', inputs: [real(T, 4)], build: ([x]) => argmax(x!, 0), notDifferentiable: isInteger },
    {
      name: 'the first of equals',
      inputs: [given(float32([2, 3], [1, 2, 2, 5, 5, 5]))],
      build: ([x]) => argmax(x!, 1),
      notDifferentiable: isInteger,
    },
  ],
  cumsum: [
    scan('plain', {}),
    scan('exclusive', { exclusive: true }),
    scan('reverse', { reverse: true }),
    scan('exclusive and reverse, last axis', { exclusive: true, reverse: true }, -1),
    { name: 'no elements', inputs: [real(2, 0)], build: ([x]) => cumsum(x!, 1) },
    { name: 'int32', inputs: [bits(B, 4)], build: ([x]) => cumsum(x!, 1), notDifferentiable: isInteger },
  ],

  matmul: [
    product('matrices', real(B, 3), real(3, 4)),
    product('left transposed', real(3, B), real(3, 4), { transposeA: true }),
    product('right transposed', real(B, 3), real(4, 3), { transposeB: true }),
    product('both transposed', real(3, B), real(4, 3), { transposeA: true, transposeB: true, alpha: -0.5 }),
    product('a weight under a batch', real(B, T, 3), real(3, 4)),
    product('a transposed weight under a batch', real(B, T, 3), real(4, 3), { transposeB: true, alpha: 2 }),
    product('a weight under a transposed batch', real(B, 3, T), real(3, 4), { transposeA: true }),
    product('a batch under a matrix', real(4, 3), real(B, 3, T)),
    product('scores of heads', real(B, 2, T, 3), real(B, 2, S, 3), { transposeB: true, alpha: 0.25 }),
    product('both transposed in a batch', real(B, 3, T), real(B, S, 3), { transposeA: true, transposeB: true }),
    product('batches broadcast', real(B, 1, T, 3), real(2, 3, 2)),
    product('no rows', real(0, 3), real(3, 2)),
    product('an inner extent of 0', real(2, 0), real(0, 3)),
    product('an inner symbol', real(2, S), real(S, 3)),
  ],

  softmax: [
    ...rows(softmax),
    {
      name: 'masked with −∞ and −1e30',
      inputs: [infinite],
      build: ([x]) => softmax(x!),
      notDifferentiable: infiniteInput,
    },
  ],
  logSoftmax: rows(logSoftmax),

  layerNorm: [
    {
      name: 'three axes',
      inputs: [real(B, T, 6), real(6), real(6)],
      build: ([x, w, b]) => layerNorm(x!, w!, b!, 1e-5),
    },
    { name: 'ε of 1e-12', inputs: [real(B, 6), real(6), real(6)], build: ([x, w, b]) => layerNorm(x!, w!, b!, 1e-12) },
    {
      name: 'where ε counts',
      inputs: [narrow(B, 6), real(6), real(6)],
      build: ([x, w, b]) => layerNorm(x!, w!, b!, 1e-4),
    },
    { name: 'one axis', inputs: [real(6), real(6), real(6)], build: ([x, w, b]) => layerNorm(x!, w!, b!, 1e-5) },
    { name: 'no rows', inputs: [real(0, 4), real(4), real(4)], build: ([x, w, b]) => layerNorm(x!, w!, b!, 1e-5) },
    {
      name: 'a symbol on the last axis',
      inputs: [real(B, V), real(V), real(V)],
      build: ([x, w, b]) => layerNorm(x!, w!, b!, 1e-5),
    },
  ],
  rmsNorm: [
    { name: 'three axes', inputs: [real(B, T, 6), real(6)], build: ([x, w]) => rmsNorm(x!, w!, 1e-6) },
    { name: 'where ε counts', inputs: [narrow(B, 6), real(6)], build: ([x, w]) => rmsNorm(x!, w!, 1e-4) },
    { name: 'no rows', inputs: [real(0, 4), real(4)], build: ([x, w]) => rmsNorm(x!, w!, 1e-6) },
    { name: 'a symbol on the last axis', inputs: [real(B, V), real(V)], build: ([x, w]) => rmsNorm(x!, w!, 1e-6) },
  ],
  inverseStd: [
    { name: 'three axes', inputs: [real(B, T, 6)], build: ([x]) => inverseStd(x!, 1e-5) },
    { name: 'where ε counts', inputs: [narrow(B, 6)], build: ([x]) => inverseStd(x!, 1e-4) },
    { name: 'a symbol on the last axis', inputs: [real(B, V)], build: ([x]) => inverseStd(x!, 1e-5) },
  ],
  inverseRms: [
    { name: 'three axes', inputs: [real(B, T, 6)], build: ([x]) => inverseRms(x!, 1e-6) },
    { name: 'where ε counts', inputs: [narrow(B, 6)], build: ([x]) => inverseRms(x!, 1e-4) },
    { name: 'a symbol on the last axis', inputs: [real(B, V)], build: ([x]) => inverseRms(x!, 1e-5) },
  ],

  relu: [
    ...unary(relu, nonZero),
    { name: 'at 0', inputs: [given(float32([3], [-1, 0, 1]))], build: ([x]) => relu(x!), notDifferentiable: 'a kink' },
  ],
  gelu: [
    ...unary((x) => gelu(x)),
    ...unary((x) => gelu(x, 'tanh')).map((sample) => ({ ...sample, name: `tanh, ${sample.name}` })),
  ],
  silu: unary(silu),

  gather: [
    { name: 'rows of a table', inputs: [real(7, 3), whole([B, T], 7)], build: ([x, i]) => gather(x!, i!) },
    { name: 'one row', inputs: [real(V, 3), whole([], 7)], build: ([x, i]) => gather(x!, i!) },
    { name: 'of a vector', inputs: [real(7), whole([N], 7)], build: ([x, i]) => gather(x!, i!) },
    { name: 'of three axes', inputs: [real(4, 2, 3), whole([N], 4)], build: ([x, i]) => gather(x!, i!) },
    { name: 'no rows', inputs: [real(4, 2), whole([0], 4)], build: ([x, i]) => gather(x!, i!) },
    {
      name: 'with an untrained row',
      inputs: [real(4, 2), given(int32([5], [1, 0, 1, 3, 2]))],
      build: ([x, i]) => gather(x!, i!, 1),
      notDifferentiable: 'the gradient of the untrained row is 0 on purpose',
    },
    {
      name: 'int32',
      inputs: [bits(4, 2), whole([N], 4)],
      build: ([x, i]) => gather(x!, i!),
      notDifferentiable: isInteger,
    },
  ],
  scatterAdd: [
    {
      name: 'rows that meet',
      inputs: [real(3, 2), whole([N], 3), real(N, 2)],
      build: ([x, i, r]) => scatterAdd(x!, i!, r!),
    },
    { name: 'on a vector', inputs: [real(V), whole([N], 7), real(N)], build: ([x, i, r]) => scatterAdd(x!, i!, r!) },
    { name: 'no rows', inputs: [real(3, 2), whole([0], 3), real(0, 2)], build: ([x, i, r]) => scatterAdd(x!, i!, r!) },
  ],
  topValues: [
    { name: 'of a matrix', inputs: [distinct(N, V)], build: ([x]) => topValues(x!, 3) },
    { name: 'whole rows of three axes', inputs: [distinct(B, T, 4)], build: ([x]) => topValues(x!, 4) },
  ],
  topIndices: [
    { name: 'of a matrix', inputs: [distinct(N, V)], build: ([x]) => topIndices(x!, 3), notDifferentiable: isInteger },
    {
      name: 'beside the values',
      inputs: [distinct(N, V)],
      build: ([x]) => e.add(e.cast(topIndices(x!, 2), 'float32'), topValues(x!, 2)),
      notDifferentiable: isInteger,
    },
  ],
  takeAlong: [
    { name: 'of a matrix', inputs: [real(N, 7), whole([N], 7)], build: ([x, i]) => takeAlong(x!, i!) },
    { name: 'of three axes', inputs: [real(B, T, V), whole([B, T], 7)], build: ([x, i]) => takeAlong(x!, i!) },
    { name: 'of a vector', inputs: [real(7), whole([], 7)], build: ([x, i]) => takeAlong(x!, i!) },
    { name: 'no rows', inputs: [real(0, 7), whole([0], 7)], build: ([x, i]) => takeAlong(x!, i!) },
    {
      name: 'int32',
      inputs: [bits(N, 7), whole([N], 7)],
      build: ([x, i]) => takeAlong(x!, i!),
      notDifferentiable: isInteger,
    },
  ],

  hashBits: [
    { name: 'a number of them', inputs: [bits()], build: ([key]) => hashBits(key!, 100), notDifferentiable: isInteger },
    {
      name: 'a product of symbols',
      inputs: [bits(), real(B, T)],
      build: ([key, x]) =>
        e.mul(
          reshape(x!, [-1]),
          e.mul(e.cast(hashBits(key!, reshape(x!, [-1]).shape[0]!), 'float32'), scalarConstant(2 ** -31)),
        ),
    },
    {
      name: 'in a dropout mask',
      inputs: [bits(2), real(B, T, 9)],
      build: ([seed, x]) => e.mul(x!, dropoutMask(seed!, 3, 0.25, x!.shape)),
    },
  ],

  crossEntropy: [
    loss('plain', {}),
    loss('smoothed', { smoothing: 0.1 }),
    loss('another label ignored', { ignore: 1, smoothing: 0.3 }),
    {
      name: 'symbols',
      inputs: [real(N, V), whole([N], 7)],
      build: ([z, y]) => crossEntropy(z!, y!, { smoothing: 0.1 }),
    },
    { name: 'no rows', inputs: [real(0, V), whole([0], 7)], build: ([z, y]) => crossEntropy(z!, y!) },
    {
      name: 'logits of order 40',
      inputs: [floats([N, 7], (x) => 40 * x), whole([N], 7)],
      build: ([z, y]) => crossEntropy(z!, y!),
    },
  ],
  linearCrossEntropy: [
    linearLoss('plain', {}),
    linearLoss('smoothed', { smoothing: 0.1 }),
    linearLoss('another label ignored', { ignore: 1, smoothing: 0.3 }),
    {
      name: 'symbols',
      inputs: [real(N, 3), real(V, 3), real(V), whole([N], 7)],
      build: ([h, w, b, y]) => linearCrossEntropy(h!, w!, b!, y!, { smoothing: 0.1 }),
    },
    {
      name: 'no rows',
      inputs: [real(0, 3), real(7, 3), real(7), whole([0], 7)],
      build: ([h, w, b, y]) => linearCrossEntropy(h!, w!, b!, y!, { smoothing: 0.1 }),
    },
  ],
};

export interface BuiltSample {
  readonly op: OpName;
  readonly sample: OpSample;
  readonly inputs: readonly Value[];
  readonly tensors: readonly HostTensor[];
  readonly output: Value;
  /** The inputs are outputs as well, so that every feed is used and every symbol is known. */
  readonly graph: Graph;
  /** By the names x0, x1, … */
  readonly feeds: Readonly<Record<string, HostTensor>>;
}

export function buildSample(op: OpName, sample: OpSample): BuiltSample {
  const inputs = sample.inputs.map(({ leaf, dtype, shape }, i) =>
    leaf === 'input' ? input(`x${i}`, dtype, shape) : parameter(`x${i}`, concreteShape(shape, {}, op)),
  );
  const tensors = sample.inputs.map(({ shape, fill }, i) =>
    fill(deriveSeed(0, op, sample.name, i), concreteShape(shape, sampleSizes, op)),
  );
  const output = sample.build(inputs);
  const named = Object.fromEntries(inputs.map((value, i) => [`fed.x${i}`, value]));
  return {
    op,
    sample,
    inputs,
    tensors,
    output,
    graph: { outputs: { ...named, y: output }, names: new Map() },
    feeds: Object.fromEntries(tensors.map((tensor, i) => [`x${i}`, tensor])),
  };
}

export function allSamples(): { readonly title: string; readonly op: OpName; readonly sample: OpSample }[] {
  return Object.entries(samples).flatMap(([op, list]) =>
    list.map((sample) => ({ title: `${op}: ${sample.name}`, op: op as OpName, sample })),
  );
}

/**
 * The sample's graph with the gradients `g0`, `g1`, … of its float32 inputs for a random upstream gradient; null where
 * there are none to take.
 */
export function withGradients({
  op,
  sample,
  graph,
  feeds,
  inputs,
  output,
}: BuiltSample): Omit<BuiltSample, 'op' | 'sample' | 'inputs' | 'tensors' | 'output'> | null {
  const differentiated = inputs.filter(({ dtype }) => dtype === 'float32');
  if (output.dtype !== 'float32' || differentiated.length === 0) return null;
  const upstream = input('upstream', 'float32', output.shape);
  const found = gradients([{ value: output, seed: upstream }], differentiated);
  const size = concreteShape(output.shape, sampleSizes, op);
  const key = deriveSeed(0, op, sample.name, 'upstream');
  return {
    graph: {
      outputs: {
        ...graph.outputs,
        'fed.upstream': upstream,
        ...Object.fromEntries(found.map((value, i) => [`g${i}`, value])),
      },
      names: new Map(),
    },
    feeds: { ...feeds, upstream: float32(size, Float32Array.from(normal(key, sizeOf(size)))) },
  };
}
