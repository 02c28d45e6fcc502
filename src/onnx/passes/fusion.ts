import { reachable, type Value } from '../../graph/value.ts';
import type { LoweringContext, LoweringOptions } from '../lowering.ts';
import type { OnnxValue } from '../modelBuilder.ts';
import { addIntoGemm } from './addIntoGemm.ts';
import { halfErf } from './halfErf.ts';
import { rotary } from './rotary.ts';
import { stepFunction } from './stepFunction.ts';

/** One ONNX expression for several values of the graph: `value` is the last of them, `inside` the others. */
export interface Fusion {
  readonly inside: readonly Value[];
  readonly inputs: readonly Value[];
  readonly emit: (cx: LoweringContext, inputs: readonly OnnxValue[]) => OnnxValue;
}

/** Recognises a fusion that ends in a value. `isPrivate` tells that only so many values, 1 by default, read an inner one. */
export type Pattern = (
  value: Value,
  isPrivate: (inner: Value, readers?: number) => boolean,
  options: LoweringOptions,
) => Fusion | undefined;

const patterns: readonly Pattern[] = [halfErf, addIntoGemm, stepFunction, rotary];

export interface Fusions {
  readonly at: ReadonlyMap<Value, Fusion>;
  readonly inside: ReadonlySet<Value>;
}

/** Where the fusions apply: later values first, each value in one fusion at most. */
export function findFusions(roots: readonly Value[], options: LoweringOptions): Fusions {
  const values = reachable(roots);
  const uses = new Map<Value, number>();
  for (const value of values) for (const input of value.inputs) uses.set(input, (uses.get(input) ?? 0) + 1);
  const fetched = new Set(roots);
  const at = new Map<Value, Fusion>();
  const inside = new Set<Value>();
  const isPrivate = (inner: Value, readers = 1): boolean =>
    uses.get(inner) === readers && !fetched.has(inner) && !inside.has(inner) && !at.has(inner);
  for (const value of values.reverse()) {
    if (inside.has(value)) continue;
    for (const pattern of patterns) {
      const fusion = pattern(value, isPrivate, options);
      if (!fusion) continue;
      at.set(value, fusion);
      for (const inner of fusion.inside) inside.add(inner);
      break;
    }
  }
  return { at, inside };
}
