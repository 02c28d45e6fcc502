import type { Value } from '../graph/value.ts';
import { add } from '../ops/elementwise.ts';
import { matmul } from '../ops/matmul.ts';
import { type Init, zerosInit } from './init.ts';
import type { Scope } from './scope.ts';

export interface LinearOptions {
  readonly from: number;
  readonly to: number;
  readonly init: Init;
  readonly bias: boolean;
}

/** x W + b: [..., from] → [..., to], with `weight` [from, to] and `bias` [to]. */
export function linear(scope: Scope, x: Value, { from, to, init, bias }: LinearOptions): Value {
  const product = matmul(x, scope.parameter('weight', [from, to], init));
  return bias ? add(product, scope.parameter('bias', [to], zerosInit)) : product;
}
