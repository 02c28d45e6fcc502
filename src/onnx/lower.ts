import { dimText } from '../base/dim.ts';
import { type Graph, leaves } from '../graph/graph.ts';
import { dedupe } from '../graph/rewrite.ts';
import { reachable, type Value } from '../graph/value.ts';
import { expandComposites } from '../ops/expandComposites.ts';
import type { PrimitiveName, PrimitiveOps } from '../ops/table.ts';
import { type Lowering, LoweringContext, type LoweringOptions, type LoweringTable } from './lowering.ts';
import { activationLowerings } from './lowerings/activation.ts';
import { elementwiseLowerings } from './lowerings/elementwise.ts';
import { gatherLowerings } from './lowerings/gather.ts';
import { leafLowerings } from './lowerings/leaf.ts';
import { matmulLowerings } from './lowerings/matmul.ts';
import { normLowerings } from './lowerings/norm.ts';
import { randomLowerings } from './lowerings/random.ts';
import { reduceLowerings } from './lowerings/reduce.ts';
import { shapeLowerings } from './lowerings/shape.ts';
import { softmaxLowerings } from './lowerings/softmax.ts';
import { topKLowerings } from './lowerings/topK.ts';
import { ModelBuilder, type OnnxValue } from './modelBuilder.ts';
import * as onnx from './operators.gen.ts';
import { findFusions } from './passes/fusion.ts';
import { shareGelu } from './passes/shareGelu.ts';
import { shareRowSums } from './passes/shareRowSums.ts';
import { simplify } from './passes/simplify.ts';

const lowerings: LoweringTable<PrimitiveOps> = {
  ...leafLowerings,
  ...elementwiseLowerings,
  ...shapeLowerings,
  ...reduceLowerings,
  ...matmulLowerings,
  ...softmaxLowerings,
  ...normLowerings,
  ...activationLowerings,
  ...gatherLowerings,
  ...randomLowerings,
  ...topKLowerings,
};

export interface LoweredModel {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly fetches: readonly string[];
}

/** The graph as an ONNX model: composites expanded, equal values merged, fusions applied, only what is fetched computed. */
export function lower(source: Graph, options: LoweringOptions = { contrib: true }): LoweredModel {
  return { bytes: lowerInto(source, options).finish(), fetches: Object.keys(source.outputs) };
}

/** The same, before it becomes bytes. */
export function lowerInto(source: Graph, options: LoweringOptions): ModelBuilder {
  const plain = dedupe(expandComposites({ outputs: source.outputs, names: new Map() }));
  const graph = simplify(dedupe(shareRowSums(shareGelu(plain))));
  const roots = Object.values(graph.outputs);
  const builder = new ModelBuilder();
  const cx = new LoweringContext(builder, options);
  const done = new Map<Value, OnnxValue>();
  const { weights, longInputs = false } = options;
  const parameters = leaves(roots, 'parameter');
  for (const { name, value } of weights ? leaves(roots, 'input') : [...leaves(roots, 'input'), ...parameters]) {
    const isLong = longInputs && value.dtype === 'int32';
    const input = builder.input(
      name,
      isLong ? 'int64' : value.dtype,
      value.shape.map((dim) => (typeof dim === 'number' ? dim : dimText(dim))),
    );
    cx.declareSymbols(input, value.shape);
    done.set(value, isLong ? onnx.cast(builder, input, { to: 'int32' }) : input);
  }
  if (weights) for (const { name, value } of parameters) done.set(value, builder.weight(name, weights[name]!));
  const fusions = findFusions(roots, options);
  // constants are written where they are first read, so that those inside of fusions are not written at all
  const written = (value: Value): OnnxValue => {
    const known = done.get(value);
    if (known !== undefined) return known;
    if (value.op !== 'constant') throw new Error(`qkv defect: ${value.op} is read before it is written`);
    const made = leafLowerings.constant(cx, value, [], {});
    done.set(value, made);
    return made;
  };
  for (const value of inRunOrder(roots)) {
    if (done.has(value) || fusions.inside.has(value) || value.op === 'constant') continue;
    const fusion = fusions.at.get(value);
    const inputs = (fusion?.inputs ?? value.inputs).map(written);
    done.set(
      value,
      fusion
        ? fusion.emit(cx, inputs)
        : (lowerings[value.op as PrimitiveName] as Lowering<unknown>)(cx, value, inputs, value.attrs),
    );
  }
  for (const [name, value] of Object.entries(graph.outputs)) {
    builder.output(
      name,
      written(value),
      value.dtype,
      value.shape.map((dim) => (typeof dim === 'number' ? dim : dimText(dim))),
    );
  }
  return builder;
}

/**
 * Inputs before users, and results that nothing else reads at the end, the last one first. ONNX Runtime walks a graph
 * depth first from such ends, beginning with the end that stands last in the model. In this order each gradient of a
 * weight runs as soon as what it needs is there and still in the cache, instead of all of them after the backward sweep,
 * for which every layer's values would have to be kept.
 */
function inRunOrder(roots: readonly Value[]): Value[] {
  const values = reachable(roots);
  const read = new Set(values.flatMap((value) => value.inputs));
  return [...values.filter((value) => read.has(value)), ...values.filter((value) => !read.has(value)).reverse()];
}
