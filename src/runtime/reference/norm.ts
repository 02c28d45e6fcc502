import type { NormOps } from '../../ops/norm.ts';
import { allocate, type Elements, type KernelTable, type Operand, type OutputType, rowsOf } from './kernel.ts';

interface Statistics {
  readonly mean: number;
  readonly variance: number;
  readonly meanSquare: number;
}

function statisticsOf(row: Elements): Statistics {
  let sum = 0;
  let squares = 0;
  for (const x of row) {
    sum += x;
    squares += x * x;
  }
  const mean = sum / row.length;
  let deviation = 0;
  for (const x of row) deviation += (x - mean) ** 2;
  return { mean, variance: deviation / row.length, meanSquare: squares / row.length };
}

/** One result per row, or one per element, whichever the output has. */
function perRow(x: Operand, output: OutputType, f: (statistics: Statistics, x: number, i: number) => number): Elements {
  const result = allocate(output);
  const { rows, width } = rowsOf(x.shape);
  const outputWidth = output.shape.at(-1)!;
  for (let r = 0; r < rows; r++) {
    const row = x.data.subarray(r * width, (r + 1) * width);
    const statistics = statisticsOf(row);
    for (let i = 0; i < outputWidth; i++) result[r * outputWidth + i] = f(statistics, row[i]!, i);
  }
  return result;
}

export const normKernels: KernelTable<NormOps> = {
  layerNorm: ([x, weight, bias], { epsilon }, output) =>
    perRow(
      x!,
      output,
      ({ mean, variance }, v, i) => (weight!.data[i]! * (v - mean)) / Math.sqrt(variance + epsilon) + bias!.data[i]!,
    ),
  rmsNorm: ([x, weight], { epsilon }, output) =>
    perRow(x!, output, ({ meanSquare }, v, i) => (weight!.data[i]! * v) / Math.sqrt(meanSquare + epsilon)),
  inverseStd: ([x], { epsilon }, output) => perRow(x!, output, ({ variance }) => 1 / Math.sqrt(variance + epsilon)),
  inverseRms: ([x], { epsilon }, output) => perRow(x!, output, ({ meanSquare }) => 1 / Math.sqrt(meanSquare + epsilon)),
};
