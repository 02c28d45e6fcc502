import { QkvError } from '../base/errors.ts';
import { type HostTensor, sizeOf } from '../base/tensor.ts';
import { TensorProto_DataType } from './proto/onnx_pb.ts';

/** Element types that the ONNX models of qkv use; uint32 for hashing, int64 where ONNX demands it, uint8 for packed weights. */
export type OnnxDType = 'float32' | 'int32' | 'bool' | 'int64' | 'uint32' | 'uint8';

/** A dense row-major tensor inside a model: what the graph knows, and the types only ONNX knows. */
export type OnnxTensor =
  | HostTensor
  | { readonly dtype: 'int64'; readonly shape: readonly number[]; readonly data: BigInt64Array }
  | { readonly dtype: 'uint32'; readonly shape: readonly number[]; readonly data: Uint32Array }
  | { readonly dtype: 'uint8'; readonly shape: readonly number[]; readonly data: Uint8Array };

/** `TensorProto.DataType` of each element type. */
export const DATA_TYPE: Readonly<Record<OnnxDType, TensorProto_DataType>> = {
  float32: TensorProto_DataType.FLOAT,
  int32: TensorProto_DataType.INT32,
  bool: TensorProto_DataType.BOOL,
  int64: TensorProto_DataType.INT64,
  uint32: TensorProto_DataType.UINT32,
  uint8: TensorProto_DataType.UINT8,
};

const BYTES_PER_ELEMENT: Record<OnnxDType, number> = { float32: 4, int32: 4, bool: 1, int64: 8, uint32: 4, uint8: 1 };

/** A one-dimensional int64 tensor (`axes`, `shape`, `starts` …), or a scalar for a lone number. */
export function int64(values: number | readonly number[]): OnnxTensor {
  if (typeof values === 'number') return { dtype: 'int64', shape: [], data: BigInt64Array.of(BigInt(values)) };
  return { dtype: 'int64', shape: [values.length], data: BigInt64Array.from(values, BigInt) };
}

export function uint32(shape: readonly number[], data: Uint32Array | readonly number[]): OnnxTensor {
  return { dtype: 'uint32', shape, data: data instanceof Uint32Array ? data : Uint32Array.from(data) };
}

/**
 * The elements as ONNX's little-endian `raw_data` (every engine that JavaScript has here is little-endian). It is a view
 * of the tensor's memory, except for a float64 host tensor, which is rounded to float32.
 */
export function rawData(tensor: OnnxTensor): Uint8Array<ArrayBuffer> {
  const data = tensor.data instanceof Float64Array ? Float32Array.from(tensor.data) : tensor.data;
  const expected = sizeOf(tensor.shape) * BYTES_PER_ELEMENT[tensor.dtype];
  if (data.byteLength !== expected) {
    throw new QkvError('shape', {
      where: `ONNX tensor of ${tensor.dtype} [${tensor.shape.join(', ')}]`,
      got: `${data.byteLength} bytes`,
      expected: `${expected}`,
    });
  }
  // The message types want an ArrayBuffer; a view of shared memory is copied.
  const { buffer, byteOffset, byteLength } = data;
  if (buffer instanceof ArrayBuffer) return new Uint8Array(buffer, byteOffset, byteLength);
  return new Uint8Array(new Uint8Array(buffer, byteOffset, byteLength));
}
