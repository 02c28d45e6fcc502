import { float32, type HostTensor, int32, sizeOf } from '../base/tensor.ts';

/** A tensor of zeros on a SharedArrayBuffer, which an engine in another thread reads and writes in place. */
export function sharedTensor(dtype: 'float32' | 'int32', shape: readonly number[]): HostTensor {
  const buffer = new SharedArrayBuffer(sizeOf(shape) * 4);
  return dtype === 'float32' ? float32(shape, new Float32Array(buffer)) : int32(shape, new Int32Array(buffer));
}

/** The tensor itself where it is on a SharedArrayBuffer or of integers, else a copy that is. */
export function onShared(tensor: HostTensor): HostTensor {
  if (tensor.data.buffer instanceof SharedArrayBuffer || tensor.dtype !== 'float32') return tensor;
  const copy = sharedTensor('float32', tensor.shape);
  copy.data.set(tensor.data);
  return copy;
}
