import type { Dim } from '../base/dim.ts';
import { type Shape, shapeSize } from '../base/dim.ts';
import { QkvError } from '../base/errors.ts';
import type { Value } from '../graph/value.ts';
import { add, bitXor, cast, greaterEqual, mul } from './elementwise.ts';
import { intConstant, scalarConstant } from './leaf.ts';
import { expectDtype, maker, type OpTable } from './record.ts';
import { reshape, slice } from './shape.ts';

export interface RandomOps {
  /** 32 hashed bits for each of 0 … size − 1. */
  hashBits: { readonly size: Dim };
}

export const randomOps: OpTable<RandomOps> = {
  hashBits: {
    type: (inputs, { size }, op) => {
      expectDtype(op, inputs, 'int32');
      return { shape: [size], dtype: 'int32' };
    },
    derivative: [{ none: 'the result is an integer' }],
  },
};

const make = maker(randomOps);

/**
 * int32 [size]: murmur3's 32-bit finaliser (https://github.com/aappleby/smhasher/blob/master/src/MurmurHash3.cpp, fmix32) of
 * i · 0x9E3779B9 + key, for a scalar int32 key.
 */
export function hashBits(key: Value, size: Dim): Value {
  return make('hashBits', [key], { size: size as never });
}

/**
 * float32 of `shape`: 0 with probability `rate`, else 1 / (1 − rate). `seed` is int32 [2], new at each step; `site` tells
 * the places of a model apart. The hash of the element's number is made once a step and shared by all sites of
 * one size; each site multiplies it by an odd number of its own, which is universal hashing in the high bits
 * (Dietzfelbinger et al. 1997, "A reliable randomized algorithm for the closest-pair problem", section 2.2).
 */
export function dropoutMask(seed: Value, site: number, rate: number, shape: Shape): Value {
  if (!(rate >= 0 && rate < 1)) {
    throw new QkvError('usage', { where: 'dropout', got: `rate ${rate}`, expected: 'a rate from 0 to below 1' });
  }
  const [first, second] = [0, 1].map((i) => reshape(slice(seed, 0, i, i + 1), [])) as [Value, Value];
  const key = mul(bitXor(second, intConstant(Math.imul(site, 0x9e3779b1) | 0)), intConstant(0x85ebca6b | 0));
  const factor = bitXor(mul(key, intConstant(2)), intConstant(Math.imul(site, 0xc2b2ae35) | 1));
  const bits = mul(add(hashBits(first, shapeSize(shape)), key), factor);
  const kept = greaterEqual(bits, intConstant(Math.round(rate * 2 ** 32) - 2 ** 31));
  return reshape(mul(cast(kept, 'float32'), scalarConstant(1 / (1 - rate))), shape);
}
