import { symbol } from '../base/dim.ts';
import { unreachable } from '../base/errors.ts';
import type { Graph } from '../graph/graph.ts';
import type { Value } from '../graph/value.ts';
import { add, div, mul, sqrt, sub } from '../ops/elementwise.ts';
import { input, scalarConstant } from '../ops/leaf.ts';

/** Names and defaults as in torch.optim. */
export type OptimizerConfig =
  | {
      readonly name: 'adam' | 'adamw';
      readonly beta1: number;
      readonly beta2: number;
      readonly eps: number;
      readonly weightDecay: number;
    }
  | { readonly name: 'sgd'; readonly momentum: number; readonly weightDecay: number };

/** The moments that an optimizer keeps, each an array as long as the trained parameters. */
export function momentsOf(config: OptimizerConfig): readonly string[] {
  if (config.name === 'sgd') return config.momentum === 0 ? [] : ['momentum'];
  return ['exp_avg', 'exp_avg_sq'];
}

/** Scalars that change from step to step; their graph inputs have these names. */
export interface StepScalars {
  readonly learningRate: number;
  /** Decay of this range: the configured one, or 0. */
  readonly weightDecay: number;
  /** 1 − β₁ᵗ and √(1 − β₂ᵗ), t counted from 1. */
  readonly correction1: number;
  readonly correction2: number;
}

export function stepScalars(config: OptimizerConfig, step: number, rate: number, decays: boolean): StepScalars {
  const isAdam = config.name !== 'sgd';
  return {
    learningRate: rate,
    weightDecay: decays ? config.weightDecay : 0,
    correction1: isAdam ? 1 - config.beta1 ** (step + 1) : 1,
    correction2: isAdam ? Math.sqrt(1 - config.beta2 ** (step + 1)) : 1,
  };
}

/**
 * The update of N consecutive parameters: inputs `parameter`, `gradient` [N], the moments [N], `gradientScale` (clipping) and the
 * numbers of `StepScalars`; outputs `parameter` and the moments, to be written over the inputs. Every value is read before it
 * is overwritten: ONNX Runtime runs the nodes in this order.
 *
 * - `adamw`: θ ← θ − lr λ θ, then θ ← θ − lr/c₁ · m / (√v / √c₂ + ε) (Loshchilov and Hutter 2019; torch.optim.AdamW)
 * - `adam`: g ← g + λ θ first, no other decay (Kingma and Ba 2015; torch.optim.Adam)
 * - `sgd`: g ← g + λ θ, m ← μ m + g, θ ← θ − lr m (torch.optim.SGD)
 */
export function traceUpdate(config: OptimizerConfig): Graph {
  const count = symbol('N');
  const flat = (name: string): Value => input(name, 'float32', [count]);
  const number = (name: keyof StepScalars | 'gradientScale'): Value => input(name, 'float32', []);
  const parameter = flat('parameter');
  const scaled = mul(flat('gradient'), number('gradientScale'));
  const coupled = (): Value => (config.weightDecay === 0 ? scaled : add(scaled, mul(parameter, number('weightDecay'))));
  switch (config.name) {
    case 'sgd': {
      const gradient = coupled();
      if (config.momentum === 0) return graph({ parameter: sub(parameter, mul(gradient, number('learningRate'))) });
      const momentum = add(mul(flat('momentum'), scalarConstant(config.momentum)), gradient);
      return graph({ momentum, parameter: sub(parameter, mul(momentum, number('learningRate'))) });
    }
    case 'adam':
    case 'adamw': {
      const { beta1, beta2, eps } = config;
      const gradient = config.name === 'adam' ? coupled() : scaled;
      const rate = number('learningRate');
      const first = add(mul(flat('exp_avg'), scalarConstant(beta1)), mul(gradient, scalarConstant(1 - beta1)));
      const second = add(
        mul(flat('exp_avg_sq'), scalarConstant(beta2)),
        mul(mul(gradient, gradient), scalarConstant(1 - beta2)),
      );
      const denominator = add(div(sqrt(second), number('correction2')), scalarConstant(eps));
      const decayed =
        config.name === 'adamw' && config.weightDecay !== 0
          ? mul(parameter, sub(scalarConstant(1), mul(rate, number('weightDecay'))))
          : parameter;
      const update = mul(div(first, denominator), div(rate, number('correction1')));
      return graph({ exp_avg: first, exp_avg_sq: second, parameter: sub(decayed, update) });
    }
    default:
      return unreachable(config);
  }
}

function graph(outputs: Readonly<Record<string, Value>>): Graph {
  return { outputs, names: new Map() };
}
