import type { Dim } from '../base/dim.ts';
import type { Value } from '../graph/value.ts';
import { type ActivationName, activate } from '../nn/feedForward.ts';
import { normalInit } from '../nn/init.ts';
import { linear } from '../nn/linear.ts';
import type { Scope } from '../nn/scope.ts';
import { firstRows } from '../nn/sequences.ts';
import { add, cast, div, maximum, mul, sqrt, sub } from '../ops/elementwise.ts';
import { dimSize, scalarConstant } from '../ops/leaf.ts';
import { max, sum } from '../ops/reduce.ts';
import { concat, reshape } from '../ops/shape.ts';
import type { EncoderTask, TaskInputs } from './session.ts';

/** Of a text's token vectors: the first, the largest in each place, their mean, or their sum over the root of their number. */
export const poolings = ['cls', 'max', 'mean', 'mean_sqrt_len_tokens'] as const;
export type Pooling = (typeof poolings)[number];

/** What follows the pooling. `dense` is activation(x W + b) with the parameters `<name>.weight` and `<name>.bias`. */
export type EmbeddingStep =
  | { readonly kind: 'normalize' }
  | {
      readonly kind: 'dense';
      readonly name: string;
      readonly from: number;
      readonly to: number;
      readonly bias: boolean;
      readonly activation: ActivationName | null;
    };

export interface EmbeddingOptions {
  /** Several stand side by side in one vector. */
  readonly pooling: readonly Pooling[];
  readonly steps: readonly EmbeddingStep[];
}

/** A vector for each text, `embedding` [B, E], as sentence-transformers (Reimers and Gurevych 2019) makes it of the encoder's output. */
export function embeddingTask(options: EmbeddingOptions): EncoderTask {
  return {
    label: `embedding ${JSON.stringify(options)}`,
    outputs: (inputs) => {
      const pooled = concat(
        options.pooling.map((pooling) => pool(pooling, inputs)),
        1,
      );
      return { embedding: options.steps.reduce((x, step) => apply(inputs.root, step, x), pooled) };
    },
  };
}

/** [B, D]; padding counts for nothing. */
function pool(pooling: Pooling, { x, mask }: TaskInputs): Value {
  const { batch, length } = x;
  const width = x.rows.shape[1]!;
  const tokens = reshape(x.rows, [batch, length, width]);
  if (pooling === 'cls') return firstRows(x);
  const real = mask && reshape(cast(mask, 'float32'), [batch, length, 1]);
  if (pooling === 'max') {
    const hidden = real && mul(sub(scalarConstant(1), real), scalarConstant(-1e30));
    return max(hidden ? add(tokens, hidden) : tokens, [1]);
  }
  const total = sum(real ? mul(tokens, real) : tokens, [1]);
  const count = real ? sum(real, [1]) : dimSize(length as Dim);
  return div(total, pooling === 'mean' ? count : sqrt(count));
}

function apply(root: Scope, step: EmbeddingStep, x: Value): Value {
  if (step.kind === 'dense') {
    const { name, from, to, bias, activation } = step;
    const product = linear(root.at(name), x, { from, to, bias, init: normalInit(0.02) });
    return activation === null ? product : activate(activation, product);
  }
  // x / max(‖x‖, 1e-12)
  return div(x, maximum(sqrt(sum(mul(x, x), [1], true)), scalarConstant(1e-12)));
}
