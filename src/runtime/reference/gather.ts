import { QkvError } from '../../base/errors.ts';
import { sizeOf } from '../../base/tensor.ts';
import type { GatherOps } from '../../ops/gather.ts';
import { allocate, type KernelTable, rowsOf } from './kernel.ts';

function checkIndex(op: string, index: number, place: number, bound: number): void {
  if (index < 0 || index >= bound) {
    throw new QkvError('runtime', {
      where: op,
      got: `index ${index} at position ${place}`,
      expected: `0 ≤ index < ${bound}`,
    });
  }
}

export const gatherKernels: KernelTable<GatherOps> = {
  gather: ([table, index], _, output) => {
    const result = allocate(output);
    const width = sizeOf(table!.shape.slice(1));
    index!.data.forEach((row, place) => {
      checkIndex('gather', row, place, table!.shape[0]!);
      result.set(table!.data.subarray(row * width, (row + 1) * width), place * width);
    });
    return result;
  },
  scatterAdd: ([base, index, rows]) => {
    const result = Float64Array.from(base!.data);
    const width = sizeOf(base!.shape.slice(1));
    index!.data.forEach((row, place) => {
      checkIndex('scatterAdd', row, place, base!.shape[0]!);
      for (let i = 0; i < width; i++) result[row * width + i]! += rows!.data[place * width + i]!;
    });
    return result;
  },
  takeAlong: ([x, index], _, output) => {
    const result = allocate(output);
    const { width } = rowsOf(x!.shape);
    index!.data.forEach((column, row) => {
      checkIndex('takeAlong', column, row, width);
      result[row] = x!.data[row * width + column]!;
    });
    return result;
  },
};
