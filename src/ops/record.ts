import { type Dim, dimEquals, dimText, type Shape, shapeText } from '../base/dim.ts';
import { QkvError } from '../base/errors.ts';
import type { DType } from '../base/tensor.ts';
import { type Attributes, makeValue, type Value } from '../graph/value.ts';

export interface ValueType {
  readonly shape: Shape;
  readonly dtype: DType;
}

/**
 * The gradient with respect to one input, as an expression over public operators: from the upstream gradient `g`, the
 * operator's result `y`, its inputs and attributes. It may keep `y`'s shape where the input was broadcast: the sweep
 * sums it down to the input's shape.
 */
export type DerivativeRule<A> = (g: Value, y: Value, inputs: readonly Value[], attrs: A) => Value;

/** There is none, for a reason. */
export interface NoDerivative {
  readonly none: string;
}

export type Derivative<A> = DerivativeRule<A> | NoDerivative;

/** All that defines an operator's mathematics: what shapes it takes and gives, and its derivative. */
export interface OpRecord<A> {
  readonly type: (inputs: readonly Value[], attrs: A, op: string) => ValueType;
  /** One rule per input; a function of the input's index where the number of inputs is free. */
  readonly derivative: readonly Derivative<A>[] | ((index: number) => Derivative<A>);
}

export type OpTable<Ops> = { readonly [K in keyof Ops]: OpRecord<Ops[K]> };

/** Attributes of an operator that has none. */
export type None = Readonly<Record<never, never>>;

/** Makes the constructor of a family's values: `make('add', [a, b], {})` checks the types and builds the value. */
export function maker<Ops>(
  table: OpTable<Ops>,
): <K extends keyof Ops & string>(op: K, inputs: readonly Value[], attrs: Ops[K]) => Value {
  return (op, inputs, attrs) => makeValue(op, inputs, attrs as Attributes, table[op].type(inputs, attrs, op));
}

export function shapeError(op: string, inputs: readonly Value[], expected: string, hint?: string): QkvError {
  const got = inputs.map((input) => `${input.dtype}${shapeText(input.shape)}`).join(' and ');
  return new QkvError('shape', { where: op, got, expected, ...(hint === undefined ? {} : { hint }) });
}

export function expectDtype(op: string, inputs: readonly Value[], ...allowed: DType[]): DType {
  const dtype = inputs[0]!.dtype;
  if (!allowed.includes(dtype) || inputs.some((input) => input.dtype !== dtype)) {
    throw new QkvError('dtype', {
      where: op,
      got: inputs.map((input) => input.dtype).join(' and '),
      expected: `${inputs.length > 1 ? 'equal types, ' : ''}${allowed.join(' or ')}`,
      hint: 'Use cast() to change a type',
    });
  }
  return dtype;
}

/** NumPy's broadcasting over symbolic shapes: extents are equal, or one of them is 1. */
export function broadcastShapes(op: string, ...inputs: readonly Value[]): Shape {
  const rank = Math.max(...inputs.map((input) => input.shape.length));
  const shape: Dim[] = [];
  for (let axis = 0; axis < rank; axis++) {
    let extent: Dim = 1;
    for (const input of inputs) {
      const dim = input.shape[axis - rank + input.shape.length] ?? 1;
      if (dimEquals(dim, 1) || dimEquals(dim, extent)) continue;
      if (!dimEquals(extent, 1)) {
        throw shapeError(
          op,
          inputs,
          `extents that are equal or 1 on every axis`,
          `${dimText(extent)} and ${dimText(dim)} differ`,
        );
      }
      extent = dim;
    }
    shape.push(extent);
  }
  return shape;
}

/** An axis counted from the front; negative ones count from the back. */
export function normalAxis(op: string, axis: number, rank: number): number {
  const normal = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || normal < 0 || normal >= rank) {
    throw new QkvError('shape', {
      where: op,
      got: `axis ${axis}`,
      expected: `an integer from ${-rank} to ${rank - 1}`,
    });
  }
  return normal;
}
