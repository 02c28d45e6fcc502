import { dimEquals, type Shape, shapeEquals, shapeText } from '../base/dim.ts';
import { QkvError } from '../base/errors.ts';
import { reachable, type Value } from '../graph/value.ts';
import { add } from '../ops/elementwise.ts';
import { zeros } from '../ops/gather.ts';
import type { Derivative } from '../ops/record.ts';
import { sum } from '../ops/reduce.ts';
import { reshape } from '../ops/shape.ts';
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

  const sums = new Map<Value, Value>();
  const contribute = (value: Value, gradient: Value): void => {
    const fitted = unbroadcast(gradient, value.shape);
    const before = sums.get(value);
    sums.set(value, before ? add(before, fitted) : fitted);
  };
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
    const g = sums.get(value);
    if (!g) continue;
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
