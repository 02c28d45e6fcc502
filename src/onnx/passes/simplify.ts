import { shapeEquals } from '../../base/dim.ts';
import type { Graph } from '../../graph/graph.ts';
import { mapGraph, withInputs } from '../../graph/rewrite.ts';
import type { Value } from '../../graph/value.ts';
import { isZero, scatterAdd } from '../../ops/gather.ts';

type Rule = (value: Value) => Value | undefined;

const isNumber = (value: Value | undefined, number: number): boolean =>
  value?.literal !== undefined && value.literal.data.length > 0 && value.literal.data.every((x) => x === number);

/** x · 1, x + 0, x − 0, x / 1 */
const neutral: Rule = ({ op, inputs: [a, b], shape }) => {
  const keeps = (x: Value): boolean => shapeEquals(x.shape, shape);
  if (op === 'mul' && isNumber(b, 1) && keeps(a!)) return a;
  if (op === 'mul' && isNumber(a, 1) && keeps(b!)) return b;
  if ((op === 'add' || op === 'sub') && isZero(b) && keeps(a!)) return a;
  if (op === 'add' && isZero(a) && keeps(b!)) return b;
  if (op === 'div' && isNumber(b, 1) && keeps(a!)) return a;
  return undefined;
};

/** A reshape or expansion to the shape that is there, and a reshape of a reshape. */
const shapes: Rule = (value) => {
  const [x] = value.inputs;
  if (value.op !== 'reshape' && value.op !== 'expand') return undefined;
  if (shapeEquals(x!.shape, value.shape)) return x;
  if (value.op === 'reshape' && x!.op === 'reshape') return withInputs(value, [x!.inputs[0]!]);
  return undefined;
};

/** A + scatter(0, i, r) = scatter(A, i, r): the gradient of a table that has other uses starts from theirs. */
const scatterOnto: Rule = ({ op, inputs: [a, b] }) => {
  if (op !== 'add') return undefined;
  for (const [base, scattered] of [
    [a!, b!],
    [b!, a!],
  ] as const) {
    if (scattered.op === 'scatterAdd' && isZero(scattered.inputs[0]) && shapeEquals(base.shape, scattered.shape)) {
      return scatterAdd(base, scattered.inputs[1]!, scattered.inputs[2]!);
    }
  }
  return undefined;
};

const rules: readonly Rule[] = [neutral, shapes, scatterOnto];

/** Algebra that leaves every value's meaning as it is. */
export function simplify(graph: Graph): Graph {
  return mapGraph(graph, (value, inputs) => {
    let current = withInputs(value, inputs);
    for (let next: Value | undefined = current; next; ) {
      current = next;
      next = undefined;
      for (const rule of rules) if ((next = rule(current))) break;
    }
    return current;
  });
}
