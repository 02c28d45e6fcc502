import { shapeEquals } from '../../base/dim.ts';
import type { Graph } from '../../graph/graph.ts';
import { mapGraph, withInputs } from '../../graph/rewrite.ts';
import { reachable, type Value } from '../../graph/value.ts';
import { mul } from '../../ops/elementwise.ts';
import { matmul } from '../../ops/matmul.ts';
import { sum } from '../../ops/reduce.ts';

/**
 * The row sums in a softmax's gradient, Σ_s P dP with dP = dO Vᵀ, as Σ_k dO O where O = P V is there already: two
 * passes over [T, K] instead of [T, S] (Dao et al. 2022, "FlashAttention", section B.2). Only where K is known to be less
 * than S. To be followed by `dedupe`, which finds O.
 */
export function shareRowSums(graph: Graph): Graph {
  const products = new Set(
    reachable(Object.values(graph.outputs)).flatMap((value) => (isPlain(value, false) ? [operands(value)] : [])),
  );
  return mapGraph(graph, (value, inputs) => {
    const found = rowSum(value);
    if (!found || !products.has(`${found.p.id},${found.v.id}`)) return withInputs(value, inputs);
    const [dp, p] = factors(inputs[0]!);
    const [upstream, v] = dp.inputs;
    return sum(mul(upstream!, matmul(p, v!)), [-1], true);
  });
}

/** P and V of a sum over the last axis of (dO Vᵀ) ⊙ P. */
function rowSum(value: Value): { readonly p: Value; readonly v: Value } | undefined {
  const [product] = value.inputs;
  if (value.op !== 'sum' || product!.op !== 'mul' || value.attrs['keepDims'] !== true) return undefined;
  const axes = value.attrs['axes'] as readonly number[];
  if (axes.length !== 1 || axes[0] !== product!.shape.length - 1) return undefined;
  const [dp, p] = factors(product!);
  if (!isPlain(dp, true) || !shapeEquals(dp.shape, p.shape)) return undefined;
  const v = dp.inputs[1]!;
  const [s, k] = v.shape.slice(-2);
  const isNarrow = typeof s === 'number' && typeof k === 'number' && k < s;
  return isNarrow ? { p, v } : undefined;
}

/** The factors of a product, one that is a matrix product first. */
function factors({ inputs: [a, b] }: Value): readonly [Value, Value] {
  return a!.op === 'matmul' ? [a!, b!] : [b!, a!];
}

/** A B or, `transposed`, A Bᵀ, with nothing else to it. */
function isPlain({ op, attrs }: Value, transposed: boolean): boolean {
  return op === 'matmul' && attrs['transposeA'] === false && attrs['transposeB'] === transposed && attrs['alpha'] === 1;
}

function operands({ inputs: [a, b] }: Value): string {
  return `${a!.id},${b!.id}`;
}
