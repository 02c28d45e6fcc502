import { type Dim, dimMul } from '../base/dim.ts';
import { float32 } from '../base/tensor.ts';
import type { Value } from '../graph/value.ts';
import type { Init } from '../nn/init.ts';
import type { Scope } from '../nn/scope.ts';
import { add, mul, sigmoid, tanh } from '../ops/elementwise.ts';
import { constant } from '../ops/leaf.ts';
import { matmul } from '../ops/matmul.ts';
import { concat, slice, split } from '../ops/shape.ts';

export interface LstmOptions {
  /** Width of the inputs, D. */
  readonly from: number;
  /** Width of the state, H. */
  readonly width: number;
  /** Added to the forget gate's sum: 0 is PyTorch's start, 1 that of Jozefowicz et al. 2015, section 2.2. */
  readonly forgetShift?: number;
}

/** [B, H] each. */
export interface LstmState {
  readonly hidden: Value;
  readonly cell: Value;
}

/**
 * A layer of long short-term memory (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000), unrolled
 * over `length` steps, so that the sweep of `gradients` is backpropagation through time. Equations and order of the
 * gates i, f, g, o as in `torch.nn.LSTM`, whose two biases, which are only ever added, are one here:
 *
 *     i, f, o = σ(x W + h U + b),  g = tanh(x W + h U + b),  c ← f ⊙ c + i ⊙ g,  h ← o ⊙ tanh(c)
 *
 * x: rows [T·B, D], the first elements of all sequences first → rows [T·B, H] in the same order, and the state after them.
 * The products with W wait for no state: they are one product over all steps.
 */
export function lstm(
  scope: Scope,
  x: Value,
  state: LstmState,
  { batch, length }: { readonly batch: Dim; readonly length: number },
  { from, width, forgetShift = 0 }: LstmOptions,
): { readonly rows: Value; readonly state: LstmState } {
  const init: Init = { kind: 'uniform', bound: 1 / Math.sqrt(width) };
  const shift = Float32Array.from({ length: 4 * width }, (_, j) => (Math.floor(j / width) === 1 ? forgetShift : 0));
  const bias = add(scope.parameter('bias', [4 * width], init), constant(float32([4 * width], shift)));
  const driven = add(matmul(x, scope.parameter('input', [from, 4 * width], init)), bias);
  const recurrent = scope.parameter('recurrent', [width, 4 * width], init);
  let { hidden, cell } = state;
  const outputs: Value[] = [];
  for (let t = 0; t < length; t++) {
    const drive = slice(driven, 0, dimMul(t, batch), dimMul(t + 1, batch));
    const gates = split(add(matmul(hidden, recurrent), drive), 4, 1) as [Value, Value, Value, Value];
    const [i, f, g, o] = gates;
    cell = add(mul(sigmoid(f), cell), mul(sigmoid(i), tanh(g)));
    hidden = mul(sigmoid(o), tanh(cell));
    outputs.push(hidden);
  }
  return { rows: concat(outputs, 0), state: { hidden, cell } };
}
