import { QkvError } from '../base/errors.ts';
import { reachable, type Value } from './value.ts';

/**
 * A traced function: named outputs, and every other value that a name was given to. Inputs and parameters are leaves
 * (`op` is `input` or `parameter`, their name is the attribute `name`).
 */
export interface Graph {
  readonly outputs: Readonly<Record<string, Value>>;
  /** Path to value, e.g. `encoder.layers.2.attention.weights`: each can be fetched, patched or ablated. */
  readonly names: ReadonlyMap<string, Value>;
}

export interface Leaf {
  readonly name: string;
  readonly value: Value;
}

export function leaves(values: Iterable<Value>, kind: 'input' | 'parameter'): Leaf[] {
  const found = new Map<string, Value>();
  for (const value of reachable(values)) {
    if (value.op !== kind) continue;
    const name = value.attrs['name'] as string;
    const other = found.get(name);
    if (other && other !== value) {
      throw new QkvError('graph', {
        where: `${kind} ${name}`,
        got: 'two different values of this name',
        expected: 'one',
      });
    }
    found.set(name, value);
  }
  return [...found].map(([name, value]) => ({ name, value }));
}

/** The graph with `fetches` as its outputs: names of outputs or of any named value. */
export function fetch(graph: Graph, fetches: readonly string[]): Graph {
  const outputs: Record<string, Value> = {};
  for (const name of fetches) outputs[name] = findValue(graph, name);
  return { outputs, names: graph.names };
}

export function findValue(graph: Graph, name: string): Value {
  const value = graph.outputs[name] ?? graph.names.get(name);
  if (value) return value;
  const known = [...Object.keys(graph.outputs), ...graph.names.keys()];
  const tail = name.split('.').at(-1)!;
  const near = known.filter((other) => other.split('.').at(-1) === tail).slice(0, 6);
  throw new QkvError('graph', {
    where: `value ${name}`,
    got: 'a name that this graph does not have',
    expected: `one of ${(near.length > 0 ? near : known.slice(0, 12)).join(', ')}…`,
  });
}
