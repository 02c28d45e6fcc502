import { gradients } from '../autodiff/gradients.ts';
import { deriveSeed, type Key, normal } from '../base/random.ts';
import { float32 } from '../base/tensor.ts';
import { attention } from '../nn/attention.ts';
import { normalInit } from '../nn/init.ts';
import { ParameterArena } from '../nn/parameterArena.ts';
import { Trace } from '../nn/scope.ts';
import { input } from '../ops/leaf.ts';
import { reshape } from '../ops/shape.ts';
import type { Both, Chart, Claim, Experiment, ExperimentContext, Findings, Series, Table } from './experiment.ts';
import { figure, percent, type Spread, spreadOf, spreadPoint, spreadText } from './figures.ts';
import { measure } from './measure.ts';
import { repeatedTokens } from './repeatedTokens.ts';
import { smallLoss } from './smallLoss.ts';
import { stopIfAsked } from './stopIfAsked.ts';
import { train } from './training.ts';

/** Why scores are divided by √d_k (Vaswani et al. 2017, section 3.2.1 and its footnote 4). */
export const scale: Experiment = {
  name: 'scale',
  title: { en: 'Why q·k is divided by √d_k', zh: '为什么 q·k 要除以 √d_k' },
  run,
};

/** Keys that a query chooses among. */
const KEYS = 64;
const WITH: Both = { en: 'q·k/√d_k', zh: 'q·k/√d_k' };
const WITHOUT: Both = { en: 'q·k, not scaled', zh: 'q·k，不缩放' };
const kinds = ['scaled', 'plain'] as const;
type Kind = (typeof kinds)[number];
type ByKind<T> = Readonly<Record<Kind, T>>;
const nameOf: ByKind<Both> = { scaled: WITH, plain: WITHOUT };

async function run(context: ExperimentContext): Promise<Findings> {
  const { seed, isQuick = false } = context;
  const sizes = isQuick ? [16, 64] : [16, 32, 64, 128, 256, 512, 1024];
  const products: ProductStatistics[] = [];
  const softmaxes: ByKind<SoftmaxStatistics>[] = [];
  const layers: ByKind<LayerGradients>[] = [];
  for (const [i, size] of sizes.entries()) {
    context.onProgress?.((0.3 * i) / sizes.length, `d_k = ${size}`);
    products.push(productStatistics(size, isQuick ? 256 : 4096, deriveSeed(seed, 'products', size)));
    const queries = isQuick ? 32 : 512;
    softmaxes.push({
      scaled: softmaxStatistics(size, queries, 1 / Math.sqrt(size), deriveSeed(seed, 'softmax', size)),
      plain: softmaxStatistics(size, queries, 1, deriveSeed(seed, 'softmax', size)),
    });
    layers.push({
      scaled: await layerGradients(context, size, 1 / Math.sqrt(size)),
      plain: await layerGradients(context, size, 1),
    });
  }
  const runs = await trainingCurves(context);
  context.onProgress?.(1, 'done');
  return {
    experiment: 'scale',
    seed,
    title: scale.title,
    ...(isQuick && { isQuick }),
    charts: [
      varianceChart(sizes, products),
      entropyChart(sizes, softmaxes),
      jacobianChart(sizes, softmaxes),
      gradientChart(sizes, layers),
      curvesChart(runs),
    ],
    tables: [productTable(sizes, products), softmaxTable(sizes, softmaxes), layerTable(sizes, layers)],
    claims: claimsOf(sizes, products, softmaxes, layers, runs),
    caveats: [
      {
        en: 'q and k with independent entries of variance 1 are what a layer has at the start, not after training: a trained layer may make its scores as large as it likes.',
        zh: 'q、k 各分量独立、方差为 1，这只是训练开始时的情形；训练以后，注意力层可以把分数学得任意大。',
      },
      {
        en: 'The scale could be put into the initial W^Q and W^K instead, as T5 does; what matters is the size of the scores at the start (and, with Adam, how far one step moves them).',
        zh: '也可以像 T5 那样把这个系数并入 W^Q、W^K 的初始值；要紧的是训练之初分数有多大（用 Adam 时，还有一步更新会让分数变动多少）。',
      },
      {
        en: `The training curves are of one task, one learning rate and a single head of d_k = ${TRAINED_SIZE}, ${seedsOf(isQuick)} seeds; the band is from the least to the largest.`,
        zh: `训练曲线只来自一个任务、一个学习率、一个 d_k = ${TRAINED_SIZE} 的头，共 ${seedsOf(isQuick)} 个种子；色带是最小值到最大值。`,
      },
    ],
  };
}

export interface ProductStatistics {
  readonly mean: number;
  /** Standard error of the mean. */
  readonly error: number;
  readonly variance: number;
}

/** Of q·k for `pairs` pairs of vectors of independent standard normal entries. */
export function productStatistics(size: number, pairs: number, key: Key): ProductStatistics {
  const [q, k] = ['q', 'k'].map((name) => normal(deriveSeed(key, name), pairs * size)) as [Float64Array, Float64Array];
  const products = Float64Array.from({ length: pairs }, (_, n) => dot(q, k, n * size, n * size, size));
  const mean = products.reduce((a, b) => a + b, 0) / pairs;
  const variance = products.reduce((a, b) => a + (b - mean) ** 2, 0) / (pairs - 1);
  return { mean, error: Math.sqrt(variance / pairs), variance };
}

/** q·k of `size` entries from these places on. */
function dot(q: Float64Array, k: Float64Array, qAt: number, kAt: number, size: number): number {
  let sum = 0;
  for (let i = 0; i < size; i++) sum += q[qAt + i]! * k[kAt + i]!;
  return sum;
}

/** −Σ p ln p, nats. */
export function entropy(p: ArrayLike<number>): number {
  return Array.from(p).reduce((sum, x) => (x > 0 ? sum - x * Math.log(x) : sum), 0);
}

/**
 * ‖diag(p) − ppᵀ‖_F, the size of the softmax's derivative:
 * ‖J‖² = Σ_i p_i² (1 − p_i)² + Σ_{i≠j} p_i² p_j² = Σ p² − 2 Σ p³ + (Σ p²)².
 */
export function jacobianNorm(p: ArrayLike<number>): number {
  let [squares, cubes] = [0, 0];
  for (let i = 0; i < p.length; i++) {
    squares += p[i]! ** 2;
    cubes += p[i]! ** 3;
  }
  // rounding may take a vanishing norm below 0
  return Math.sqrt(Math.max(0, squares - 2 * cubes + squares ** 2));
}

function softmax(scores: readonly number[]): number[] {
  const largest = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - largest));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

interface SoftmaxStatistics {
  /** Means over the queries. */
  readonly entropy: number;
  readonly largest: number;
  readonly meanJacobian: number;
  /** Median of the queries, `low` and `high` their quartiles. */
  readonly jacobian: Quartiles;
}

export interface Quartiles {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** The weights of queries over KEYS keys, all of independent standard normal entries. */
function softmaxStatistics(size: number, queries: number, factor: number, key: Key): SoftmaxStatistics {
  const q = normal(deriveSeed(key, 'q'), queries * size);
  const keySets = 8;
  const k = normal(deriveSeed(key, 'k'), keySets * KEYS * size);
  const all = Array.from({ length: queries }, (_, n) => {
    const set = (n % keySets) * KEYS;
    const scores = Array.from({ length: KEYS }, (_, s) => factor * dot(q, k, n * size, (set + s) * size, size));
    const p = softmax(scores);
    return { entropy: entropy(p), largest: Math.max(...p), jacobian: jacobianNorm(p) };
  });
  const mean = (values: readonly number[]): number => spreadOf(values).mean;
  return {
    entropy: mean(all.map((one) => one.entropy)),
    largest: mean(all.map((one) => one.largest)),
    meanJacobian: mean(all.map((one) => one.jacobian)),
    jacobian: quartilesOf(all.map((one) => one.jacobian)),
  };
}

export function quartilesOf(values: readonly number[]): Quartiles {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.round(share * (sorted.length - 1))]!;
  return { median: at(0.5), low: at(0.25), high: at(0.75) };
}

interface LayerGradients {
  /** ‖∂L/∂W^Q‖ */
  readonly weight: Spread;
  /** ‖∂L/∂q‖ of single queries, of all seeds. */
  readonly query: Quartiles;
  /** The share of queries that make up half of Σ ‖∂L/∂q‖². */
  readonly halfShare: number;
}

/**
 * Gradients of a layer of one head at the start, width d_k, for L = Σ out ⊙ r with rows of r of random direction and length
 * about 1, so that as much gradient comes to the layer at every width. Inputs are KEYS standard normal rows in each of 4 sequences.
 */
async function layerGradients(context: ExperimentContext, size: number, factor: number): Promise<LayerGradients> {
  const [batch, length] = [4, KEYS];
  const trace = new Trace();
  const x = input('x', 'float32', [batch * length, size]);
  const { rows } = attention(
    trace.root,
    { query: { rows: x, batch, length } },
    { width: size, heads: 1, bias: false, dropout: 0, init: normalInit(size ** -0.5), scale: factor },
  );
  const weight = trace.parameters.get('q.weight')!.value;
  const query = trace.names.get('query')!;
  const [weightGradient, queryGradient] = gradients(
    [{ value: rows, seed: input('r', 'float32', rows.shape) }],
    [weight, query],
  );
  const graph = {
    outputs: { weight: weightGradient!, query: reshape(queryGradient!, [batch * length, size]) },
    names: new Map(),
  };
  const weights: number[] = [];
  const queries: number[] = [];
  for (let n = 0; n < seedsOf(context.isQuick); n++) {
    const arena = new ParameterArena(trace.declarations);
    arena.initialise(context.seed + n);
    const random = (name: string, std: number): Float32Array =>
      Float32Array.from(normal(deriveSeed(context.seed, 'layer', n, name), batch * length * size), (z) => std * z);
    const found = await measure(context, graph, ['weight', 'query'], {
      ...arena.tensors,
      x: float32([batch * length, size], random('x', 1)),
      r: float32([batch * length, size], random('r', size ** -0.5)),
    });
    weights.push(norm(found['weight']!.data));
    const data = found['query']!.data;
    for (let t = 0; t < batch * length; t++) queries.push(norm(data.subarray(t * size, (t + 1) * size)));
  }
  return { weight: spreadOf(weights), query: quartilesOf(queries), halfShare: halfShare(queries) };
}

function norm(values: ArrayLike<number>): number {
  return Math.sqrt(Array.from(values).reduce((sum, x) => sum + x * x, 0));
}

/** The least share of the values whose squares make up half of the sum of all squares. */
export function halfShare(values: readonly number[]): number {
  const squares = values.map((value) => value ** 2).sort((a, b) => b - a);
  const half = squares.reduce((a, b) => a + b, 0) / 2;
  let sum = 0;
  const count = squares.findIndex((square) => (sum += square) >= half);
  return (count + 1) / squares.length;
}

const TRAINED_SIZE = 64;
const BATCH = 16;
const LENGTH = 24;
const VOCABULARY = 16;

function seedsOf(isQuick: boolean | undefined): number {
  return isQuick ? 1 : 3;
}

interface Runs {
  readonly every: number;
  /** By seed, the mean loss of each `every` steps. */
  readonly losses: ByKind<readonly (readonly number[])[]>;
}

/** Two layers of one head learn to name the token that stood after the last earlier occurrence of this one. */
async function trainingCurves(context: ExperimentContext): Promise<Runs> {
  const { seed, isQuick } = context;
  const [steps, every, seeds] = [isQuick ? 4 : 500, isQuick ? 2 : 20, seedsOf(isQuick)];
  const losses: Record<Kind, number[][]> = { scaled: [], plain: [] };
  for (const [k, kind] of kinds.entries()) {
    const { graph, declarations } = smallLoss({
      vocabSize: VOCABULARY,
      width: TRAINED_SIZE,
      layers: 2,
      heads: 1,
      hidden: 2 * TRAINED_SIZE,
      positions: 'relative',
      maxLength: LENGTH,
      isCausal: true,
      ...(kind === 'plain' && { scale: 1 }),
    });
    for (let n = 0; n < seeds; n++) {
      const done = 0.3 + (0.7 * (k * seeds + n)) / (2 * seeds);
      const result = await train(context, {
        loss: graph,
        declarations,
        seed: seed + n,
        steps,
        schedule: { name: 'cosine', peak: 3e-3, warmup: steps / 10, final: 3e-4 },
        batchAt: (step) =>
          repeatedTokens(deriveSeed(seed, 'train', n, step), { batch: BATCH, length: LENGTH, vocabSize: VOCABULARY }),
        bindings: { B: BATCH, T: LENGTH },
        onStep: (step) => context.onProgress?.(done + (0.7 * step) / steps / (2 * seeds), `training, ${kind}`),
      });
      losses[kind].push(meansOf(result.losses, every));
    }
  }
  stopIfAsked(context);
  return { every, losses };
}

/** The mean of each `every` values. */
export function meansOf(values: readonly number[], every: number): number[] {
  return Array.from(
    { length: Math.floor(values.length / every) },
    (_, i) => spreadOf(values.slice(i * every, (i + 1) * every)).mean,
  );
}

const sizeLabel: Both = { en: 'd_k', zh: 'd_k' };

function varianceChart(sizes: readonly number[], products: readonly ProductStatistics[]): Chart {
  return {
    name: 'variance',
    title: { en: 'Variance of q·k', zh: 'q·k 的方差' },
    x: { label: sizeLabel, scale: 'log', ticks: sizes },
    y: { label: { en: 'variance over pairs of q and k', zh: '方差（对 q、k 各对统计）' }, scale: 'log' },
    series: [
      { name: { en: 'theory: d_k', zh: '理论值：d_k' }, points: sizes.map((x) => ({ x, y: x })), isReference: true },
      {
        name: { en: 'measured', zh: '实测' },
        points: sizes.map((x, i) => ({ x, y: products[i]!.variance })),
      },
    ],
  };
}

function byKind(sizes: readonly number[], point: (kind: Kind, i: number) => Series['points'][number]): Series[] {
  return kinds.map((kind) => ({ name: nameOf[kind], points: sizes.map((_, i) => point(kind, i)) }));
}

function entropyChart(sizes: readonly number[], softmaxes: readonly ByKind<SoftmaxStatistics>[]): Chart {
  return {
    name: 'entropy',
    title: { en: `Entropy of the softmax over ${KEYS} keys`, zh: `对 ${KEYS} 个键做 softmax 的熵` },
    x: { label: sizeLabel, scale: 'log', ticks: sizes },
    y: { label: { en: 'nats, mean over queries', zh: '奈特（各查询的均值）' }, scale: 'linear' },
    series: [
      {
        name: { en: `uniform: ln ${KEYS}`, zh: `均匀分布：ln ${KEYS}` },
        points: sizes.map((x) => ({ x, y: Math.log(KEYS) })),
        isReference: true,
      },
      ...byKind(sizes, (kind, i) => ({ x: sizes[i]!, y: softmaxes[i]![kind].entropy })),
    ],
  };
}

function jacobianChart(sizes: readonly number[], softmaxes: readonly ByKind<SoftmaxStatistics>[]): Chart {
  return {
    name: 'jacobian',
    title: {
      en: 'Derivative of the softmax, diag(p) − ppᵀ: median and quartiles of queries',
      zh: 'softmax 的导数 diag(p) − ppᵀ：各查询的中位数与四分位数',
    },
    x: { label: sizeLabel, scale: 'log', ticks: sizes },
    y: { label: { en: 'Frobenius norm', zh: 'Frobenius 范数' }, scale: 'log' },
    series: byKind(sizes, (kind, i) => {
      const { median, low, high } = softmaxes[i]![kind].jacobian;
      return { x: sizes[i]!, y: median, low: Math.max(low, SMALLEST), high };
    }),
  };
}

/** Below this a norm is rounding; a logarithmic axis needs an end. */
const SMALLEST = 1e-9;

function gradientChart(sizes: readonly number[], layers: readonly ByKind<LayerGradients>[]): Chart {
  return {
    name: 'gradient',
    title: {
      en: 'Gradient that reaches a query of a layer at the start: median and quartiles',
      zh: '初始时传到单个查询的梯度：中位数与四分位数',
    },
    x: { label: sizeLabel, scale: 'log', ticks: sizes },
    y: { label: { en: 'norm of the gradient of L by q', zh: 'L 对 q 的梯度的范数' }, scale: 'log' },
    series: byKind(sizes, (kind, i) => {
      const { median, low, high } = layers[i]![kind].query;
      return { x: sizes[i]!, y: median, low: Math.max(low, SMALLEST), high };
    }),
  };
}

function curvesChart({ every, losses }: Runs): Chart {
  return {
    name: 'training',
    title: {
      en: `Training two layers of one head with d_k = ${TRAINED_SIZE}`,
      zh: `训练两层单头注意力，d_k = ${TRAINED_SIZE}`,
    },
    x: { label: { en: 'steps', zh: '步数' }, scale: 'linear' },
    y: { label: { en: 'loss, nats', zh: '损失（奈特）' }, scale: 'linear' },
    series: kinds.map((kind) => ({
      name: nameOf[kind],
      points: losses[kind][0]!.map((_, i) =>
        spreadPoint((i + 1) * every, spreadOf(losses[kind].map((run) => run[i]!))),
      ),
    })),
  };
}

function productTable(sizes: readonly number[], products: readonly ProductStatistics[]): Table {
  return {
    name: 'products',
    title: {
      en: 'q·k for entries of mean 0 and variance 1',
      zh: '各分量均值 0、方差 1 时的 q·k',
    },
    columns: [
      { en: 'd_k', zh: 'd_k' },
      { en: 'mean', zh: '均值' },
      { en: 'standard error of the mean', zh: '均值的标准误' },
      { en: 'variance', zh: '方差' },
      { en: 'variance / d_k', zh: '方差 / d_k' },
    ],
    rows: sizes.map((size, i) => {
      const { mean, error, variance } = products[i]!;
      return [size, mean, error, variance, variance / size];
    }),
  };
}

function softmaxTable(sizes: readonly number[], softmaxes: readonly ByKind<SoftmaxStatistics>[]): Table {
  const both = (en: string, zh: string): Both[] => [
    { en: `${en}, scaled`, zh: `${zh}（缩放）` },
    { en: `${en}, not scaled`, zh: `${zh}（不缩放）` },
  ];
  return {
    name: 'softmax',
    title: { en: `The softmax over ${KEYS} keys`, zh: `对 ${KEYS} 个键做 softmax` },
    columns: [
      { en: 'd_k', zh: 'd_k' },
      ...both('entropy', '熵'),
      ...both('largest weight', '最大权重'),
      ...both('‖J‖, median', '‖J‖ 中位数'),
      ...both('‖J‖, mean', '‖J‖ 均值'),
    ],
    rows: sizes.map((size, i) => {
      const { scaled, plain } = softmaxes[i]!;
      return [
        size,
        scaled.entropy,
        plain.entropy,
        scaled.largest,
        plain.largest,
        scaled.jacobian.median,
        plain.jacobian.median,
        scaled.meanJacobian,
        plain.meanJacobian,
      ];
    }),
  };
}

function layerTable(sizes: readonly number[], layers: readonly ByKind<LayerGradients>[]): Table {
  return {
    name: 'layer',
    title: { en: 'Gradients of an attention layer at the start', zh: '注意力层初始时的梯度' },
    columns: [
      { en: 'd_k', zh: 'd_k' },
      { en: '‖∂L/∂q‖ median, scaled', zh: '‖∂L/∂q‖ 中位数（缩放）' },
      { en: 'the same, not scaled', zh: '同左（不缩放）' },
      { en: '‖∂L/∂W^Q‖, scaled', zh: '‖∂L/∂W^Q‖（缩放）' },
      { en: 'the same, not scaled', zh: '同左（不缩放）' },
      { en: 'queries behind half of Σ‖∂L/∂q‖², scaled', zh: '占 Σ‖∂L/∂q‖² 一半的查询比例（缩放）' },
      { en: 'the same, not scaled', zh: '同左（不缩放）' },
    ],
    rows: sizes.map((size, i) => {
      const { scaled, plain } = layers[i]!;
      return [
        size,
        scaled.query.median,
        plain.query.median,
        spreadText(scaled.weight),
        spreadText(plain.weight),
        percent(scaled.halfShare),
        percent(plain.halfShare),
      ];
    }),
  };
}

function claimsOf(
  sizes: readonly number[],
  products: readonly ProductStatistics[],
  softmaxes: readonly ByKind<SoftmaxStatistics>[],
  layers: readonly ByKind<LayerGradients>[],
  { losses }: Runs,
): Claim[] {
  const last = sizes.length - 1;
  const [first, largest] = [sizes[0]!, sizes[last]!];
  const offsets = products.map(({ mean, error }) => Math.abs(mean) / error);
  const ratios = products.map(({ variance }, i) => variance / sizes[i]!);
  const ratioSpread = spreadOf(ratios);
  const [soft, firstSoft] = [softmaxes[last]!, softmaxes[0]!];
  const layer = layers[last]!;
  const ends = {
    scaled: spreadOf(losses.scaled.map((run) => run.at(-1)!)),
    plain: spreadOf(losses.plain.map((run) => run.at(-1)!)),
  };
  const weightRatio = ({ plain, scaled }: ByKind<LayerGradients>): number => plain.weight.mean / scaled.weight.mean;
  const scaledMedians = layers.map(({ scaled }) => scaled.query.median);
  const [leastMedian, mostMedian] = [Math.min(...scaledMedians), Math.max(...scaledMedians)];
  return [
    {
      text: {
        en: 'The mean of q·k stays 0, whatever d_k is: it is the variance that grows',
        zh: '无论 d_k 多大，q·k 的均值始终为 0；变大的是方差',
      },
      evidence: {
        en: `The largest |mean| of ${sizes.length} widths is ${figure(Math.max(...offsets), 2)} standard errors from 0.`,
        zh: `${sizes.length} 种宽度中，|均值| 最大时离 0 为 ${figure(Math.max(...offsets), 2)} 个标准误。`,
      },
      // by chance alone, one of seven means lies beyond 3.5 standard errors in 0.3% of runs
      holds: offsets.every((offset) => offset < 3.5),
    },
    {
      text: { en: 'The variance of q·k is d_k', zh: 'q·k 的方差等于 d_k' },
      evidence: {
        en: `Variance / d_k is from ${figure(ratioSpread.low)} to ${figure(ratioSpread.high)} for d_k from ${first} to ${largest}.`,
        zh: `d_k 从 ${first} 到 ${largest}，方差 / d_k 介于 ${figure(ratioSpread.low)} 与 ${figure(ratioSpread.high)} 之间。`,
      },
      holds: ratios.every((ratio) => Math.abs(ratio - 1) < 0.15),
    },
    {
      text: {
        en: 'Without the scale the softmax becomes almost one-hot as d_k grows; with it, it does not change',
        zh: '不缩放时，d_k 越大 softmax 越接近独热；缩放后不随 d_k 变化',
      },
      evidence: {
        en: `Entropy from d_k = ${first} to ${largest}: ${figure(firstSoft.plain.entropy)} to ${figure(soft.plain.entropy)} nats without, ${figure(firstSoft.scaled.entropy)} to ${figure(soft.scaled.entropy)} with; mean largest weight at ${largest}: ${figure(soft.plain.largest)} against ${figure(soft.scaled.largest)}.`,
        zh: `d_k 从 ${first} 到 ${largest}，熵（奈特）：不缩放 ${figure(firstSoft.plain.entropy)} → ${figure(soft.plain.entropy)}，缩放 ${figure(firstSoft.scaled.entropy)} → ${figure(soft.scaled.entropy)}；d_k = ${largest} 时最大权重的均值：不缩放 ${figure(soft.plain.largest)}，缩放 ${figure(soft.scaled.largest)}。`,
      },
      holds:
        soft.plain.entropy < 0.5 * firstSoft.plain.entropy &&
        Math.abs(soft.scaled.entropy / firstSoft.scaled.entropy - 1) < 0.05,
    },
    {
      text: {
        en: 'For most queries the derivative of the softmax then vanishes',
        zh: '此时对大多数查询来说，softmax 的导数趋于零',
      },
      evidence: {
        en: `Median ‖diag(p) − ppᵀ‖ at d_k = ${largest}: ${figure(soft.plain.jacobian.median)} without the scale, ${figure(soft.scaled.jacobian.median)} with it.`,
        zh: `d_k = ${largest} 时 ‖diag(p) − ppᵀ‖ 的中位数：不缩放 ${figure(soft.plain.jacobian.median)}，缩放 ${figure(soft.scaled.jacobian.median)}。`,
      },
      holds: soft.plain.jacobian.median < 0.1 * soft.scaled.jacobian.median,
    },
    {
      text: {
        en: 'At a large d_k most queries of a layer get almost no gradient without the scale; with it, they get about as much at every width',
        zh: 'd_k 很大时，不缩放的注意力层里大多数查询几乎得不到梯度；缩放后各宽度得到的差不多一样多',
      },
      evidence: {
        en: `Median of ‖∂L/∂q‖ at d_k = ${largest}: ${figure(layer.plain.query.median)} without, ${figure(layer.scaled.query.median)} with; with the scale it is from ${figure(leastMedian)} to ${figure(mostMedian)} at all widths.`,
        zh: `d_k = ${largest} 时 ‖∂L/∂q‖ 的中位数：不缩放 ${figure(layer.plain.query.median)}，缩放 ${figure(layer.scaled.query.median)}；缩放后各宽度介于 ${figure(leastMedian)} 与 ${figure(mostMedian)} 之间。`,
      },
      holds: layer.plain.query.median < 0.1 * layer.scaled.query.median && mostMedian < 1.5 * leastMedian,
    },
    {
      text: {
        en: 'The gradient of W^Q as a whole does not vanish without the scale: it is larger than with it, and ever more so; a few queries that are still undecided carry it',
        zh: '但不缩放时 W^Q 的总梯度并不消失：它比缩放时更大，而且 d_k 越大差得越多；撑起它的是少数尚未定型的查询',
      },
      evidence: {
        en: `‖∂L/∂W^Q‖ without the scale is ${figure(weightRatio(layers[0]!), 2)} times that with it at d_k = ${first} and ${figure(weightRatio(layer), 2)} times at ${largest}, where half of Σ‖∂L/∂q‖² comes from ${percent(layer.plain.halfShare)} of the queries against ${percent(layer.scaled.halfShare)}.`,
        zh: `d_k = ${first} 时不缩放的 ‖∂L/∂W^Q‖ 是缩放时的 ${figure(weightRatio(layers[0]!), 2)} 倍，d_k = ${largest} 时是 ${figure(weightRatio(layer), 2)} 倍；后者 Σ‖∂L/∂q‖² 的一半来自 ${percent(layer.plain.halfShare)} 的查询（缩放时为 ${percent(layer.scaled.halfShare)}）。`,
      },
      holds:
        layer.plain.weight.low > layer.scaled.weight.high &&
        weightRatio(layer) > weightRatio(layers[0]!) &&
        layer.plain.halfShare < 0.5 * layer.scaled.halfShare,
    },
    {
      text: {
        en: 'A model with the scale learns faster and ends lower, with every seed',
        zh: '带缩放的模型学得更快，最终损失更低，且每个种子都如此',
      },
      evidence: {
        en: `Loss of the last steps: ${spreadText(ends.scaled)} with, ${spreadText(ends.plain)} without.`,
        zh: `最后若干步的损失：缩放 ${spreadText(ends.scaled)}，不缩放 ${spreadText(ends.plain)}。`,
      },
      holds: ends.scaled.high < ends.plain.low,
    },
  ];
}
