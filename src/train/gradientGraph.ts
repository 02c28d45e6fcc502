import { gradients } from '../autodiff/gradients.ts';
import { shapeEquals } from '../base/dim.ts';
import type { Graph } from '../graph/graph.ts';
import { reachable, type Value } from '../graph/value.ts';
import type { ParameterArena, Placement } from '../nn/parameterArena.ts';
import { add } from '../ops/elementwise.ts';
import { isZero } from '../ops/gather.ts';
import { input, scalarConstant } from '../ops/leaf.ts';
import { addAll } from '../ops/reduce.ts';

/** The loss's outputs and `gradient.<path>` for every trained parameter. */
export function lossAndGradients(loss: Graph, arena: ParameterArena): Graph {
  const value = loss.outputs['loss']!;
  const leaves = reachable([value]).filter(({ op }) => op === 'parameter');
  const parameters = new Map(leaves.map((leaf) => [leaf.attrs['name'] as string, leaf]));
  const trained = arena.trained.map(({ path }) => parameters.get(path)!);
  const all = gradients([{ value, seed: scalarConstant(1) }], trained);
  const outputs = Object.fromEntries(arena.trained.map(({ path }, i) => [`gradient.${path}`, all[i]!]));
  return { outputs: { ...loss.outputs, ...outputs }, names: loss.names };
}

/** The gradient of a parameter: `whole`, and the rows of each lookup added to it. */
export interface SplitGradient {
  readonly placement: Placement;
  /** What does not come from lookups, of the parameter's shape; absent where a table is only looked up in. */
  readonly whole: Value | undefined;
  readonly lookups: readonly Lookup[];
}

/** Gradients of the rows that a lookup took from a table: `rows` [N, …] belong to the table's rows `indices` [N]. */
interface Lookup {
  readonly indices: Value;
  readonly rows: Value;
}

/**
 * Rows from which on a table's gradient is split. One run looks up about a thousand tokens (`ROWS_PER_PIECE`), so nearly all of such a
 * table's gradient is zeros: 47 MB of them in MiniLM, which each lane would write, copy and sum up in every step.
 */
const LARGE_TABLE = 2048;

/** The gradients of a loss as a step wants them: what lookups contribute to large tables apart, by rows. */
export function splitGradients(loss: Graph, arena: ParameterArena): SplitGradient[] {
  const { outputs } = lossAndGradients(loss, arena);
  return arena.trained.map((placement) => {
    const gradient = outputs[`gradient.${placement.path}`]!;
    if (placement.shape[0]! < LARGE_TABLE) return { placement, whole: gradient, lookups: [] };
    const parts = addends(gradient);
    const others = parts.filter((part) => !isLookup(part));
    const lookups = parts.filter(isLookup).map(({ inputs: [, indices, rows] }) => ({ indices: indices!, rows: rows! }));
    return { placement, whole: others.length > 0 ? addAll(others) : undefined, lookups };
  });
}

/** The gradient of `gather`: rows added to zeros. */
function isLookup({ op, inputs: [base] }: Value): boolean {
  return op === 'scatterAdd' && isZero(base);
}

/** The values that a sum adds up, none of them broadcast. */
function addends(value: Value): Value[] {
  const parts = value.op === 'add' ? value.inputs : [];
  return parts.length > 0 && parts.every(({ shape }) => shapeEquals(shape, value.shape))
    ? parts.flatMap(addends)
    : [value];
}

/** Names of the outputs that hold a lookup's share of a table's gradient. */
export function lookupNames(path: string, index: number): { readonly indices: string; readonly rows: string } {
  return { indices: `indices.${path}.${index}`, rows: `rows.${path}.${index}` };
}

/**
 * `write`: the loss's outputs, `gradient.<path>` for each gradient's whole part, and the lookups'. `add`: each whole part plus the input
 * `before.<path>`, which may be the memory that the output is written to: a product adds to it as it goes.
 */
export function stepGraph(loss: Graph, split: readonly SplitGradient[], mode: 'write' | 'add'): Graph {
  const outputs: Record<string, Value> = { ...loss.outputs };
  for (const { placement, whole, lookups } of split) {
    const { path, shape } = placement;
    if (whole) {
      outputs[`gradient.${path}`] = mode === 'write' ? whole : add(input(`before.${path}`, 'float32', shape), whole);
    }
    for (const [i, lookup] of lookups.entries()) {
      const names = lookupNames(path, i);
      outputs[names.indices] = lookup.indices;
      outputs[names.rows] = lookup.rows;
    }
  }
  return { outputs, names: loss.names };
}
