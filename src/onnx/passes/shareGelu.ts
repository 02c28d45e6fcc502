import type { Graph } from '../../graph/graph.ts';
import { mapGraph, withInputs } from '../../graph/rewrite.ts';
import { reachable, type Value } from '../../graph/value.ts';
import { normalCdf } from '../../ops/activation.ts';
import { mul } from '../../ops/elementwise.ts';

/**
 * gelu(x) = x Φ(x) where Φ(x) is computed for the gradient already: a product in place of a kernel of its own.
 * To be followed by `dedupe`, which makes the two Φ one.
 */
export function shareGelu(graph: Graph): Graph {
  const scaled = reachable(Object.values(graph.outputs)).filter(({ op }) => op === 'erf');
  const known = new Set<Value>(scaled.flatMap(({ inputs: [t] }) => (t!.op === 'mul' ? [t!.inputs[0]!] : [])));
  return mapGraph(graph, (value, inputs) => {
    const isShared = value.op === 'gelu' && value.attrs['approximate'] === 'none' && known.has(value.inputs[0]!);
    return isShared ? mul(inputs[0]!, normalCdf(inputs[0]!)) : withInputs(value, inputs);
  });
}
