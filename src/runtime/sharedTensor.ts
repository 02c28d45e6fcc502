import { isInPlace, sharedBuffer } from '../base/sharedFloats.ts';
import { float32, type HostTensor, int32, sizeOf } from '../base/tensor.ts';

/** A tensor of zeros that an engine reads and writes in place: on a SharedArrayBuffer where there are any. */
export function sharedTensor(dtype: 'float32' | 'int32', shape: readonly number[]): HostTensor {
  const buffer = sharedBuffer(sizeOf(shape) * 4);
  return dtype === 'float32' ? float32(shape, new Float32Array(buffer)) : int32(shape, new Int32Array(buffer));
}

/** The tensor itself where an engine reads it in place or it is of integers, else a copy that is. */
export function onShared(tensor: HostTensor): HostTensor {
  if (isInPlace(tensor.data.buffer) || tensor.dtype !== 'float32') return tensor;
  const copy = sharedTensor('float32', tensor.shape);
  copy.data.set(tensor.data);
  return copy;
}
