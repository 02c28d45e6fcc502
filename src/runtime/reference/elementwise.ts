import { QkvError } from '../../base/errors.ts';
import type { ElementwiseOps } from '../../ops/elementwise.ts';
import type { None } from '../../ops/record.ts';
import { erf } from './erf.ts';
import { allocate, broadcast, type Kernel, type KernelTable } from './kernel.ts';

function unary(f: (x: number) => number): Kernel<None> {
  return ([x], _, output) => {
    const result = allocate(output);
    for (let i = 0; i < result.length; i++) result[i] = f(x!.data[i]!);
    return result;
  };
}

/** `ofIntegers` where it is not `f`, its result taken modulo 2^32. */
function binary(f: (a: number, b: number) => number, ofIntegers: (a: number, b: number) => number = f): Kernel<None> {
  return (inputs, _, output) => {
    const [a, b] = inputs.map((input) => broadcast(input, output.shape));
    const compute = inputs[0]!.dtype === 'int32' ? ofIntegers : f;
    const result = allocate(output);
    for (let i = 0; i < result.length; i++) result[i] = compute(a![i]!, b![i]!);
    return result;
  };
}

const comparison = (f: (a: number, b: number) => boolean): Kernel<None> => binary((a, b) => (f(a, b) ? 1 : 0));

function divideIntegers(a: number, b: number): number {
  if (b === 0) throw new QkvError('runtime', { where: 'div', got: `${a} / 0 in int32` });
  return Math.trunc(a / b);
}

export const elementwiseKernels: KernelTable<ElementwiseOps> = {
  neg: unary((x) => -x),
  abs: unary(Math.abs),
  exp: unary(Math.exp),
  log: unary(Math.log),
  sqrt: unary(Math.sqrt),
  reciprocal: unary((x) => 1 / x),
  erf: unary(erf),
  tanh: unary(Math.tanh),
  sigmoid: unary(sigmoid),
  sin: unary(Math.sin),
  cos: unary(Math.cos),
  add: binary((a, b) => a + b),
  sub: binary((a, b) => a - b),
  mul: binary((a, b) => a * b, Math.imul),
  div: binary((a, b) => a / b, divideIntegers),
  maximum: binary(Math.max),
  minimum: binary(Math.min),
  pow: ([x], { exponent }, output) => unary((base) => base ** exponent)([x!], {}, output),
  equal: comparison((a, b) => a === b),
  less: comparison((a, b) => a < b),
  lessEqual: comparison((a, b) => a <= b),
  greater: comparison((a, b) => a > b),
  greaterEqual: comparison((a, b) => a >= b),
  and: binary((a, b) => a & b),
  or: binary((a, b) => a | b),
  not: unary((x) => 1 - x),
  bitXor: binary((a, b) => a ^ b),
  where: (inputs, _, output) => {
    const [condition, a, b] = inputs.map((input) => broadcast(input, output.shape));
    const result = allocate(output);
    for (let i = 0; i < result.length; i++) result[i] = condition![i] ? a![i]! : b![i]!;
    return result;
  },
  cast: ([x], { to }, output) => unary(to === 'bool' ? (v) => (v === 0 ? 0 : 1) : (v) => v)([x!], {}, output), // storing an int32 truncates
  stopGradient: ([x]) => x!.data,
};

export function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}
