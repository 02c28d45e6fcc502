import { QkvError } from '../../base/errors.ts';
import type { LossAttributes, LossOps } from '../../ops/loss.ts';
import { type Elements, type KernelTable, rowsOf } from './kernel.ts';
import { logSumExp } from './softmax.ts';

/** Σ_v q(v) (log Σ exp(z) − z(v)) with q(v) = (1 − ε) [v = label] + ε / V: the definition, word by word. */
function rowLoss(row: Elements, label: number, { smoothing, ignore }: LossAttributes, place: number): number {
  if (label === ignore) return 0;
  if (label < 0 || label >= row.length) {
    throw new QkvError('runtime', {
      where: 'crossEntropy',
      got: `label ${label} at position ${place}`,
      expected: `0 ≤ label < ${row.length}, or ${ignore} to ignore the row`,
    });
  }
  const normaliser = logSumExp(row);
  let loss = 0;
  row.forEach((z, v) => {
    const q = (v === label ? 1 - smoothing : 0) + smoothing / row.length;
    if (q > 0) loss += q * (normaliser - z);
  });
  return loss;
}

export const lossKernels: KernelTable<LossOps> = {
  crossEntropy: ([logits, labels], attrs) => {
    const { rows, width } = rowsOf(logits!.shape);
    return Float64Array.from({ length: rows }, (_, r) =>
      rowLoss(logits!.data.subarray(r * width, (r + 1) * width), labels!.data[r]!, attrs, r),
    );
  },
  linearCrossEntropy: ([hidden, weight, bias, labels], attrs) => {
    const { rows, width } = rowsOf(hidden!.shape);
    return Float64Array.from({ length: rows }, (_, r) => {
      const logits = Float64Array.from(bias!.data, (start, v) => {
        let z = start;
        for (let d = 0; d < width; d++) z += hidden!.data[r * width + d]! * weight!.data[v * width + d]!;
        return z;
      });
      return rowLoss(logits, labels!.data[r]!, attrs, r);
    });
  },
};
