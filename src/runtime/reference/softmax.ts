import type { None } from '../../ops/record.ts';
import type { SoftmaxOps } from '../../ops/softmax.ts';
import { allocate, type Elements, type Kernel, type KernelTable, rowsOf } from './kernel.ts';

/** log Σ exp(x) of one row. */
export function logSumExp(row: Elements): number {
  const largest = largestOf(row);
  return largest === -Infinity ? largest : largest + Math.log(sumExp(row, largest));
}

function largestOf(row: Elements): number {
  let largest = -Infinity;
  for (const x of row) largest = Math.max(largest, x);
  return largest;
}

/** Σ exp(x − shift) */
function sumExp(row: Elements, shift: number): number {
  let sum = 0;
  for (const x of row) sum += Math.exp(x - shift);
  return sum;
}

/** `prepare` sees a whole row and gives the function of its elements. */
function byRow(prepare: (row: Elements) => (x: number) => number): Kernel<None> {
  return ([x], _, output) => {
    const result = allocate(output);
    const { rows, width } = rowsOf(x!.shape);
    for (let r = 0; r < rows; r++) {
      const row = x!.data.subarray(r * width, (r + 1) * width);
      const f = prepare(row);
      for (let i = 0; i < width; i++) result[r * width + i] = f(row[i]!);
    }
    return result;
  };
}

// A row of −∞ alone gives NaN: it has no distribution.
export const softmaxKernels: KernelTable<SoftmaxOps> = {
  softmax: byRow((row) => {
    const largest = largestOf(row);
    const sum = sumExp(row, largest);
    return (x) => Math.exp(x - largest) / sum;
  }),
  logSoftmax: byRow((row) => {
    const normaliser = logSumExp(row);
    return (x) => x - normaliser;
  }),
};
