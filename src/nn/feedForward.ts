import { brief } from '../base/brief.ts';
import { QkvError } from '../base/errors.ts';
import type { Value } from '../graph/value.ts';
import { gelu, relu, silu } from '../ops/activation.ts';
import { mul, sigmoid, tanh } from '../ops/elementwise.ts';
import { scalarConstant } from '../ops/leaf.ts';
import type { Init } from './init.ts';
import { linear } from './linear.ts';
import type { Scope } from './scope.ts';

/**
 * Names as in Hugging Face's ACT2FN; `swish` is `silu`, `gelu_new`, `gelu_fast` and `gelu_pytorch_tanh` are the tanh form of
 * GELU, `quick_gelu` is its sigmoid form x σ(1.702 x).
 */
export type ActivationName =
  | 'relu'
  | 'gelu'
  | 'gelu_new'
  | 'gelu_fast'
  | 'gelu_pytorch_tanh'
  | 'quick_gelu'
  | 'silu'
  | 'swish'
  | 'tanh';

const activations: Readonly<Record<ActivationName, (x: Value) => Value>> = {
  relu,
  gelu: (x: Value) => gelu(x, 'none'),
  gelu_new: (x: Value) => gelu(x, 'tanh'),
  gelu_fast: (x: Value) => gelu(x, 'tanh'),
  gelu_pytorch_tanh: (x: Value) => gelu(x, 'tanh'),
  quick_gelu: (x: Value) => mul(x, sigmoid(mul(x, scalarConstant(1.702)))),
  silu,
  swish: silu,
  tanh,
};

export function parseActivation(where: string, name: unknown): ActivationName {
  if (typeof name === 'string' && Object.hasOwn(activations, name)) return name as ActivationName;
  throw new QkvError('config', {
    where,
    got: brief(name),
    expected: `one of ${Object.keys(activations).join(', ')}`,
  });
}

export function activate(name: ActivationName, x: Value): Value {
  return activations[name](x);
}

export interface FeedForwardOptions {
  readonly width: number;
  readonly hidden: number;
  readonly activation: ActivationName;
  readonly bias: boolean;
  readonly dropout: number;
  readonly init: Init;
  /** Of the second matrix, where it differs: GPT-2 scales what flows into the residual stream. */
  readonly outInit?: Init;
}

/** activation(x W₁ + b₁) W₂ + b₂ (Vaswani et al. 2017, section 3.3). `up` [width, hidden], `down` [hidden, width]. */
export function feedForward(scope: Scope, x: Value, options: FeedForwardOptions): Value {
  const { width, hidden, bias, init, outInit = init } = options;
  const inner = activate(options.activation, linear(scope.at('up'), x, { from: width, to: hidden, init, bias }));
  const dropped = scope.dropout('hidden', scope.name('mlpHidden', inner), options.dropout);
  return scope.name('mlpOut', linear(scope.at('down'), dropped, { from: hidden, to: width, init: outInit, bias }));
}

/**
 * (activation(x W_g) ⊙ x W₁) W₂ (Shazeer 2020, "GLU Variants Improve Transformer"). `gate` and `up` [width, hidden], `down`
 * [hidden, width]; the product is the name `mlpHidden`.
 */
export function gatedFeedForward(scope: Scope, x: Value, options: FeedForwardOptions): Value {
  const { width, hidden, bias, init, outInit = init } = options;
  const gate = activate(options.activation, linear(scope.at('gate'), x, { from: width, to: hidden, init, bias }));
  const inner = mul(gate, linear(scope.at('up'), x, { from: width, to: hidden, init, bias }));
  const dropped = scope.dropout('hidden', scope.name('mlpHidden', inner), options.dropout);
  return scope.name('mlpOut', linear(scope.at('down'), dropped, { from: hidden, to: width, init: outInit, bias }));
}
