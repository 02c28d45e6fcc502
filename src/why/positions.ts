import { deriveSeed, type Key, permutation } from '../base/random.ts';
import { IGNORED_LABEL } from '../data/bucketBatches.ts';
import { ParameterArena } from '../nn/parameterArena.ts';
import { sinusoidalPositions } from '../nn/positions.ts';
import type { Both, Chart, Claim, Experiment, ExperimentContext, Findings, Table } from './experiment.ts';
import { figure, percent, type Spread, spreadOf, spreadPoint, spreadText } from './figures.ts';
import { accuracy, measure } from './measure.ts';
import { randomTokens, type TokenTaskSizes } from './repeatedTokens.ts';
import { type Batch, batchOf, smallLoss } from './smallLoss.ts';
import type { PositionKind, SmallConfig } from './smallTransformer.ts';
import { train } from './training.ts';

/** Why attention needs positions, and how far each kind of them reaches. */
export const positions: Experiment = {
  name: 'positions',
  title: { en: 'Why attention needs positions', zh: '注意力为什么需要位置信息' },
  run,
};

const kinds: readonly PositionKind[] = ['none', 'sinusoidal', 'learned', 'rotary', 'relative'];
const nameOf: Readonly<Record<PositionKind, Both>> = {
  none: { en: 'none', zh: '无' },
  sinusoidal: { en: 'sinusoidal', zh: '正弦' },
  learned: { en: 'learned', zh: '可学习' },
  rotary: { en: 'rotary', zh: '旋转（RoPE）' },
  relative: { en: 'relative (T5)', zh: '相对（T5）' },
};

const VOCABULARY = 16;
/** Longest sequence in training, and in the test. */
const TRAINED = 32;
const TESTED = 128;
/** How far back the token stands that is asked for. */
const OFFSET = 3;
const BIN = 8;

function configOf(kind: PositionKind, isCausal = false): SmallConfig {
  return {
    vocabSize: VOCABULARY,
    width: 64,
    layers: 2,
    heads: 4,
    hidden: 128,
    positions: kind,
    maxLength: TESTED,
    isCausal,
  };
}

async function run(context: ExperimentContext): Promise<Findings> {
  const { seed, isQuick = false } = context;
  const symmetry = await measureSymmetry(context);
  const trained = await trainAll(context);
  const widths = [32, 128, 512];
  const products = widths.map((width) => positionProducts(width, DISTANCES));
  context.onProgress?.(1, 'done');
  const seeds = trained[0]!.inside.length;
  return {
    experiment: 'positions',
    seed,
    title: positions.title,
    ...(isQuick && { isQuick }),
    charts: [accuracyChart(trained), productChart(widths, products)],
    tables: [symmetryTable(symmetry), accuracyTable(trained), productTable(widths, products)],
    claims: claimsOf(symmetry, trained, widths, products),
    caveats: [
      {
        en: `One task (name the token ${OFFSET} before), one size (two layers of four heads, width 64), trained on sequences of exactly ${TRAINED}, ${seeds} seeds; the band is from the least to the largest.`,
        zh: `只有一个任务（说出前面第 ${OFFSET} 个词元）、一种规模（两层、四头、宽 64），只在长度恰为 ${TRAINED} 的序列上训练，共 ${seeds} 个种子；色带是最小值到最大值。`,
      },
      {
        en: `T5 has buckets for distances up to 128; those from ${TRAINED} on are never trained here, which is why it fails where it meets them. It was not made for lengths that it never saw.`,
        zh: `T5 的分桶覆盖到距离 128；这里 ${TRAINED} 以上的桶从未训练过，遇到时便失效。它本来就不是为没见过的长度设计的。`,
      },
      {
        en: 'Models that are trained on sequences of several lengths, or whose rotations are scaled afterwards, reach further than what is seen here.',
        zh: '若训练时长度多样，或事后缩放旋转角度，模型能外推得比这里看到的更远。',
      },
      {
        en: 'That attention is blind to order is true of attention that sees everything. A causal mask tells positions apart by how much each sees: the last row of the first table.',
        zh: '“注意力不辨顺序”说的是能看到全部位置的注意力。因果掩码让各位置看到的范围不同，本身就泄露了顺序：见第一张表的最后一行。',
      },
    ],
  };
}

interface Symmetry {
  readonly name: Both;
  /** max |f(πx) − πf(x)| / max |f(x)| over several permutations. */
  readonly difference: number;
  /** |loss(πx, πy) − loss(x, y)|, nats a token. */
  readonly lossDifference: number;
}

/** What becomes of a model's outputs where its input is shuffled: with random weights, before any training. */
async function measureSymmetry(context: ExperimentContext): Promise<Symmetry[]> {
  const all: { readonly name: Both; readonly config: SmallConfig }[] = [
    ...kinds.map((kind) => ({ name: nameOf[kind], config: configOf(kind) })),
    { name: { en: 'none, with a causal mask', zh: '无，但有因果掩码' }, config: configOf('none', true) },
  ];
  const found: Symmetry[] = [];
  for (const { name, config } of all) {
    const { graph, declarations } = smallLoss(config);
    const arena = new ParameterArena(declarations);
    arena.initialise(context.seed);
    let [difference, lossDifference] = [0, 0];
    for (let n = 0; n < 3; n++) {
      const [tokens] = randomTokens(deriveSeed(context.seed, 'shuffled', n), {
        batch: 1,
        length: TRAINED,
        vocabSize: VOCABULARY,
      }) as [number[]];
      const order = Array.from(permutation(context.seed, n, TRAINED));
      const labels = tokens.map((_, t) => tokens[t - OFFSET] ?? IGNORED_LABEL);
      const shuffled = (list: readonly number[]): number[] => order.map((from) => list[from]!);
      const [before, after] = [batchOf([tokens], [labels]), batchOf([shuffled(tokens)], [shuffled(labels)])];
      const fetched = ['output', 'tokenLoss'];
      const one = await measure(context, graph, fetched, { ...arena.tensors, ...before.inputs });
      const other = await measure(context, graph, fetched, { ...arena.tensors, ...after.inputs });
      difference = Math.max(difference, shuffleDifference(one['output']!.data, other['output']!.data, order));
      const mean = (data: ArrayLike<number>): number => Array.from(data).reduce((a, b) => a + b, 0) / before.targets;
      lossDifference = Math.max(
        lossDifference,
        Math.abs(mean(one['tokenLoss']!.data) - mean(other['tokenLoss']!.data)),
      );
    }
    found.push({ name, difference, lossDifference });
  }
  return found;
}

/** max |after_t − before_{order(t)}| / max |before|, of rows of equal width. */
export function shuffleDifference(
  before: ArrayLike<number>,
  after: ArrayLike<number>,
  order: readonly number[],
): number {
  const width = before.length / order.length;
  let [most, size] = [0, 0];
  for (let i = 0; i < before.length; i++) {
    const [t, d] = [Math.floor(i / width), i % width];
    most = Math.max(most, Math.abs(after[i]! - before[order[t]! * width + d]!));
    size = Math.max(size, Math.abs(before[i]!));
  }
  return most / size;
}

/** Random tokens; each position is asked for the one OFFSET before it. */
function offsetBatch(key: Key, sizes: TokenTaskSizes): Batch {
  const ids = randomTokens(key, sizes);
  return batchOf(
    ids,
    ids.map((tokens) => tokens.map((_, t) => tokens[t - OFFSET] ?? IGNORED_LABEL)),
  );
}

interface Trained {
  readonly kind: PositionKind;
  /** Of each seed: accuracy on sequences of the trained length; on long ones at the places of that length, and beyond it. */
  readonly inside: readonly number[];
  readonly early: readonly number[];
  readonly beyond: readonly number[];
  /** By bins of BIN positions, over the seeds. */
  readonly bins: readonly Spread[];
}

async function trainAll(context: ExperimentContext): Promise<Trained[]> {
  const { seed, isQuick = false } = context;
  const [steps, seeds, batch] = isQuick ? [4, 1, 4] : [400, 3, 16];
  const found: Trained[] = [];
  for (const [k, kind] of kinds.entries()) {
    const { graph, declarations } = smallLoss(configOf(kind));
    const runs: {
      readonly inside: number;
      readonly early: number;
      readonly beyond: number;
      readonly bins: readonly number[];
    }[] = [];
    for (let n = 0; n < seeds; n++) {
      const done = (k * seeds + n) / (kinds.length * seeds);
      const { arena } = await train(context, {
        loss: graph,
        declarations,
        seed: seed + n,
        steps,
        schedule: { name: 'cosine', peak: 3e-3, warmup: steps / 10, final: 3e-4 },
        batchAt: (step) =>
          offsetBatch(deriveSeed(seed, 'train', n, step), { batch, length: TRAINED, vocabSize: VOCABULARY }),
        bindings: { B: batch, T: TRAINED },
        onStep: (step) => context.onProgress?.(done + step / steps / (kinds.length * seeds), `positions: ${kind}`),
      });
      const test = offsetBatch(deriveSeed(seed, 'test', n), { batch: 16, length: TESTED, vocabSize: VOCABULARY });
      const { predicted } = await measure(context, graph, ['predicted'], { ...arena.tensors, ...test.inputs });
      const pair = { predicted: predicted!.data, labels: test.inputs['labels']!.data };
      const within = (from: number, to: number): number => accuracy(pair, (i) => i % TESTED >= from && i % TESTED < to);
      runs.push({
        inside: await insideAccuracy(context, graph, arena, deriveSeed(seed, 'test', n)),
        early: within(0, TRAINED),
        beyond: within(TRAINED, TESTED),
        bins: Array.from({ length: TESTED / BIN }, (_, b) => within(b * BIN, (b + 1) * BIN)),
      });
    }
    found.push({
      kind,
      inside: runs.map(({ inside }) => inside),
      early: runs.map(({ early }) => early),
      beyond: runs.map(({ beyond }) => beyond),
      bins: runs[0]!.bins.map((_, b) => spreadOf(runs.map(({ bins }) => bins[b]!))),
    });
  }
  return found;
}

/** On sequences of the trained length. */
async function insideAccuracy(
  context: ExperimentContext,
  graph: ReturnType<typeof smallLoss>['graph'],
  arena: ParameterArena,
  key: Key,
): Promise<number> {
  const test = offsetBatch(key, { batch: 32, length: TRAINED, vocabSize: VOCABULARY });
  const { predicted } = await measure(context, graph, ['predicted'], { ...arena.tensors, ...test.inputs });
  return accuracy({ predicted: predicted!.data, labels: test.inputs['labels']!.data });
}

const DISTANCES = 128;

interface PositionProducts {
  /** PE(p)·PE(p + Δ) / (d/2) for Δ = 0 … and the first p. */
  readonly measured: readonly number[];
  /** Σ_i cos(ω_i Δ) / (d/2) */
  readonly formula: readonly number[];
  /** Largest difference from the formula over several p, in both directions. */
  readonly difference: number;
}

/**
 * Products of sinusoidal positions against their distance. sin a sin b + cos a cos b = cos(a − b) for each pair of
 * dimensions, so that PE(p)·PE(p + Δ) = Σ_i cos(ω_i Δ) with ω_i = 10000^(−2i/d), whatever p is.
 */
export function positionProducts(width: number, distances: number): PositionProducts {
  const starts = [0, 1, 50, 333];
  const table = sinusoidalPositions(Math.max(...starts) + distances, width, 'interleaved').data;
  const half = width / 2;
  const product = (p: number, q: number): number => {
    let sum = 0;
    for (let i = 0; i < width; i++) sum += table[p * width + i]! * table[q * width + i]!;
    return sum / half;
  };
  const formula = Array.from({ length: distances }, (_, distance) => {
    let sum = 0;
    for (let i = 0; i < half; i++) sum += Math.cos(distance * 10_000 ** (-i / half));
    return sum / half;
  });
  let difference = 0;
  for (const start of starts) {
    for (let distance = 0; distance < distances; distance++) {
      for (const value of [product(start, start + distance), product(start + distance, start)]) {
        difference = Math.max(difference, Math.abs(value - formula[distance]!));
      }
    }
  }
  return { measured: formula.map((_, distance) => product(starts[0]!, starts[0]! + distance)), formula, difference };
}

function accuracyChart(trained: readonly Trained[]): Chart {
  return {
    name: 'accuracy',
    title: {
      en: `Naming the token ${OFFSET} before, trained on sequences of ${TRAINED}`,
      zh: `说出前面第 ${OFFSET} 个词元（训练长度 ${TRAINED}）`,
    },
    x: { label: { en: `position, in sequences of ${TESTED}`, zh: `位置（序列长 ${TESTED}）` }, scale: 'linear' },
    y: { label: { en: 'accuracy', zh: '准确率' }, scale: 'linear' },
    series: [
      {
        name: { en: 'end of the trained length', zh: '训练长度到此为止' },
        points: [
          { x: TRAINED, y: 0 },
          { x: TRAINED, y: 1 },
        ],
        isReference: true,
      },
      ...trained.map(({ kind, bins }) => ({
        name: nameOf[kind],
        points: bins.map((spread, b) => spreadPoint(b * BIN + BIN / 2, spread)),
      })),
    ],
  };
}

function productChart(widths: readonly number[], products: readonly PositionProducts[]): Chart {
  const last = widths.length - 1;
  const pointsOf = (values: readonly number[]) => values.map((y, x) => ({ x, y }));
  return {
    name: 'products',
    title: { en: 'PE(p)·PE(p + Δ) of sinusoidal positions', zh: '正弦位置编码的 PE(p)·PE(p + Δ)' },
    x: { label: { en: 'distance Δ', zh: '距离 Δ' }, scale: 'linear' },
    y: { label: { en: 'product / (d/2)', zh: '内积 / (d/2)' }, scale: 'linear' },
    series: [
      ...widths.map((width, i) => ({
        name: { en: `d = ${width}`, zh: `d = ${width}` },
        points: pointsOf(products[i]!.measured),
      })),
      {
        name: { en: `Σ cos(ω_i Δ), d = ${widths[last]}`, zh: `Σ cos(ω_i Δ)，d = ${widths[last]}` },
        points: pointsOf(products[last]!.formula),
        isReference: true,
      },
    ],
  };
}

function symmetryTable(symmetry: readonly Symmetry[]): Table {
  return {
    name: 'symmetry',
    title: {
      en: 'Input shuffled: how far outputs are from the shuffled outputs (random weights)',
      zh: '打乱输入：输出与“同样打乱的输出”相差多少（随机权重）',
    },
    columns: [
      { en: 'positions', zh: '位置信息' },
      { en: 'largest difference / largest output', zh: '最大差 / 最大输出' },
      { en: 'difference of the loss, nats', zh: '损失之差（奈特）' },
    ],
    rows: symmetry.map(({ name, difference, lossDifference }) => [name, difference, lossDifference]),
  };
}

function accuracyTable(trained: readonly Trained[]): Table {
  return {
    name: 'accuracy',
    title: { en: 'Accuracy, mean and range of the seeds', zh: '准确率（各种子的均值与范围）' },
    columns: [
      { en: 'positions', zh: '位置信息' },
      { en: `sequences of ${TRAINED}`, zh: `长 ${TRAINED} 的序列` },
      { en: `sequences of ${TESTED}, positions before ${TRAINED}`, zh: `长 ${TESTED} 的序列，第 ${TRAINED} 位之前` },
      { en: `sequences of ${TESTED}, positions from ${TRAINED} on`, zh: `长 ${TESTED} 的序列，第 ${TRAINED} 位起` },
    ],
    rows: trained.map(({ kind, inside, early, beyond }) => [
      nameOf[kind],
      spreadText(spreadOf(inside), percent),
      spreadText(spreadOf(early), percent),
      spreadText(spreadOf(beyond), percent),
    ]),
  };
}

function productTable(widths: readonly number[], products: readonly PositionProducts[]): Table {
  const at = [0, 1, 2, 4, 8, 16, 32, 64];
  return {
    name: 'products',
    title: { en: 'PE(p)·PE(p + Δ) / (d/2)', zh: 'PE(p)·PE(p + Δ) / (d/2)' },
    columns: [
      { en: 'd', zh: 'd' },
      ...at.map((distance) => ({ en: `Δ = ${distance}`, zh: `Δ = ${distance}` })),
      { en: 'largest difference from Σ cos(ω_i Δ)', zh: '与 Σ cos(ω_i Δ) 的最大差' },
    ],
    rows: widths.map((width, i) => [
      width,
      ...at.map((distance) => products[i]!.measured[distance]!),
      products[i]!.difference,
    ]),
  };
}

function claimsOf(
  symmetry: readonly Symmetry[],
  trained: readonly Trained[],
  widths: readonly number[],
  products: readonly PositionProducts[],
): Claim[] {
  const [none, ...others] = symmetry as [Symmetry, ...Symmetry[]];
  const causal = others.at(-1)!;
  const placed = others.slice(0, -1);
  const least = Math.min(...placed.map(({ difference }) => difference));
  const of = (kind: PositionKind): Trained => trained.find((one) => one.kind === kind)!;
  const inside = (kind: PositionKind): Spread => spreadOf(of(kind).inside);
  const early = (kind: PositionKind): Spread => spreadOf(of(kind).early);
  const beyond = (kind: PositionKind): Spread => spreadOf(of(kind).beyond);
  const list = (kindsOf: readonly PositionKind[], spread: (kind: PositionKind) => Spread): Both => ({
    en: kindsOf.map((kind) => `${nameOf[kind].en} ${spreadText(spread(kind), percent)}`).join(', '),
    zh: kindsOf.map((kind) => `${nameOf[kind].zh} ${spreadText(spread(kind), percent)}`).join('，'),
  });
  const learners = kinds.filter((kind) => kind !== 'none');
  const absolute: readonly PositionKind[] = ['sinusoidal', 'learned'];
  const relative: readonly PositionKind[] = ['rotary', 'relative'];
  const insideTexts = list(learners, inside);
  const beyondTexts = list([...absolute, ...relative], beyond);
  const worst = Math.max(...products.map(({ difference }) => difference));
  const wide = products.at(-1)!.measured;
  const near = [0, 1, 2, 4, 8, 16].map((distance) => wide[distance]!);
  return [
    {
      text: {
        en: 'Without positions, self-attention is blind to order: it gives shuffled tokens the same outputs, shuffled',
        zh: '没有位置信息时自注意力不辨顺序：打乱词元，输出只是跟着打乱',
      },
      evidence: {
        en: `The largest difference is ${figure(none.difference, 2)} of the largest output, which is rounding; with positions it is ${figure(least, 2)} or more.`,
        zh: `最大差为最大输出的 ${figure(none.difference, 2)}，即舍入误差；有位置信息时不小于 ${figure(least, 2)}。`,
      },
      holds: none.difference < 1e-5 && none.lossDifference < 1e-5 && least > 0.01,
    },
    {
      text: {
        en: 'A causal mask alone breaks that symmetry',
        zh: '单凭因果掩码就能打破这种对称',
      },
      evidence: {
        en: `Without positions but with a causal mask the difference is ${figure(causal.difference, 2)}.`,
        zh: `没有位置信息、但有因果掩码时，差为 ${figure(causal.difference, 2)}。`,
      },
      holds: causal.difference > 0.01,
    },
    {
      text: {
        en: 'So a task of places cannot be learned without positions, and can with each kind of them',
        zh: '因此与位置有关的任务，没有位置信息就学不会，有了任何一种位置信息都能学会',
      },
      evidence: {
        en: `Sequences of ${TRAINED}: none ${spreadText(inside('none'), percent)}; ${insideTexts.en}. Guessing gives ${percent(1 / VOCABULARY)}.`,
        zh: `长 ${TRAINED} 的序列：无 ${spreadText(inside('none'), percent)}；${insideTexts.zh}。瞎猜为 ${percent(1 / VOCABULARY)}。`,
      },
      holds: inside('none').high < 0.3 && learners.every((kind) => inside(kind).low > 0.95),
    },
    {
      text: {
        en: 'Beyond the trained length, positions that are added to the embeddings fail',
        zh: '超出训练长度后，加在词嵌入上的位置编码失效',
      },
      evidence: {
        en: `Positions ${TRAINED} to ${TESTED - 1}: ${list(absolute, beyond).en}.`,
        zh: `第 ${TRAINED} 到 ${TESTED - 1} 位：${list(absolute, beyond).zh}。`,
      },
      holds: absolute.every((kind) => beyond(kind).high < 0.6),
    },
    {
      text: {
        en: 'Positions that act on distances reach further than those',
        zh: '作用于距离的位置信息外推得更远',
      },
      evidence: {
        en: `Positions ${TRAINED} to ${TESTED - 1}: ${beyondTexts.en}.`,
        zh: `第 ${TRAINED} 到 ${TESTED - 1} 位：${beyondTexts.zh}。`,
      },
      holds: relative.every((kind) => absolute.every((other) => beyond(kind).low > beyond(other).high)),
    },
    {
      text: {
        en: 'In a long sequence the biases of T5 fail from its beginning on, where the others still work: each query sees distances that were never trained',
        zh: '在长序列里，T5 的偏置从开头就失效，而其他几种在开头仍然有效：每个查询都会遇到从未训练过的距离',
      },
      evidence: {
        en: `Positions before ${TRAINED} of sequences of ${TESTED}: ${list(learners, early).en}.`,
        zh: `长 ${TESTED} 的序列，第 ${TRAINED} 位之前：${list(learners, early).zh}。`,
      },
      holds: early('relative').high < 0.6 && learners.every((kind) => kind === 'relative' || early(kind).low > 0.8),
    },
    {
      text: {
        en: 'PE(p)·PE(p + Δ) depends on the distance alone, is the same in both directions, and is Σ cos(ω_i Δ)',
        zh: 'PE(p)·PE(p + Δ) 只取决于距离、两个方向相同，等于 Σ cos(ω_i Δ)',
      },
      evidence: {
        en: `The largest difference for d = ${widths.join(', ')}, four p and both directions is ${figure(worst, 2)} of the product at distance 0.`,
        zh: `d = ${widths.join('、')}，四个 p、两个方向，最大差为距离 0 处内积的 ${figure(worst, 2)}。`,
      },
      holds: worst < 1e-5,
    },
    {
      text: { en: 'It falls with distance, at first', zh: '它起初随距离下降' },
      evidence: {
        en: `For d = ${widths.at(-1)} at Δ = 0, 1, 2, 4, 8, 16: ${near.map((value) => figure(value)).join(', ')}; further away it wavers.`,
        zh: `d = ${widths.at(-1)}，Δ = 0、1、2、4、8、16：${near.map((value) => figure(value)).join('、')}；更远处有起伏。`,
      },
      holds: near.every((value, i) => i === 0 || value < near[i - 1]!),
    },
  ];
}
