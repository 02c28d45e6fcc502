import type { Dim, Shape } from '../base/dim.ts';
import { type DType, float32, type HostTensor, int32 } from '../base/tensor.ts';
import { makeValue, type Value } from '../graph/value.ts';
import type { NoDerivative, OpTable, ValueType } from './record.ts';

export interface LeafOps {
  input: { readonly name: string };
  parameter: { readonly name: string };
  constant: { readonly label?: string };
  /** The size of a dimension as a scalar, known at run time at the latest. */
  dimSize: { readonly dim: Dim };
  /** 0, 1, 2, … `size` − 1 */
  iota: { readonly size: Dim };
}

const leaf: NoDerivative = { none: 'a leaf has no inputs' };
const declared = (): ValueType => {
  throw new Error('qkv defect: leaves carry their type and are made by their own constructors');
};

export const leafOps: OpTable<LeafOps> = {
  input: { type: declared, derivative: () => leaf },
  parameter: { type: declared, derivative: () => leaf },
  constant: { type: declared, derivative: () => leaf },
  dimSize: { type: () => ({ shape: [], dtype: 'float32' }), derivative: () => leaf },
  iota: { type: (_, { size }) => ({ shape: [size], dtype: 'int32' }), derivative: () => leaf },
};

/** A value that is fed at every run. */
export function input(name: string, dtype: DType, shape: Shape): Value {
  return makeValue('input', [], { name }, { shape, dtype });
}

/** A trained tensor, a named view of an arena. */
export function parameter(name: string, shape: readonly number[]): Value {
  return makeValue('parameter', [], { name }, { shape, dtype: 'float32' });
}

export function constant(literal: HostTensor): Value {
  return makeValue('constant', [], {}, literal, literal);
}

/** A float32 scalar. */
export function scalarConstant(value: number): Value {
  return constant(float32([], [value]));
}

export function intConstant(value: number): Value {
  return constant(int32([], [value]));
}

/** The size of a dimension as a float32 scalar: a constant where it is known, else read at run time. */
export function dimSize(dim: Dim): Value {
  return typeof dim === 'number'
    ? scalarConstant(dim)
    : makeValue('dimSize', [], { dim: dim as never }, { shape: [], dtype: 'float32' });
}

/** int32 [size]: 0, 1, 2, … */
export function iota(size: Dim): Value {
  return makeValue('iota', [], { size: size as never }, { shape: [size], dtype: 'int32' });
}
