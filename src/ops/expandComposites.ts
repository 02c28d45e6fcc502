import type { Graph } from '../graph/graph.ts';
import { mapGraph, withInputs } from '../graph/rewrite.ts';
import { expansions } from './table.ts';

/** Puts the expression of primitives in the place of every composite operator. */
export function expandComposites(graph: Graph): Graph {
  return mapGraph(graph, (value, inputs) => {
    const expand = expansions[value.op as keyof typeof expansions] as
      | ((inputs: typeof value.inputs, attrs: unknown) => typeof value)
      | undefined;
    return expand ? expand(inputs, value.attrs) : withInputs(value, inputs);
  });
}
