import { describe, expect, it } from 'vitest';
import { type Dim, symbol } from '../../src/base/dim.ts';
import { QkvError } from '../../src/base/errors.ts';
import type { DType } from '../../src/base/tensor.ts';
import type { Value } from '../../src/graph/value.ts';
import { relu } from '../../src/ops/activation.ts';
import { add, and, where } from '../../src/ops/elementwise.ts';
import { gather, scatterAdd, takeAlong } from '../../src/ops/gather.ts';
import { input } from '../../src/ops/leaf.ts';
import { crossEntropy } from '../../src/ops/loss.ts';
import { matmul } from '../../src/ops/matmul.ts';
import { inverseRms, layerNorm } from '../../src/ops/norm.ts';
import { argmax, sum } from '../../src/ops/reduce.ts';
import { concat, expand, pad, reshape, slice, split, transpose } from '../../src/ops/shape.ts';
import { softmax } from '../../src/ops/softmax.ts';

const [B, T] = ['B', 'T'].map(symbol) as [Dim, Dim];
const of = (dtype: DType, ...shape: Dim[]): Value => input('x', dtype, shape);
const real = (...shape: Dim[]): Value => of('float32', ...shape);
const whole = (...shape: Dim[]): Value => of('int32', ...shape);

describe('while tracing', () => {
  it.each<readonly [string, string, () => Value | Value[]]>([
    ['add of B and T', 'shape', () => add(real(B), real(T))],
    ['add of B and 3', 'shape', () => add(real(B), real(3))],
    ['add of two types', 'dtype', () => add(real(3), whole(3))],
    ['add of booleans', 'dtype', () => add(of('bool', 3), of('bool', 3))],
    ['and of floats', 'dtype', () => and(real(3), real(3))],
    ['where with a float condition', 'dtype', () => where(real(3), real(3), real(3))],
    ['relu of integers', 'dtype', () => relu(whole(3))],
    ['matmul of unequal inner extents', 'shape', () => matmul(real(2, 3), real(2, 3))],
    ['matmul of a vector', 'shape', () => matmul(real(3), real(3, 2))],
    ['matmul of unequal batches', 'shape', () => matmul(real(2, 4, 3), real(3, 3, 4))],
    ['reshape to another size', 'shape', () => reshape(real(B, 3), [B, 4])],
    ['reshape to two unknown extents', 'shape', () => reshape(real(6), [-1, -1])],
    ['reshape to negative extents', 'shape', () => reshape(real(6), [-2, -3])],
    ['reshape to an extent that does not come out', 'shape', () => reshape(real(7), [2, -1])],
    ['transpose of fewer axes', 'shape', () => transpose(real(2, 3), [0])],
    ['transpose with an axis twice', 'shape', () => transpose(real(2, 3), [1, 1])],
    ['expand of an extent that is not 1', 'shape', () => expand(real(2), [4])],
    ['expand to fewer axes', 'shape', () => expand(real(1, 2), [2])],
    ['slice beyond the end', 'shape', () => slice(real(3), 0, 1, 4)],
    ['slice from a negative start', 'shape', () => slice(real(B), 0, -1, B)],
    ['slice that ends before it starts', 'shape', () => slice(real(B), 0, 3, 2)],
    ['pad of a negative extent', 'shape', () => pad(real(3), 0, -1, 0)],
    ['concat of unequal shapes', 'shape', () => concat([real(2, 3), real(2, 4)], 0)],
    ['concat of nothing', 'shape', () => concat([], 0)],
    ['split into unequal parts', 'shape', () => split(real(5), 2, 0)],
    ['split of a symbol', 'shape', () => split(real(B), 2, 0)],
    ['sum over an axis that is not there', 'shape', () => sum(real(2, 3), [2])],
    ['argmax over an axis that is not there', 'shape', () => argmax(real(2, 3), -3)],
    ['softmax of a scalar', 'shape', () => softmax(real())],
    ['layerNorm with a weight of another length', 'shape', () => layerNorm(real(B, 3), real(4), real(3), 1e-5)],
    ['inverseRms of a scalar', 'shape', () => inverseRms(real(), 1e-5)],
    ['gather with float indices', 'dtype', () => gather(real(3, 2), real(3))],
    ['gather of a scalar', 'shape', () => gather(real(), whole(3))],
    ['scatterAdd of rows of another width', 'shape', () => scatterAdd(real(3, 2), whole(4), real(4, 3))],
    ['takeAlong of a scalar', 'shape', () => takeAlong(real(), whole())],
    ['takeAlong of unequal rows', 'shape', () => takeAlong(real(B, 3), whole(T))],
    ['crossEntropy of three axes', 'shape', () => crossEntropy(real(B, T, 3), whole(B))],
    ['crossEntropy with float labels', 'dtype', () => crossEntropy(real(B, 3), real(B))],
  ])('%s is an error', (_, code, make) => {
    let caught: unknown;
    try {
      make();
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(QkvError);
    expect((caught as QkvError).code).toBe(code);
  });

  it('an error says what was got and what was expected', () => {
    expect(() => matmul(real(B, 3), real(4, 2))).toThrow(
      'matmul: got float32[B, 3] and float32[4, 2], expected equal inner extents',
    );
    expect(() => add(real(B, 3), real(T, 3))).toThrow(/add: got float32\[B, 3\] and float32\[T, 3\].*B and T differ/);
  });
});
