import type { Bindings } from '../base/dim.ts';
import type { Graph } from '../graph/graph.ts';
import { bind } from '../graph/rewrite.ts';
import type { ParameterArena } from '../nn/parameterArena.ts';
import { lossAndGradients } from '../train/gradientGraph.ts';
import { differenceOf, differenceText, verdictWords } from './differences.ts';
import type { Both, Chart, Claim, Experiment, ExperimentContext, Findings, Table } from './experiment.ts';
import { figure } from './figures.ts';
import { productFlops } from './graphCost.ts';
import { CHARACTERS, HALF_POEM, halvesSizes, heldLoss, maskingOf, smallEncoder, trainOnHalves } from './maskedPoems.ts';
import { overSeeds } from './overSeeds.ts';
import { type Poems, readPoems } from './poems.ts';
import { meanInterval } from './statistics.ts';

/** ALBERT's layers that share their weights (Lan et al. 2020, section 3.1 and Table 4). */
export const sharing: Experiment = {
  name: 'sharing',
  title: { en: 'Layers that share their weights', zh: '各层共用一套权重' },
  run,
};

interface Variant {
  readonly name: Both;
  readonly layers: number;
  /** Sets of weights. */
  readonly groups: number;
}

const variants: readonly Variant[] = [
  { name: { en: '4 layers, each its own weights', zh: '4 层，各有权重' }, layers: 4, groups: 4 },
  { name: { en: '4 layers, weights in two pairs', zh: '4 层，两两共用' }, layers: 4, groups: 2 },
  { name: { en: '4 layers, one set of weights', zh: '4 层，共用一套' }, layers: 4, groups: 1 },
  { name: { en: '1 layer', zh: '1 层' }, layers: 1, groups: 1 },
];

interface Result {
  readonly loss: number;
  readonly parameters: number;
  /** Operations of the matrix products of a training step. */
  readonly flops: number;
}

interface Setting {
  readonly seeds: readonly number[];
  readonly steps: number;
  readonly batch: number;
  readonly width: number;
  readonly held: number;
}

async function run(context: ExperimentContext): Promise<Findings> {
  const { isQuick = false, seed } = context;
  const setting: Setting = isQuick
    ? { seeds: [seed, seed + 1], steps: 3, batch: 8, width: 16, held: 16 }
    : { seeds: [seed, seed + 1, seed + 2], steps: 400, batch: 64, width: 64, held: 1008 };
  const poems = await readPoems(context, CHARACTERS);
  const results = await overSeeds(
    context,
    variants,
    setting.seeds,
    ({ name }) => name.en,
    (variant, own) => learn(context, setting, poems, variant, own),
  );
  return {
    experiment: 'sharing',
    seed,
    title: sharing.title,
    ...(isQuick && { isQuick }),
    charts: [lossChart(results)],
    tables: [resultTable(results)],
    claims: claimsOf(results),
    caveats: caveatsOf(setting),
  };
}

async function learn(
  context: ExperimentContext,
  setting: Setting,
  poems: Poems,
  variant: Variant,
  seed: number,
): Promise<Result> {
  const { steps, batch, width, held } = setting;
  const { vocabSize } = poems;
  const { layers, groups } = variant;
  const model = smallEncoder({
    family: 'albert',
    head: 'ForMaskedLM',
    vocabSize,
    width,
    layers,
    groups,
    maxLength: HALF_POEM,
  });
  const masking = maskingOf(vocabSize);
  const { graph, declarations, arena } = await trainOnHalves(context, model, {
    poems: poems.train,
    masking,
    seed,
    steps,
    batch,
    peak: 3e-3,
  });
  const loss = await heldLoss(context, model, arena, poems, held, masking);
  const layerSizes = declarations
    .filter(({ path }) => path.startsWith('groups.'))
    .map(({ shape }) => shape.reduce((a, b) => a * b, 1));
  return {
    loss,
    parameters: layerSizes.reduce((a, b) => a + b, 0),
    flops: stepFlops(graph, arena, halvesSizes(batch)),
  };
}

/** Counted in the graph of the loss and its gradients. */
export function stepFlops(loss: Graph, arena: ParameterArena, sizes: Bindings): number {
  return productFlops(Object.values(bind(lossAndGradients(loss, arena), sizes).outputs));
}

const lossesOf = (results: readonly Result[]): number[] => results.map(({ loss }) => loss);

function lossChart(results: readonly (readonly Result[])[]): Chart {
  const point = (v: number): Chart['series'][number]['points'][number] => {
    const { mean, low, high } = meanInterval(lossesOf(results[v]!));
    return { x: results[v]![0]!.parameters, y: mean, low, high };
  };
  return {
    name: 'loss',
    title: { en: 'Masked characters: loss by parameters of the layers', zh: '预测被遮的字：损失与各层参数量' },
    x: {
      label: { en: 'parameters of the layers', zh: '各层参数量' },
      scale: 'log',
      ticks: results.map((own) => own[0]!.parameters),
    },
    y: { label: { en: 'loss on held-out poems, nats', zh: '留出诗上的损失（奈特）' }, scale: 'linear' },
    series: [
      { name: { en: '4 layers: 4, 2, 1 sets of weights', zh: '4 层：4、2、1 套权重' }, points: [2, 1, 0].map(point) },
      { name: variants[3]!.name, points: [point(3)] },
    ],
  };
}

function resultTable(results: readonly (readonly Result[])[]): Table {
  return {
    name: 'results',
    title: { en: 'At equal steps: mean and 95 % interval over seeds', zh: '步数相同：各种子的平均值与 95 % 区间' },
    columns: [
      { en: 'layers', zh: '层' },
      { en: 'parameters of the layers', zh: '各层参数量' },
      { en: 'loss', zh: '损失' },
      { en: 'difference from the first', zh: '与第一行之差' },
      { en: 'MFLOP a step', zh: '每步百万次运算' },
    ],
    rows: results.map((own, v) => {
      const { mean, low, high } = meanInterval(lossesOf(own));
      return [
        variants[v]!.name,
        own[0]!.parameters,
        `${figure(mean, 4)} ± ${figure((high - low) / 2, 2)}`,
        v === 0 ? '' : differenceText(differenceOf(lossesOf(own), lossesOf(results[0]!))),
        Math.round(own[0]!.flops / 1e6),
      ];
    }),
  };
}

function claimsOf(results: readonly (readonly Result[])[]): Claim[] {
  const [own, , shared, single] = results.map(lossesOf) as [number[], number[], number[], number[]];
  const cost = differenceOf(shared, own);
  const depth = differenceOf(single, shared);
  const [all, one] = [results[0]![0]!, results[2]![0]!];
  return [
    {
      text: {
        en: 'Sharing one set of weights among all layers costs some loss',
        zh: '所有层共用一套权重，损失会高一些',
      },
      evidence: {
        en: `Loss of one set minus four: ${differenceText(cost)}, ${verdictWords[cost.verdict].en}; with ${figure(all.parameters / one.parameters)} times fewer parameters in the layers.`,
        zh: `一套权重减四套权重的损失：${differenceText(cost)}，${verdictWords[cost.verdict].zh}；各层参数量只有 1/${figure(all.parameters / one.parameters)}。`,
      },
      holds: cost.verdict === 'more',
    },
    {
      text: {
        en: 'The same weights used four times are better than used once: depth is worth something without parameters',
        zh: '同一套权重用四遍比用一遍好：不加参数，深度本身也有价值',
      },
      evidence: {
        en: `Loss of one layer minus four that share: ${differenceText(depth)}, ${verdictWords[depth.verdict].en}.`,
        zh: `一层减四层共用的损失：${differenceText(depth)}，${verdictWords[depth.verdict].zh}。`,
      },
      holds: depth.verdict === 'more',
    },
    workClaim(all.flops, one.flops),
  ];
}

export function workClaim(own: number, shared: number): Claim {
  return {
    text: {
      en: 'Sharing saves parameters, not work: a step computes as much as before',
      zh: '共用省的是参数，不是计算：一步的运算量不变',
    },
    evidence: {
      en: `Operations in the matrix products of a step, counted: ${figure(own / 1e6)} million with four sets of weights, ${figure(shared / 1e6)} million with one.`,
      zh: `一步中矩阵乘法的运算数：四套权重 ${figure(own / 1e6)} 百万次，一套 ${figure(shared / 1e6)} 百万次。`,
    },
    holds: shared === own,
  };
}

function caveatsOf({ seeds, steps, batch, width }: Setting): Both[] {
  return [
    {
      en: `ALBERT of width ${width} (embeddings as wide, so that sharing alone differs), ${steps} steps of ${batch} half poems, ${seeds.length} seeds, intervals of Student’s t over differences of the same seed. In so few steps deep models with weights of their own have not shown what they can; with more, the cost of sharing may be larger.`,
      zh: `ALBERT，宽 ${width}（词嵌入同宽，所以只差在是否共用），${steps} 步，每步 ${batch} 个半首诗，${seeds.length} 个种子；区间按同种子差值的 t 分布计算。步数这么少，各层独立的深模型还没发挥出来；训练更久，共用的代价可能更大。`,
    },
    {
      en: 'All have the same learning rate; none was tuned for its own.',
      zh: '所有模型用同一个学习率，没有分别调整。',
    },
  ];
}
