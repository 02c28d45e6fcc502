import { QkvError } from '../../base/errors.ts';
import type { ShapeOps } from '../../ops/shape.ts';
import { allocate, aroundAxis, broadcast, type KernelTable, pick, stridedOffsets, stridesOf } from './kernel.ts';

export const shapeKernels: KernelTable<ShapeOps> = {
  reshape: ([x]) => x!.data,
  transpose: ([x], { permutation }, { shape }) => {
    const strides = stridesOf(x!.shape);
    return pick(
      x!.data,
      stridedOffsets(
        shape,
        permutation.map((axis) => strides[axis]!),
      ),
    );
  },
  expand: ([x], _, { shape }) => broadcast(x!, shape),
  slice: ([x], { axis, start, end }, { shape }) => {
    if (start < 0 || start > end || end > x!.shape[axis]!) {
      throw new QkvError('runtime', {
        where: `slice of axis ${axis}`,
        got: `${start}..${end}`,
        expected: `0 ≤ start ≤ end ≤ ${x!.shape[axis]}`,
      });
    }
    const strides = stridesOf(x!.shape);
    return pick(x!.data, stridedOffsets(shape, strides, start * strides[axis]!));
  },
  concat: (inputs, { axis }, output) => {
    const result = allocate(output);
    const { outer, extent, inner } = aroundAxis(output.shape, axis);
    let before = 0;
    for (const { data, shape } of inputs) {
      const block = shape[axis]! * inner;
      for (let o = 0; o < outer; o++) {
        result.set(data.subarray(o * block, (o + 1) * block), o * extent * inner + before);
      }
      before += block;
    }
    return result;
  },
  pad: ([x], { axis, before, after, value }, output) => {
    if (before < 0 || after < 0) {
      throw new QkvError('runtime', {
        where: `pad of axis ${axis}`,
        got: `${before} before and ${after} after`,
        expected: 'no negative extents',
      });
    }
    const result = allocate(output).fill(value);
    const { outer, extent, inner } = aroundAxis(output.shape, axis);
    const block = x!.shape[axis]! * inner;
    for (let o = 0; o < outer; o++) {
      result.set(x!.data.subarray(o * block, (o + 1) * block), (o * extent + before) * inner);
    }
    return result;
  },
};
