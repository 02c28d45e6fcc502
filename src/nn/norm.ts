import { float32 } from '../base/tensor.ts';
import type { Value } from '../graph/value.ts';
import { constant } from '../ops/leaf.ts';
import { layerNorm as layerNormOp, rmsNorm as rmsNormOp } from '../ops/norm.ts';
import { onesInit, zerosInit } from './init.ts';
import type { Scope } from './scope.ts';

export interface LayerNormOptions {
  readonly width: number;
  readonly epsilon: number;
  readonly bias?: boolean;
}

/** Layer norm over the last axis, with `weight` [width] and, unless switched off, `bias` [width]. */
export function layerNorm(scope: Scope, x: Value, { width, epsilon, bias = true }: LayerNormOptions): Value {
  const weight = scope.parameter('weight', [width], onesInit);
  const shift = bias
    ? scope.parameter('bias', [width], zerosInit)
    : constant(float32([width], new Float32Array(width)));
  return layerNormOp(x, weight, shift, epsilon);
}

export interface RmsNormOptions {
  readonly width: number;
  readonly epsilon: number;
}

/** x / √(mean of squares + ε) over the last axis, with `weight` [width]. */
export function rmsNorm(scope: Scope, x: Value, { width, epsilon }: RmsNormOptions): Value {
  return rmsNormOp(x, scope.parameter('weight', [width], onesInit), epsilon);
}
