import type { Dim, Shape } from '../../base/dim.ts';
import { type DType, sizeOf } from '../../base/tensor.ts';

/** Floats are held in float64 while evaluating, whatever they are rounded to in the end. */
export type Elements = Float64Array | Int32Array | Uint8Array;

export interface Operand {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: Elements;
}

/** An operator's attributes once every symbol has its number. */
export type Bound<A> = {
  readonly [K in keyof A]: [Dim] extends [A[K]] ? number : [Shape] extends [A[K]] ? readonly number[] : A[K];
};

export interface OutputType {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** Computes an operator's result from operands that the shape rule has accepted. */
export type Kernel<A> = (inputs: readonly Operand[], attrs: Bound<A>, output: OutputType) => Elements;

/** One kernel for each operator of a family: a missing one does not compile. */
export type KernelTable<Ops> = { readonly [K in keyof Ops]: Kernel<Ops[K]> };

export function allocate({ dtype, shape }: OutputType): Elements {
  const size = sizeOf(shape);
  if (dtype === 'float32') return new Float64Array(size);
  return dtype === 'int32' ? new Int32Array(size) : new Uint8Array(size);
}

/** Row-major strides, in elements. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis]!;
  }
  return strides;
}

/** For each element of `shape` in row-major order, its place in an array with these strides: any transpose, slice or broadcast. */
export function stridedOffsets(shape: readonly number[], strides: readonly number[], start = 0): Int32Array {
  let offsets = Int32Array.of(start);
  shape.forEach((extent, axis) => {
    const next = new Int32Array(offsets.length * extent);
    for (let i = 0; i < offsets.length; i++) {
      for (let j = 0; j < extent; j++) next[i * extent + j] = offsets[i]! + j * strides[axis]!;
    }
    offsets = next;
  });
  return offsets;
}

/** For each element of `target`, the element of an array of `shape` that broadcasting puts there. */
export function broadcastOffsets(shape: readonly number[], target: readonly number[]): Int32Array {
  const own = stridesOf(shape);
  const lead = target.length - shape.length;
  const strides = target.map((_, axis) => (axis < lead || shape[axis - lead] === 1 ? 0 : own[axis - lead]!));
  return stridedOffsets(target, strides);
}

/** An operand's elements, repeated to the target's shape. */
export function broadcast({ data, shape }: Operand, target: readonly number[]): Elements {
  if (shape.length === target.length && shape.every((extent, axis) => extent === target[axis])) return data;
  return pick(data, broadcastOffsets(shape, target));
}

export function pick(data: Elements, offsets: Int32Array): Elements {
  const picked = new (data.constructor as new (length: number) => Elements)(offsets.length);
  for (let i = 0; i < offsets.length; i++) picked[i] = data[offsets[i]!]!;
  return picked;
}

/** An array as [outer, extent, inner] around one axis: element (o, k, i) lies at (o · extent + k) · inner + i. */
export function aroundAxis(
  shape: readonly number[],
  axis: number,
): { readonly outer: number; readonly extent: number; readonly inner: number } {
  return { outer: sizeOf(shape.slice(0, axis)), extent: shape[axis]!, inner: sizeOf(shape.slice(axis + 1)) };
}

/** Rows along the last axis. */
export function rowsOf(shape: readonly number[]): { readonly rows: number; readonly width: number } {
  return { rows: sizeOf(shape.slice(0, -1)), width: shape.at(-1)! };
}
