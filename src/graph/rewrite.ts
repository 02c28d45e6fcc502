import { type Bindings, bindShape, type Dim, shapeText } from '../base/dim.ts';
import type { Graph } from './graph.ts';
import { type Attribute, type Attributes, makeValue, reachable, type Value } from './value.ts';

/**
 * Rebuilds everything below `roots`, inputs first. `visit` gets a value and its already rewritten inputs and returns what
 * stands in its place. This is the only way in which graphs change.
 */
export function rewrite(
  roots: Iterable<Value>,
  visit: (value: Value, inputs: readonly Value[]) => Value,
): (value: Value) => Value {
  const done = new Map<Value, Value>();
  for (const value of reachable(roots)) {
    const inputs = value.inputs.map((input) => done.get(input)!);
    done.set(value, visit(value, inputs));
  }
  return (value) => done.get(value) ?? value;
}

/** The value on other inputs; itself when nothing changed. */
export function withInputs(value: Value, inputs: readonly Value[]): Value {
  return inputs.every((input, i) => input === value.inputs[i])
    ? value
    : makeValue(value.op, inputs, value.attrs, value, value.literal);
}

export function mapGraph(graph: Graph, visit: (value: Value, inputs: readonly Value[]) => Value): Graph {
  const map = rewrite([...Object.values(graph.outputs), ...graph.names.values()], visit);
  return {
    outputs: Object.fromEntries(Object.entries(graph.outputs).map(([name, value]) => [name, map(value)])),
    names: new Map([...graph.names].map(([name, value]) => [name, map(value)])),
  };
}

/** Puts other values in the place of some: patching an activation, ablating a head, freezing an input. */
export function substitute(graph: Graph, replacements: ReadonlyMap<Value, Value>): Graph {
  return mapGraph(graph, (value, inputs) => replacements.get(value) ?? withInputs(value, inputs));
}

/** Values that compute the same thing become one (hash-consing from the leaves up). */
export function dedupe(graph: Graph): Graph {
  const known = new Map<string, Value>();
  return mapGraph(graph, (value, inputs) => {
    const key = `${value.op}(${inputs.map((input) => input.id).join()})${attributeText(value.attrs)}${literalKey(value)}`;
    const same = known.get(key);
    if (same) return same;
    const kept = withInputs(value, inputs);
    known.set(key, kept);
    return kept;
  });
}

/** Replaces symbols by numbers in every shape and attribute. */
export function bind(graph: Graph, bindings: Bindings): Graph {
  if (Object.keys(bindings).length === 0) return graph;
  return mapGraph(graph, (value, inputs) =>
    makeValue(
      value.op,
      inputs,
      bindAttribute(value.attrs, bindings) as Attributes,
      { shape: bindShape(value.shape, bindings), dtype: value.dtype },
      value.literal,
    ),
  );
}

function isDim(attribute: unknown): attribute is Dim {
  return typeof attribute === 'object' && attribute !== null && 'terms' in attribute;
}

function bindAttribute(attribute: Attribute | Attributes, bindings: Bindings): Attribute | Attributes {
  if (isDim(attribute)) return bindShape([attribute], bindings)[0]! as unknown as Attribute;
  if (Array.isArray(attribute)) return attribute.map((item) => bindAttribute(item, bindings)) as Attribute;
  if (typeof attribute === 'object' && attribute !== null) {
    return Object.fromEntries(
      Object.entries(attribute).map(([key, item]) => [key, bindAttribute(item as Attribute, bindings)]),
    ) as Attributes;
  }
  return attribute;
}

export function attributeText(attribute: Attribute | Attributes | undefined): string {
  if (attribute === undefined) return '';
  if (isDim(attribute)) return shapeText([attribute]).slice(1, -1);
  if (Array.isArray(attribute)) return `[${attribute.map((item) => attributeText(item as Attribute)).join(', ')}]`;
  if (typeof attribute === 'object' && attribute !== null) {
    const entries = Object.entries(attribute).filter(([, item]) => item !== undefined);
    return `{${entries.map(([key, item]) => `${key}: ${attributeText(item as Attribute)}`).join(', ')}}`;
  }
  // JSON has no infinities and no −0
  if (typeof attribute === 'number') return Object.is(attribute, -0) ? '-0' : String(attribute);
  return JSON.stringify(attribute);
}

/** Small literals are compared by content, large ones by identity of their data. */
function literalKey(value: Value): string {
  const literal = value.literal;
  if (!literal) return '';
  return literal.data.length <= 64
    ? `=${literal.dtype}${shapeText(value.shape)}${literal.data.join()}`
    : `#${dataId(literal.data)}`;
}

const dataIds = new WeakMap<object, number>();
let nextDataId = 0;
function dataId(data: object): number {
  let id = dataIds.get(data);
  if (id === undefined) dataIds.set(data, (id = nextDataId++));
  return id;
}
