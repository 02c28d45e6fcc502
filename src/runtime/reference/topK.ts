import type { TopKOps } from '../../ops/topK.ts';
import { type Elements, type KernelTable, type Operand, rowsOf } from './kernel.ts';

/** Places of each row's k largest, by sorting the whole row; the sort is stable, so of equals the first comes first. */
function select({ data, shape }: Operand, k: number): Int32Array {
  const { rows, width } = rowsOf(shape);
  const chosen = new Int32Array(rows * k);
  for (let r = 0; r < rows; r++) {
    const row = data.subarray(r * width, (r + 1) * width);
    const order = [...row.keys()].sort((a, b) => row[b]! - row[a]!);
    chosen.set(order.slice(0, k), r * k);
  }
  return chosen;
}

export const topKKernels: KernelTable<TopKOps> = {
  topValues: ([x], { k }): Elements => {
    const { width } = rowsOf(x!.shape);
    return Float64Array.from(select(x!, k), (place, i) => x!.data[Math.floor(i / k) * width + place]!);
  },
  topIndices: ([x], { k }) => select(x!, k),
};
