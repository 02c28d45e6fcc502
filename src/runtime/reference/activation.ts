import type { ActivationOps } from '../../ops/activation.ts';
import { sigmoid } from './elementwise.ts';
import { erf } from './erf.ts';
import { allocate, type Elements, type KernelTable, type Operand, type OutputType } from './kernel.ts';

function map(x: Operand, output: OutputType, f: (x: number) => number): Elements {
  const result = allocate(output);
  for (let i = 0; i < result.length; i++) result[i] = f(x.data[i]!);
  return result;
}

const exactGelu = (x: number): number => 0.5 * x * (1 + erf(x / Math.SQRT2));
const tanhGelu = (x: number): number => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));

export const activationKernels: KernelTable<ActivationOps> = {
  relu: ([x], _, output) => map(x!, output, (v) => Math.max(v, 0)),
  gelu: ([x], { approximate }, output) => map(x!, output, approximate === 'none' ? exactGelu : tanhGelu),
  silu: ([x], _, output) => map(x!, output, (v) => v * sigmoid(v)),
};
