import { unreachable } from '../base/errors.ts';
import type { FlatCall } from '../runtime/flatKernels.ts';

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

/** The moments that an optimizer keeps, each an array as long as the trained parameters; names as in torch's state. */
export function momentsOf(config: OptimizerConfig): readonly string[] {
  if (config.name === 'sgd') return config.momentum === 0 ? [] : ['momentum'];
  return ['exp_avg', 'exp_avg_sq'];
}

export interface UpdateInputs {
  /** `parameter`, `gradient` and the moments: the same range of each. */
  readonly arrays: Readonly<Record<string, Float32Array>>;
  readonly gradientScale: number;
  readonly learningRate: number;
  /** Whether weight decay acts on this range. */
  readonly decays: boolean;
  /** Steps done, this one included. */
  readonly step: number;
}

/** The update of a range of parameters as work for a runtime. */
export function updateCall(
  config: OptimizerConfig,
  { arrays, gradientScale, learningRate, decays, step }: UpdateInputs,
): FlatCall {
  const weightDecay = decays ? config.weightDecay : 0;
  const [parameter, gradient] = [arrays['parameter']!, arrays['gradient']!];
  switch (config.name) {
    case 'adam':
    case 'adamw': {
      const { beta1, beta2, eps } = config;
      return {
        kernel: 'adam',
        arrays: { parameter, gradient, exp_avg: arrays['exp_avg']!, exp_avg_sq: arrays['exp_avg_sq']! },
        scalars: {
          gradientScale,
          learningRate,
          beta1,
          beta2,
          eps,
          weightDecay,
          decoupled: config.name === 'adamw',
          step,
        },
      };
    }
    case 'sgd': {
      const momentum = arrays['momentum'];
      return {
        kernel: 'sgd',
        arrays: { parameter, gradient, ...(momentum && { momentum }) },
        scalars: { gradientScale, learningRate, momentum: config.momentum, weightDecay },
      };
    }
    default:
      return unreachable(config);
  }
}
