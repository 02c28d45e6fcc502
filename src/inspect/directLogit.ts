import { gradients } from '../autodiff/gradients.ts';
import { QkvError } from '../base/errors.ts';
import type { Graph } from '../graph/graph.ts';
import { mapGraph, withInputs } from '../graph/rewrite.ts';
import { reachable, type Value } from '../graph/value.ts';
import { normalCdf } from '../ops/activation.ts';
import { add, cast, greater, mul, sigmoid, stopGradient, sub, tanh } from '../ops/elementwise.ts';
import { scalarConstant } from '../ops/leaf.ts';
import { inverseRms, inverseStd } from '../ops/norm.ts';
import { mean, sum } from '../ops/reduce.ts';
import { expand, reshape } from '../ops/shape.ts';
import { placesOf } from './attention.ts';
import type { AttributionOptions } from './attribution.ts';
import { liveValues, type Site, siteOf } from './hooks.ts';
import type { Inspection } from './inspection.ts';
import type { Pass } from './pass.ts';
import type { Reading } from './reading.ts';
import { type Score, scoreInputs, scoreLabel, scoreOf } from './score.ts';
import { predictingStack } from './stream.ts';

/** What one part of the model adds to a logit by itself. */
export interface LogitPart {
  /** `embedding`, an attention, `<layer>.mlp`, or `biases`. */
  readonly name: string;
  readonly head: number | null;
  readonly value: number;
}

export interface DirectLogit {
  /** They add up to the score: checked. */
  readonly parts: readonly LogitPart[];
  readonly score: number;
  /** Score less the parts' sum: rounding. */
  readonly gap: number;
}

/**
 * Direct logit attribution: the residual stream that the output layer reads is the sum of the embedding and of what each head
 * and each feed-forward layer wrote into it, so the logit is the sum of what each of these adds, each through the norms on
 * its way with their statistics (mean, variance) held at what they are (Elhage et al. 2021, "A Mathematical Framework for
 * Transformer Circuits"). In a pre-norm model that is the last norm alone. In a post-norm one a part goes through each norm
 * after it, and of an encoder through the masked-LM head, whose activation x · g(x) is held at its factor g(x): linear as
 * well, and it adds up, but what a part adds then depends on the other parts more than in a pre-norm model. `biases` are those
 * on the way: of the norms, of W^O, of the output layer; an MLP's own count as the MLP's. Of an encoder-decoder model the
 * decoder's parts; the encoder is in it through cross-attention.
 *
 * @throws QkvError `usage` where the score is a log-probability, which is no sum of parts, and where the parts do not add up
 */
export async function directLogitAttribution(
  inspection: Inspection,
  reading: Reading,
  score: Score,
  { edits = {} }: AttributionOptions = {},
): Promise<DirectLogit> {
  if (score.of === 'log-probability') {
    throw new QkvError('usage', {
      where: 'direct logit attribution',
      got: 'a log-probability',
      expected: 'a logit, or the difference of two: only these are sums of parts',
    });
  }
  const found = await inspection.run(
    { label: `parts of ${scoreLabel(score)}`, outputs: (pass) => directParts(pass, score) },
    [{ reading, edits }],
    scoreInputs(inspection, reading, score, 1),
  );
  const { pass } = inspection;
  const { prefix, layers } = predictingStack(pass);
  const parts: LogitPart[] = [{ name: 'embedding', head: null, value: found['embedding']!.data[0]! }];
  let biases = found['biases']!.data[0]!;
  const places = placesOf(pass);
  for (let layer = 0; layer < layers; layer++) {
    for (const { path, heads } of places) {
      if (!path.startsWith(`${prefix}layers.${layer}.`)) continue;
      const values = [...found[path]!.data].slice(0, heads);
      parts.push(...values.map((value, head) => ({ name: path, head, value })));
      // what attention wrote but for its heads: the bias of W^O
      biases += found[`${path}.whole`]!.data[0]! - values.reduce((a, b) => a + b, 0);
    }
    const name = `${prefix}layers.${layer}.mlp`;
    parts.push({ name, head: null, value: found[name]!.data[0]! });
  }
  parts.push({ name: 'biases', head: null, value: biases });
  const whole = found['score']!.data[0]!;
  const gap = whole - parts.reduce((total, { value }) => total + value, 0);
  const size = parts.reduce((total, { value }) => total + Math.abs(value), Math.abs(whole));
  if (Math.abs(gap) > 1e-4 * size) {
    throw new QkvError('usage', {
      where: 'direct logit attribution',
      got: `parts that miss the logit ${whole} by ${gap}`,
      expected: 'a model whose output is linear in them once norms are held fixed',
    });
  }
  return { parts, score: whole, gap };
}

/** Σ over everything of a part times the gradient of the score with respect to it, along the residual stream alone. */
function directParts(pass: Pass, score: Score): Record<string, Value> {
  const { prefix, layers } = predictingStack(pass);
  const live = liveValues(pass);
  const site = (name: string): Site => siteOf(pass, name, live);
  const places = placesOf(pass).filter(({ path }) => path.startsWith(`${prefix}layers.`));
  const attentions = places.map(({ path }) => ({
    path,
    out: site(`${path}.attentionOut`),
    context: site(`${path}.context`),
  }));
  const mlps = Array.from({ length: layers }, (_, i) => ({
    path: `${prefix}layers.${i}.mlp`,
    out: site(`${prefix}layers.${i}.mlp.mlpOut`),
  }));
  const embedding = site(`${prefix}layers.0.residualPre`);

  const plain = scoreOf(pass, score);
  // what came before the first layer is one part: biases there are its own
  const branches = new Set([embedding.base, ...[...attentions, ...mlps].map(({ out }) => out.base)]);
  const kept = new Map<Value, Value>();
  const frozen = mapGraph(
    followed(plain, [...branches, ...attentions.map(({ context }) => context.base)]),
    (value, from) => {
      const made = heldFixed(value, from);
      if (!branches.has(value)) return made;
      kept.set(value, made);
      return stopGradient(made);
    },
  );
  const after = (base: Value): Value => frozen.outputs[`value ${base.id}`]!;
  const { score: value } = frozen.outputs as { readonly score: Value };
  const biases = reachable([value]).filter(
    ({ op, attrs }) => op === 'parameter' && /(^|\.)bias$/.test(attrs['name'] as string),
  );
  const wanted = [...[...attentions, ...mlps].map(({ out }) => after(out.base)), after(embedding.base), ...biases];
  const slopes = gradients([{ value, seed: expand(scalarConstant(1), value.shape) }], wanted);
  const slopeOf = new Map(wanted.map((one, i) => [one, slopes[i]!]));
  const dot = (one: Value): Value => total(mul(one, slopeOf.get(one)!));

  const outputs: Record<string, Value> = { score: value, embedding: dot(after(embedding.base)) };
  for (const { path, out } of mlps) outputs[path] = dot(after(out.base));
  for (const { path, out, context } of attentions) {
    const stopped = after(out.base);
    outputs[`${path}.whole`] = dot(stopped);
    // heads meet the residual stream through W^O
    const [slope] = gradients([{ value: kept.get(out.base)!, seed: slopeOf.get(stopped)! }], [after(context.base)]);
    const product = reshape(mul(after(context.base), slope!), context.view); // [B, T, H, K]
    outputs[path] = sum(product, [0, 1, 3]);
  }
  outputs['biases'] = biases.map(dot).reduce(add, reshape(scalarConstant(0), [1]));
  return outputs;
}

function total(x: Value): Value {
  return reshape(
    sum(
      x,
      x.shape.map((_, axis) => axis),
    ),
    [1],
  );
}

/** A graph of the score and of some values before it, to follow these through a rewrite. */
function followed(score: Value, bases: readonly Value[]): Graph {
  const outputs = Object.fromEntries(bases.map((base) => [`value ${base.id}`, base]));
  return { outputs: { ...outputs, score }, names: new Map() };
}

/** The operator as a linear one, its factors held at what they are; as it is where it is linear already. */
function heldFixed(value: Value, from: readonly Value[]): Value {
  const [x, weight, bias] = from as [Value, Value, Value];
  switch (value.op) {
    case 'layerNorm': {
      const scale = stopGradient(inverseStd(x, value.attrs['epsilon'] as number));
      return add(mul(mul(sub(x, mean(x, [-1], true)), scale), weight), bias);
    }
    case 'rmsNorm':
      return mul(mul(x, stopGradient(inverseRms(x, value.attrs['epsilon'] as number))), weight);
    // activations are x · g(x)
    case 'gelu':
      return mul(x, stopGradient(value.attrs['approximate'] === 'none' ? normalCdf(x) : tanhCdf(x)));
    case 'silu':
      return mul(x, stopGradient(sigmoid(x)));
    case 'relu':
      return mul(x, cast(greater(x, scalarConstant(0)), 'float32'));
    default:
      return withInputs(value, from);
  }
}

/** ½ (1 + tanh(√(2/π) (x + 0.044715 x³))) */
function tanhCdf(x: Value): Value {
  const inner = mul(add(x, mul(mul(x, mul(x, x)), scalarConstant(0.044715))), scalarConstant(Math.sqrt(2 / Math.PI)));
  return mul(add(tanh(inner), scalarConstant(1)), scalarConstant(0.5));
}
