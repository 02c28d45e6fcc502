import { QkvError } from '../../base/errors.ts';
import type { ReduceOps, Reduction } from '../../ops/reduce.ts';
import { allocate, aroundAxis, type Kernel, type KernelTable, stridedOffsets, stridesOf } from './kernel.ts';

/** `fold` over all elements that meet in one element of the result, from `start`; `finish` gets the number of elements. */
function reduction(
  start: number,
  fold: (sum: number, x: number) => number,
  finish: (sum: number, count: number) => number = (sum) => sum,
): Kernel<Reduction> {
  return ([x], { axes }, output) => {
    const result = allocate(output);
    const kept = x!.shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent));
    const strides = stridesOf(kept).map((stride, axis) => (axes.includes(axis) ? 0 : stride));
    const targets = stridedOffsets(x!.shape, strides);
    const sums = new Float64Array(result.length).fill(start);
    for (let i = 0; i < targets.length; i++) sums[targets[i]!] = fold(sums[targets[i]!]!, x!.data[i]!);
    const count = axes.reduce((product, axis) => product * x!.shape[axis]!, 1);
    for (let i = 0; i < result.length; i++) result[i] = finish(sums[i]!, count);
    return result;
  };
}

export const reduceKernels: KernelTable<ReduceOps> = {
  sum: reduction(0, (sum, x) => sum + x),
  mean: reduction(
    0,
    (sum, x) => sum + x,
    (sum, count) => sum / count,
  ),
  max: reduction(-Infinity, Math.max),
  argmax: ([x], { axis }, output) => {
    const { outer, extent, inner } = aroundAxis(x!.shape, axis);
    if (extent === 0 && outer * inner > 0) {
      throw new QkvError('runtime', { where: `argmax of axis ${axis}`, got: 'no elements' });
    }
    const result = allocate(output);
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        const at = (k: number): number => x!.data[(o * extent + k) * inner + i]!;
        let best = 0;
        for (let k = 1; k < extent; k++) if (at(k) > at(best)) best = k;
        result[o * inner + i] = best;
      }
    }
    return result;
  },
  cumsum: ([x], { axis, exclusive, reverse }, output) => {
    const result = allocate(output);
    const { outer, extent, inner } = aroundAxis(x!.shape, axis);
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        let sum = 0;
        for (let step = 0; step < extent; step++) {
          const place = (o * extent + (reverse ? extent - 1 - step : step)) * inner + i;
          const after = sum + x!.data[place]!;
          result[place] = exclusive ? sum : after;
          sum = after;
        }
      }
    }
    return result;
  },
};
