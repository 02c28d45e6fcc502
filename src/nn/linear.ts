import type { Value } from '../graph/value.ts';
import { add } from '../ops/elementwise.ts';
import { matmul } from '../ops/matmul.ts';
import { type Init, zerosInit } from './init.ts';
import { withLora } from './lora.ts';
import type { Scope } from './scope.ts';

export interface LinearOptions {
  readonly from: number;
  readonly to: number;
  readonly init: Init;
  readonly bias: boolean;
}

/** x W + b: [..., from] → [..., to], with `weight` [from, to] and `bias` [to]; with a low-rank update where the trace plans one. */
export function linear(scope: Scope, x: Value, { from, to, init, bias }: LinearOptions): Value {
  scope.trace.linears.add(scope.parameterPath);
  const product = matmul(x, scope.parameter('weight', [from, to], init));
  const y = bias ? add(product, scope.parameter('bias', [to], zerosInit)) : product;
  return withLora(scope, x, y, { from, to });
}
