import { gradients } from '../autodiff/gradients.ts';
import { QkvError } from '../base/errors.ts';
import { float32, type HostTensor } from '../base/tensor.ts';
import { rewrite, withInputs } from '../graph/rewrite.ts';
import type { Value } from '../graph/value.ts';
import { mul } from '../ops/elementwise.ts';
import { input, scalarConstant } from '../ops/leaf.ts';
import { sum } from '../ops/reduce.ts';
import { expand, reshape } from '../ops/shape.ts';
import { capture } from './capture.ts';
import type { Edits } from './edits.ts';
import { gaussLegendre } from './gaussLegendre.ts';
import { liveValues, siteOf } from './hooks.ts';
import type { Inspection } from './inspection.ts';
import { type Pass, stacksOf } from './pass.ts';
import type { Reading } from './reading.ts';
import { type Score, scoreInputs, scoreLabel, scoreOf } from './score.ts';

/** How much each token's embedding is behind a score. */
export interface TokenAttribution {
  /** Of the source of an encoder-decoder model; empty for others. */
  readonly source: Float32Array;
  readonly target: Float32Array;
  /** The score of this text. */
  readonly score: number;
}

export interface IntegratedGradients extends TokenAttribution {
  /** The score where all embeddings are zero. */
  readonly baseline: number;
  /** Σ attributions − (score − baseline): 0 for the exact integral (Sundararajan et al. 2017, "completeness"). */
  readonly gap: number;
}

export interface AttributionOptions {
  readonly edits?: Edits;
}

/**
 * Gradient × input: Σ_d ∂score/∂e_d · e_d for the embedding e of each token, what the first layer gets: with its position and
 * norm where the model adds these there.
 */
export async function gradientTimesInput(
  inspection: Inspection,
  reading: Reading,
  score: Score,
  { edits = {} }: AttributionOptions = {},
): Promise<TokenAttribution> {
  const found = await inspection.run(
    {
      label: `gradient × input of ${scoreLabel(score)}`,
      outputs(pass) {
        const embeddings = embeddingSites(pass).map(({ base }) => base);
        const value = scoreOf(pass, score);
        const slopes = gradients([{ value, seed: expand(scalarConstant(1), value.shape) }], embeddings);
        return { score: value, ...byName(pass, (site, i) => sum(mul(asView(site, slopes[i]!), site.named), [2])) };
      },
    },
    [{ reading, edits }],
    scoreInputs(inspection, reading, score, 1),
  );
  return { ...tokensOf(inspection, (name) => found[name]!.data as Float32Array), score: found['score']!.data[0]! };
}

export interface IntegratedGradientsOptions extends AttributionOptions {
  /** Points of the integral; 50 when left out. */
  readonly steps?: number;
}

/** Tokens that are worked on together. */
const BATCH_TOKENS = 2048;

/**
 * Integrated gradients (Sundararajan et al. 2017, "Axiomatic Attribution for Deep Networks", equation 1) from embeddings
 * of zero on: e · ∫₀¹ ∂score(α e)/∂e dα, by Gauss–Legendre quadrature, the embeddings of source and target together.
 */
export async function integratedGradients(
  inspection: Inspection,
  reading: Reading,
  score: Score,
  { edits = {}, steps = 50 }: IntegratedGradientsOptions = {},
): Promise<IntegratedGradients> {
  if (!Number.isSafeInteger(steps) || steps < 1) {
    throw new QkvError('usage', { where: 'steps', got: `${steps}`, expected: 'a whole number from 1 on' });
  }
  const names = embeddingNames(inspection.pass);
  const embeddings = await capture(inspection, reading, names, { edits });
  const { points, weights } = gaussLegendre(steps);
  // both ends, which do not count, give the two scores
  const all = [
    ...points.map((point, i) => ({ point: point ** 8, weight: weights[i]! * 8 * point ** 7 })),
    { point: 0, weight: 0 },
    { point: 1, weight: 0 },
  ];
  const most = Math.max(1, Math.floor(BATCH_TOKENS / (reading.ids.length + (reading.sourceIds?.length ?? 0))));
  const sums = new Map(names.map((name) => [name, new Float32Array(embeddings.get(name)!.shape[0]!)]));
  const scores: number[] = [];
  for (let start = 0; start < all.length; start += most) {
    const part = all.slice(start, start + most);
    const inputs: Record<string, HostTensor> = {
      ...scoreInputs(inspection, reading, score, part.length),
      points: float32(
        [part.length, 1, 1],
        part.map(({ point }) => point),
      ),
      weights: float32(
        [part.length, 1, 1],
        part.map(({ weight }) => weight),
      ),
    };
    for (const [name, { shape, data }] of embeddings)
      inputs[`embedding.${name}`] = float32([1, ...shape], data as Float32Array);
    const found = await inspection.run(
      { label: `integrated gradients of ${scoreLabel(score)}`, outputs: (pass) => integral(pass, score) },
      part.map(() => ({ reading, edits })),
      inputs,
    );
    for (const [name, sums_] of sums) for (let i = 0; i < sums_.length; i++) sums_[i]! += found[name]!.data[i]!;
    scores.push(...found['score']!.data);
  }
  const tokens = tokensOf(inspection, (name) => sums.get(name)!);
  const [baseline, own] = scores.slice(-2) as [number, number];
  const total = [...tokens.source, ...tokens.target].reduce((a, b) => a + b, 0);
  return { ...tokens, score: own, baseline, gap: total - (own - baseline) };
}

/** Σ_b weight_b · gradient at point_b · e, and the score at each point; the embeddings are inputs, [1, L, D]. */
function integral(pass: Pass, score: Score): Record<string, Value> {
  const points = input('points', 'float32', [pass.batch, 1, 1]);
  const weights = input('weights', 'float32', [pass.batch, 1, 1]);
  const sites = embeddingSites(pass).map((site) => {
    const [, length, width] = site.named.shape as [never, Value['shape'][0], number];
    const embedding = input(`embedding.${site.name}`, 'float32', [1, length!, width]);
    return { ...site, embedding, scaled: mul(embedding, points) };
  });
  const rows = pass.graph.outputs['rows']!;
  const moved = rewrite([rows], (value, from) => {
    const site = sites.find(({ base }) => base === value);
    return site ? reshape(site.scaled, site.base.shape) : withInputs(value, from);
  })(rows);
  const value = scoreOf({ ...pass, graph: { ...pass.graph, outputs: { rows: moved } } }, score);
  const slopes = gradients(
    [{ value, seed: expand(scalarConstant(1), value.shape) }],
    sites.map(({ scaled }) => scaled),
  );
  const parts = sites.map(({ name, embedding }, i) => [name, sum(mul(mul(slopes[i]!, weights), embedding), [0, 2])]);
  return { score: value, ...Object.fromEntries(parts) };
}

function embeddingNames(pass: Pass): string[] {
  return stacksOf(pass).map(({ prefix }) => `${prefix}embedding`);
}

function embeddingSites(pass: Pass) {
  const live = liveValues(pass);
  return embeddingNames(pass).map((name) => siteOf(pass, name, live));
}

function byName(pass: Pass, of: (site: ReturnType<typeof siteOf>, i: number) => Value): Record<string, Value> {
  return Object.fromEntries(embeddingSites(pass).map((site, i) => [site.name, of(site, i)]));
}

function asView({ named }: ReturnType<typeof siteOf>, x: Value): Value {
  return reshape(x, named.shape);
}

function tokensOf(
  { pass }: Inspection,
  of: (name: string) => Float32Array,
): Pick<TokenAttribution, 'source' | 'target'> {
  const names = embeddingNames(pass);
  return { source: names.length > 1 ? of(names[0]!) : new Float32Array(0), target: of(names.at(-1)!) };
}
