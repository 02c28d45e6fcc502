import type { Shape } from '../base/dim.ts';
import type { DType, HostTensor } from '../base/tensor.ts';

/** Attributes of an operator: plain data, so that a value can be printed, compared and hashed. */
export type Attribute =
  | string
  | number
  | boolean
  | null
  | readonly Attribute[]
  | { readonly [key: string]: Attribute }
  | Shape;
export type Attributes = { readonly [key: string]: Attribute | undefined };

/**
 * A value of the graph: the result of one operator on other values. Values are immutable and belong to no graph; a
 * graph is what can be reached from its outputs. `id` grows with creation, so inputs have smaller ids than their users.
 */
export interface Value {
  readonly id: number;
  readonly op: string;
  readonly inputs: readonly Value[];
  readonly attrs: Attributes;
  readonly shape: Shape;
  readonly dtype: DType;
  /** The data of a `constant`. */
  readonly literal?: HostTensor;
}

let nextId = 0;

export function makeValue(
  op: string,
  inputs: readonly Value[],
  attrs: Attributes,
  type: { readonly shape: Shape; readonly dtype: DType },
  literal?: HostTensor,
): Value {
  const base = { id: nextId++, op, inputs, attrs, shape: type.shape, dtype: type.dtype };
  return Object.freeze(literal ? { ...base, literal } : base);
}

/** Everything that `roots` need, each value once, inputs before their users. */
export function reachable(roots: Iterable<Value>): Value[] {
  const seen = new Set<Value>();
  const stack = [...roots];
  while (stack.length > 0) {
    const value = stack.pop()!;
    if (seen.has(value)) continue;
    seen.add(value);
    stack.push(...value.inputs);
  }
  return [...seen].sort((a, b) => a.id - b.id);
}
