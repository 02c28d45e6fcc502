import { QkvError } from './errors.ts';

/** Element types of graph values. int64 exists only at the edges (files, ONNX inputs that demand it). */
export type DType = 'float32' | 'int32' | 'bool';

/** Element types that files hold. */
export type StorageDType =
  | 'F64'
  | 'F32'
  | 'F16'
  | 'BF16'
  | 'I64'
  | 'I32'
  | 'I16'
  | 'I8'
  | 'U64'
  | 'U32'
  | 'U16'
  | 'U8'
  | 'BOOL';

export type TensorData = Float32Array | Float64Array | Int32Array | Uint8Array;

/**
 * A dense row-major tensor in host memory. float32 is a Float32Array (a Float64Array only inside the reference
 * evaluator), int32 an Int32Array, bool a Uint8Array of 0 and 1.
 */
export interface HostTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

export function sizeOf(shape: readonly number[]): number {
  let size = 1;
  for (const dim of shape) size *= dim;
  return size;
}

function tensor(dtype: DType, shape: readonly number[], data: TensorData): HostTensor {
  if (sizeOf(shape) !== data.length) {
    throw new QkvError('shape', {
      where: `tensor of ${dtype}`,
      got: `${data.length} elements`,
      expected: `${sizeOf(shape)} for shape [${shape.join(', ')}]`,
    });
  }
  return { dtype, shape, data };
}

/** `float32([2, 3], values)`; with a plain array the values are copied, a Float32Array or Float64Array is kept as a view. */
export function float32(shape: readonly number[], data: Float32Array | Float64Array | readonly number[]): HostTensor {
  const view = data instanceof Float32Array || data instanceof Float64Array ? data : Float32Array.from(data);
  return tensor('float32', shape, view);
}

export function int32(shape: readonly number[], data: Int32Array | readonly number[]): HostTensor {
  return tensor('int32', shape, data instanceof Int32Array ? data : Int32Array.from(data));
}

export function bool(shape: readonly number[], data: Uint8Array | readonly (number | boolean)[]): HostTensor {
  return tensor('bool', shape, data instanceof Uint8Array ? data : Uint8Array.from(data, (x) => (x ? 1 : 0)));
}

export function scalar(value: number): HostTensor {
  return float32([], [value]);
}
