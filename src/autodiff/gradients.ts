import { type Dim, dimAdd, dimEquals, dimText, type Shape, shapeEquals, shapeText } from '../base/dim.ts';
import { QkvError } from '../base/errors.ts';
import { reachable, type Value } from '../graph/value.ts';
import { zeros } from '../ops/gather.ts';
import type { Derivative } from '../ops/record.ts';
import { addAll, sum } from '../ops/reduce.ts';
import { concat, reshape } from '../ops/shape.ts';
import { recordOf } from '../ops/table.ts';

/**
 * Reverse-mode differentiation: the gradients of Σ seed ⊙ output with respect to `wrt`, as values of the same graph.
 * The sweep goes through the operators from the last to the first; it adds up what several users contribute, leaves out
 * what leads to no `wrt`, and sums broadcast axes away, so that the rules of the operators need do none of it.
 *
 * @throws QkvError `gradient` where an output or a `wrt` is not float32, or where the path from one to the other goes
 * through an operator without a derivative.
 */
export function gradients(
  outputs: readonly { readonly value: Value; readonly seed: Value }[],
  wrt: readonly Value[],
): Value[] {
  for (const value of [...outputs.map((output) => output.value), ...wrt]) {
    if (value.dtype !== 'float32') {
      throw new QkvError('gradient', { where: value.op, got: `a value of ${value.dtype}`, expected: 'float32' });
    }
  }
  const order = reachable(outputs.map(({ value }) => value));
  const needed = new Set<Value>(wrt);
  for (const value of order) {
    if (value.inputs.some((input, i) => needed.has(input) && !isBlocked(value, i))) needed.add(value);
  }

  const parts = new Map<Value, Value[]>();
  const contribute = (value: Value, gradient: Value): void => {
    const fitted = unbroadcast(gradient, value.shape);
    const before = parts.get(value);
    if (before) before.push(fitted);
    else parts.set(value, [fitted]);
  };
  const sums = new Map<Value, Value>();
  for (const { value, seed } of outputs) {
    if (!shapeEquals(value.shape, seed.shape)) {
      throw new QkvError('gradient', {
        where: 'seed',
        got: shapeText(seed.shape),
        expected: `the output's shape ${shapeText(value.shape)}`,
      });
    }
    if (needed.has(value)) contribute(value, seed);
  }
  for (const value of order.reverse()) {
    const contributions = parts.get(value);
    if (!contributions) continue;
    const g = joined(contributions) ?? addAll(contributions);
    sums.set(value, g);
    value.inputs.forEach((input, i) => {
      if (!needed.has(input) || isBlocked(value, i)) return;
      const rule = derivativeOf(value, i);
      if ('none' in rule) {
        throw new QkvError('gradient', {
          where: `${value.op}, input ${i}`,
          got: 'a gradient asked for',
          expected: `none: ${rule.none}`,
        });
      }
      contribute(input, rule(g, value, value.inputs, value.attrs));
    });
  }
  return wrt.map((value) => sums.get(value) ?? zeros(value));
}

function derivativeOf(value: Value, index: number): Derivative<unknown> {
  const { derivative } = recordOf(value);
  const rule = typeof derivative === 'function' ? derivative(index) : derivative[index];
  if (!rule) throw new Error(`qkv defect: ${value.op} has no derivative rule for input ${index}`);
  return rule;
}

/**
 * What several slices of a value contribute is a part each, in zeros: where the parts lie side by side and fill the whole,
 * they are put together. The sum would pass over the whole value once for every slice. Undefined where they do not.
 */
function joined(contributions: readonly Value[]): Value | undefined {
  const [first] = contributions;
  if (!first || contributions.length === 1) return undefined;
  const { axis } = first.attrs;
  const byStart = new Map<string, Value>();
  for (const value of contributions) {
    if (value.op !== 'pad' || value.attrs['axis'] !== axis || value.attrs['value'] !== 0) return undefined;
    byStart.set(dimText(value.attrs['before'] as Dim), value.inputs[0]!);
  }
  const parts: Value[] = [];
  let end: Dim = 0;
  for (let part = byStart.get('0'); part && parts.length < contributions.length; part = byStart.get(dimText(end))) {
    parts.push(part);
    end = dimAdd(end, part.shape[axis as number]!);
  }
  const isWhole = parts.length === contributions.length && dimEquals(end, first.shape[axis as number]!);
  return isWhole ? concat(parts, axis as number) : undefined;
}

/** Integers, booleans and stopped gradients end the search quietly: nothing continuous passes through them. */
function isBlocked(value: Value, index: number): boolean {
  return value.op === 'stopGradient' || value.dtype !== 'float32' || value.inputs[index]!.dtype !== 'float32';
}

/** Sums over the axes along which a value of `shape` was broadcast. */
export function unbroadcast(gradient: Value, shape: Shape): Value {
  const lead = gradient.shape.length - shape.length;
  const axes = gradient.shape.flatMap((dim, axis) => {
    const own = shape[axis - lead];
    return own === undefined || (dimEquals(own, 1) && !dimEquals(dim, 1)) ? [axis] : [];
  });
  return reshape(sum(gradient, axes, true), shape);
}
