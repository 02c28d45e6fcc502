import { QkvError } from '../base/errors.ts';
import { reachable, type Value } from '../graph/value.ts';

/** Operators that move numbers, or make them of nothing: they take no part in a chain of computations. */
const FREE: ReadonlySet<string> = new Set([
  'input',
  'parameter',
  'constant',
  'iota',
  'dimSize',
  'reshape',
  'transpose',
  'expand',
  'slice',
  'concat',
  'pad',
  'cast',
  'stopGradient',
]);

/**
 * Operators on the longest chain from the inputs to any of `values`, each of which has to wait for the one before: what is
 * left of the time on a machine that does all that can be done at once. A product of matrices, a norm and a softmax are one each.
 */
export function sequentialOperators(values: readonly Value[]): number {
  const depth = new Map<Value, number>();
  for (const value of reachable(values)) {
    const before = value.inputs.reduce((most, input) => Math.max(most, depth.get(input)!), 0);
    depth.set(value, before + (FREE.has(value.op) ? 0 : 1));
  }
  return Math.max(...values.map((value) => depth.get(value)!));
}

/** Operators on the shortest chain from `from` to `to`; undefined where none leads there. */
export function pathLength(from: Value, to: Value): number | undefined {
  const shortest = new Map<Value, number>([[from, 0]]);
  for (const value of reachable([to])) {
    if (value === from) continue;
    const before = value.inputs.flatMap((input) => shortest.get(input) ?? []);
    if (before.length > 0) shortest.set(value, Math.min(...before) + (FREE.has(value.op) ? 0 : 1));
  }
  return shortest.get(to);
}

/** Multiplications and additions in all matrix products of a graph of known sizes: 2 m n k each. */
export function productFlops(values: readonly Value[]): number {
  let flops = 0;
  for (const value of reachable(values)) {
    if (value.op !== 'matmul') continue;
    const inner = value.inputs[0]!.shape.at(value.attrs['transposeA'] === true ? -2 : -1)!;
    flops += 2 * sizeOf(value) * known(inner);
  }
  return flops;
}

/** Bytes of the largest result of an operator, 4 for each number. */
export function largestBytes(values: readonly Value[]): number {
  return 4 * Math.max(...reachable(values).map((value) => sizeOf(value)));
}

function sizeOf(value: Value): number {
  return value.shape.reduce<number>((size, dim) => size * known(dim), 1);
}

function known(dim: Value['shape'][number]): number {
  if (typeof dim === 'number') return dim;
  throw new QkvError('graph', {
    where: 'cost',
    got: `an extent ${dim.key}`,
    expected: 'numbers: bind the graph first',
  });
}
