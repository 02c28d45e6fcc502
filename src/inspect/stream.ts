import type { Shape } from '../base/dim.ts';
import { findValue } from '../graph/graph.ts';
import { rewrite, withInputs } from '../graph/rewrite.ts';
import type { Value } from '../graph/value.ts';
import { reshape } from '../ops/shape.ts';
import { liveValues, siteOf } from './hooks.ts';
import { type Pass, type Stack, stacksOf } from './pass.ts';

/** The residual stream of a stack: before its first layer, then after each. */
export function residualNames({ prefix, layers }: Stack): string[] {
  const after = Array.from({ length: layers }, (_, i) => `${prefix}layers.${i}.residualPost`);
  return [`${prefix}layers.0.residualPre`, ...after];
}

/** The stack that the output layer reads. */
export function predictingStack(pass: Pass): Stack {
  return stacksOf(pass).at(-1)!;
}

/** The shape of a residual stream of the predicting stack: [B, T, D]. */
export function streamShape(pass: Pass): Shape {
  return findValue(pass.graph, residualNames(predictingStack(pass)).at(-1)!).shape;
}

/**
 * What comes between the last layer and the output layer: a stream [B, T, D] → rows [B·T, D]. It is the last norm of a
 * pre-norm model, and nothing of a post-norm one, whose layers end with a norm.
 */
export function finish(pass: Pass, stream: Value): Value {
  const { base } = siteOf(pass, residualNames(predictingStack(pass)).at(-1)!, liveValues(pass));
  const rows = reshape(stream, base.shape);
  const last = pass.graph.outputs['rows']!;
  return rewrite([last], (value, from) => (value === base ? rows : withInputs(value, from)))(last);
}

/** Named values as the outputs of a task. */
export function valuesOf({ graph }: Pass, names: readonly string[]): Record<string, Value> {
  return Object.fromEntries(names.map((name) => [name, findValue(graph, name)]));
}
