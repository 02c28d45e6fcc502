import { deriveSeed, type Key } from '../base/random.ts';
import { float32 } from '../base/tensor.ts';
import { IGNORED_LABEL } from '../data/bucketBatches.ts';
import { fetch, type Graph } from '../graph/graph.ts';
import { mapGraph, withInputs } from '../graph/rewrite.ts';
import type { ParameterArena } from '../nn/parameterArena.ts';
import { mul } from '../ops/elementwise.ts';
import { input } from '../ops/leaf.ts';
import type { Tensors } from '../runtime/runtime.ts';
import type { Both, Chart, Claim, Experiment, ExperimentContext, Findings, Matrix, Table } from './experiment.ts';
import { figure, percent, type Spread, spreadOf, spreadPoint, spreadText } from './figures.ts';
import { accuracy } from './measure.ts';
import { afterEarlier, randomTokens, type TokenTaskSizes } from './repeatedTokens.ts';
import { type Batch, batchOf, smallLoss } from './smallLoss.ts';
import { stopIfAsked } from './stopIfAsked.ts';
import { train } from './training.ts';

/** Why there are several heads (Vaswani et al. 2017, section 3.2.2), and how many of them a trained model needs. */
export const heads: Experiment = {
  name: 'heads',
  title: { en: 'Why there are several heads', zh: '为什么要多个头' },
  run,
};

const LAYERS = 2;
const WIDTH = 64;
const LENGTH = 24;
const VOCABULARY = 16;
/** Accuracy that a removal may cost and still be called free. */
const FREE = 0.01;

const relations: readonly Both[] = [
  { en: 'the token 1 before', zh: '前面第 1 个词元' },
  { en: 'the token 3 before', zh: '前面第 3 个词元' },
  { en: 'the token after an earlier equal one', zh: '之前相同词元的后一个词元' },
];

async function run(context: ExperimentContext): Promise<Findings> {
  const { seed, isQuick = false } = context;
  const counts = isQuick ? [1, 2] : [1, 2, 4, 8];
  const all: OfCount[] = [];
  for (const [i, count] of counts.entries()) {
    // only the largest model is pruned: the others need their heads
    const isPruned = count === counts.at(-1);
    all.push(await trainCount(context, { count, isPruned, start: i / counts.length, share: 1 / counts.length }));
  }
  context.onProgress?.(1, 'done');
  const most = all.at(-1)!;
  return {
    experiment: 'heads',
    seed,
    title: heads.title,
    ...(isQuick && { isQuick }),
    charts: [relationChart(all), pruningChart(most)],
    matrices: most.runs[0]!.ablation.map((costs, r) => ablationMatrix(costs, r, most.count)),
    tables: [relationTable(all), ablationTable(most)],
    claims: claimsOf(all),
    caveats: [
      {
        en: `The task is made so that one head cannot do it: three relations at once, in ${LAYERS} layers. Of natural text the same cannot be said from this.`,
        zh: `任务是特意设计的：${LAYERS} 层里要同时用到三种关系，单头做不到。对自然语言不能由此下同样的结论。`,
      },
      {
        en: `Models differ in nothing but the number of heads, with d_k = ${WIDTH} / heads; the biases for distances are one column a head, which is why the numbers of parameters differ by 0.3%.`,
        zh: `各模型只有头数不同，d_k = ${WIDTH} / 头数；距离偏置每个头一列，因此参数量相差 0.3%。`,
      },
      {
        en: 'A head is removed by setting its weights to 0 without training again; which heads can go together is searched greedily, so more of them might.',
        zh: '去掉一个头是指把它的注意力权重置零、不再训练；哪些头能一起去掉是贪心搜索的，实际能去掉的可能更多。',
      },
      {
        en: `${most.runs.length} seeds of weights and data; ranges are from the least to the largest.`,
        zh: `权重与数据共 ${most.runs.length} 个种子；范围是最小值到最大值。`,
      },
    ],
  };
}

/** Random tokens, each asked for the three relations. */
export function relationBatch(key: Key, sizes: TokenTaskSizes): Batch {
  const ids = randomTokens(key, sizes);
  const labelsOf = (tokens: readonly number[], t: number): number[] => [
    tokens[t - 1] ?? IGNORED_LABEL,
    tokens[t - 3] ?? IGNORED_LABEL,
    afterEarlier(tokens, t),
  ];
  return batchOf(
    ids,
    ids.map((tokens) => tokens.flatMap((_, t) => labelsOf(tokens, t))),
  );
}

/** `layer.head`, both from 0. */
interface Head {
  readonly layer: number;
  readonly head: number;
}

interface HeadsRun {
  /** By relation. */
  readonly accuracies: readonly number[];
  /** [relation][layer][head]: what removing that head alone costs in accuracy. */
  readonly ablation: readonly (readonly (readonly number[])[])[];
  /** Mean accuracy over the relations with 0, 1, … heads removed, the cheapest first. */
  readonly pruning: readonly number[];
}

interface OfCount {
  readonly count: number;
  readonly parameters: number;
  readonly runs: readonly HeadsRun[];
}

interface CountOptions {
  readonly count: number;
  /** Whether heads are taken out afterwards. */
  readonly isPruned: boolean;
  /** Of the experiment, where this begins and how much it is. */
  readonly start: number;
  readonly share: number;
}

async function trainCount(
  context: ExperimentContext,
  { count, isPruned, start, share }: CountOptions,
): Promise<OfCount> {
  const { seed, isQuick } = context;
  const [steps, seeds, batch] = isQuick ? [4, 1, 4] : [600, 3, 32];
  const { graph, declarations } = smallLoss(
    {
      vocabSize: VOCABULARY,
      width: WIDTH,
      layers: LAYERS,
      heads: count,
      hidden: 2 * WIDTH,
      positions: 'relative',
      maxLength: LENGTH,
      isCausal: true,
    },
    { questions: relations.length },
  );
  const runs: HeadsRun[] = [];
  let parameters = 0;
  for (let n = 0; n < seeds; n++) {
    const sizes = { batch, length: LENGTH, vocabSize: VOCABULARY };
    const { arena } = await train(context, {
      loss: graph,
      declarations,
      seed: seed + n,
      steps,
      schedule: { name: 'cosine', peak: 3e-3, warmup: steps / 10, final: 3e-4 },
      batchAt: (step) => relationBatch(deriveSeed(seed, 'train', n, step), sizes),
      bindings: { B: batch, T: LENGTH },
      onStep: (step) => context.onProgress?.(start + (share * (n + step / steps)) / seeds, `${count} heads`),
    });
    parameters = arena.size;
    const test = relationBatch(deriveSeed(seed, 'test', n), { ...sizes, batch: isQuick ? 4 : 64 });
    using pruned = await PrunedModel.create(context, graph, arena, count, test);
    runs.push(await examine(pruned, isPruned));
  }
  return { count, parameters, runs };
}

/** A model whose heads can be taken out: the weights of each are multiplied by 1 or 0. */
class PrunedModel implements Disposable {
  readonly count: number;
  readonly #run: (removed: readonly Head[]) => Promise<number[]>;
  readonly #dispose: () => void;

  private constructor(count: number, run: (removed: readonly Head[]) => Promise<number[]>, dispose: () => void) {
    this.count = count;
    this.#run = run;
    this.#dispose = dispose;
  }

  static async create(
    context: ExperimentContext,
    graph: Graph,
    arena: ParameterArena,
    count: number,
    test: Batch,
  ): Promise<PrunedModel> {
    const program = await context.runtime.compile(withHeadMasks(graph, count, ['predicted']), { label: 'pruned' });
    const labels = test.inputs['labels']!.data;
    const run = async (removed: readonly Head[]): Promise<number[]> => {
      stopIfAsked(context);
      const feeds: Tensors = { ...arena.tensors, ...test.inputs, ...headMasks(removed, count) };
      const own = Object.fromEntries(program.feeds.map((name) => [name, feeds[name]!]));
      const [outputs] = await context.runtime.run([{ program, feeds: own }]);
      const predicted = outputs!['predicted']!.data;
      return relations.map((_, r) => accuracy({ predicted, labels }, (i) => i % relations.length === r));
    };
    return new PrunedModel(count, run, () => program[Symbol.dispose]());
  }

  /** Accuracy by relation without these heads. */
  accuracies(removed: readonly Head[]): Promise<number[]> {
    return this.#run(removed);
  }

  [Symbol.dispose](): void {
    this.#dispose();
  }
}

/** These values of the graph, with the attention weights of layer i multiplied by the input `heads.<i>` [1, H, 1, 1]. */
export function withHeadMasks(graph: Graph, count: number, names: readonly string[]): Graph {
  const masks = new Map(
    Array.from({ length: LAYERS }, (_, i) => [
      graph.names.get(`layers.${i}.attention.weights`)!,
      input(`heads.${i}`, 'float32', [1, count, 1, 1]),
    ]),
  );
  return mapGraph(fetch(graph, names), (value, inputs) => {
    const mask = masks.get(value);
    const rebuilt = withInputs(value, inputs);
    return mask ? mul(rebuilt, mask) : rebuilt;
  });
}

function headMasks(removed: readonly Head[], count: number): Tensors {
  return Object.fromEntries(
    Array.from({ length: LAYERS }, (_, layer) => {
      const isKept = (head: number): boolean => !removed.some((one) => one.layer === layer && one.head === head);
      const mask = Array.from({ length: count }, (_, head) => (isKept(head) ? 1 : 0));
      return [`heads.${layer}`, float32([1, count, 1, 1], mask)];
    }),
  );
}

async function examine(model: PrunedModel, isPruned: boolean): Promise<HeadsRun> {
  const accuracies = await model.accuracies([]);
  if (!isPruned) return { accuracies, ablation: [], pruning: [] };
  const every = Array.from({ length: LAYERS }, (_, layer) =>
    Array.from({ length: model.count }, (_, head) => ({ layer, head })),
  );
  const without = new Map<Head, number[]>();
  for (const one of every.flat()) without.set(one, await model.accuracies([one]));
  return {
    accuracies,
    ablation: relations.map((_, r) => every.map((row) => row.map((one) => accuracies[r]! - without.get(one)![r]!))),
    pruning: await pruneGreedily(model, every.flat()),
  };
}

/** Takes out one head after the other, each time that whose loss costs least. */
async function pruneGreedily(model: PrunedModel, all: readonly Head[]): Promise<number[]> {
  const meanOf = async (removed: readonly Head[]): Promise<number> => spreadOf(await model.accuracies(removed)).mean;
  const removed: Head[] = [];
  const path = [await meanOf([])];
  while (removed.length < all.length) {
    let best: { readonly one: Head; readonly mean: number } | undefined;
    for (const one of all) {
      if (removed.includes(one)) continue;
      const mean = await meanOf([...removed, one]);
      if (!best || mean > best.mean) best = { one, mean };
    }
    removed.push(best!.one);
    path.push(best!.mean);
  }
  return path;
}

function relationChart(all: readonly OfCount[]): Chart {
  return {
    name: 'relations',
    title: { en: 'Three relations at once, at equal parameters', zh: '同时学三种关系（参数量相同）' },
    x: {
      label: { en: 'heads in each of two layers', zh: '每层的头数（共两层）' },
      scale: 'log',
      ticks: all.map(({ count }) => count),
    },
    y: { label: { en: 'accuracy', zh: '准确率' }, scale: 'linear' },
    series: relations.map((name, r) => ({
      name,
      points: all.map(({ count, runs }) => spreadPoint(count, spreadOf(runs.map((one) => one.accuracies[r]!)))),
    })),
  };
}

function pruningChart({ count, runs }: OfCount): Chart {
  return {
    name: 'pruning',
    title: {
      en: `Heads taken out of a trained model of ${LAYERS} × ${count}, the cheapest first`,
      zh: `从训练好的 ${LAYERS} × ${count} 头模型中逐个去掉头，代价最小的先去`,
    },
    x: { label: { en: 'heads taken out', zh: '去掉的头数' }, scale: 'linear' },
    y: { label: { en: 'mean accuracy of the three relations', zh: '三种关系的平均准确率' }, scale: 'linear' },
    series: [
      {
        name: { en: `trained with ${count} heads`, zh: `以 ${count} 头训练` },
        points: runs[0]!.pruning.map((_, i) => spreadPoint(i, spreadOf(runs.map(({ pruning }) => pruning[i]!)))),
      },
    ],
  };
}

function ablationMatrix(costs: readonly (readonly number[])[], relation: number, count: number): Matrix {
  const { en, zh } = relations[relation]!;
  return {
    name: `ablation-${relation}`,
    title: { en: `Without one head: ${en}`, zh: `去掉一个头：${zh}` },
    rows: { label: { en: 'layer', zh: '层' }, names: costs.map((_, layer) => String(layer)) },
    columns: {
      label: { en: 'head; accuracy lost without it', zh: '头；去掉它损失的准确率' },
      names: Array.from({ length: count }, (_, head) => String(head)),
    },
    // removing a head can help by chance, by a hair
    values: costs.map((row) => row.map((cost) => Math.max(0, cost))),
  };
}

function relationTable(all: readonly OfCount[]): Table {
  return {
    name: 'relations',
    title: { en: 'Accuracy, mean and range of the seeds', zh: '准确率（各种子的均值与范围）' },
    columns: [{ en: 'heads', zh: '头数' }, { en: 'd_k', zh: 'd_k' }, { en: 'parameters', zh: '参数量' }, ...relations],
    rows: all.map(({ count, parameters, runs }) => [
      count,
      WIDTH / count,
      parameters,
      ...relations.map((_, r) => spreadText(spreadOf(runs.map((one) => one.accuracies[r]!)), percent)),
    ]),
  };
}

/** Heads, of all, that cost less than FREE in every relation when they are taken out alone. */
function freeHeads({ ablation }: HeadsRun): number {
  const costs = ablation[0]!.flatMap((row, layer) =>
    row.map((_, head) => Math.max(...ablation.map((relation) => relation[layer]![head]!))),
  );
  return costs.filter((cost) => cost < FREE).length;
}

/** What the third relation loses without the head of the first layer that the first relation misses most. */
export function costOfSharedHead({ ablation }: Pick<HeadsRun, 'ablation'>): number {
  const [first] = ablation[0]!;
  return ablation[2]![0]![first!.indexOf(Math.max(...first!))]!;
}

/** How many heads can be taken out together for less than `allowed` of the mean accuracy. */
export function removable(pruning: readonly number[], allowed: number): number {
  const first = pruning.findIndex((accuracyLeft) => accuracyLeft < pruning[0]! - allowed);
  return (first === -1 ? pruning.length : first) - 1;
}

function ablationTable({ count, runs }: OfCount): Table {
  return {
    name: 'ablation',
    title: {
      en: `Heads that a trained model of ${LAYERS} × ${count} can do without`,
      zh: `训练好的 ${LAYERS} × ${count} 头模型可以不要的头`,
    },
    columns: [
      { en: 'run', zh: '训练' },
      {
        en: 'heads that alone cost less than 1 point in every relation',
        zh: '单独去掉时各关系损失均不到 1 个百分点的头',
      },
      { en: 'removed together for less than 1 point of the mean', zh: '一起去掉、平均损失不到 1 个百分点' },
      { en: 'for less than 5 points', zh: '不到 5 个百分点' },
    ],
    rows: runs.map((one, n) => [
      String(n + 1),
      freeHeads(one),
      removable(one.pruning, 0.01),
      removable(one.pruning, 0.05),
    ]),
  };
}

function claimsOf(all: readonly OfCount[]): Claim[] {
  const of = (one: OfCount, relation: number): Spread =>
    spreadOf(one.runs.map(({ accuracies }) => accuracies[relation]!));
  const meanOf = (one: OfCount): Spread => spreadOf(one.runs.map(({ accuracies }) => spreadOf(accuracies).mean));
  const [single, ...others] = all as [OfCount, ...OfCount[]];
  const most = all.at(-1)!;
  const before = all.at(-2)!;
  const free = spreadOf(most.runs.map(freeHeads));
  const together = spreadOf(most.runs.map(({ pruning }) => removable(pruning, 0.05)));
  const shared = spreadOf(most.runs.map(costOfSharedHead));
  const total = LAYERS * most.count;
  const texts = relations.map((_, r) => spreadText(of(single, r), percent));
  return [
    {
      text: {
        en: 'One head in each layer cannot serve three relations at once: what it averages cannot be told apart again',
        zh: '每层一个头，无法同时照顾三种关系：平均到一起的东西再也分不开',
      },
      evidence: {
        en: `One head: ${relations.map(({ en }, r) => `${en} ${texts[r]}`).join(', ')}.`,
        zh: `单头：${relations.map(({ zh }, r) => `${zh} ${texts[r]}`).join('，')}。`,
      },
      holds: relations.some((_, r) => of(single, r).high < 0.6),
    },
    {
      text: {
        en: 'Several heads of the same total size do better, with every seed',
        zh: '总大小相同的多个头做得更好，且每个种子都如此',
      },
      evidence: {
        en: `Mean over the relations: ${all.map((one) => `${one.count} ${one.count === 1 ? 'head' : 'heads'} ${spreadText(meanOf(one), percent)}`).join(', ')}; ${figure(single.parameters)} to ${figure(most.parameters)} parameters.`,
        zh: `三种关系的平均：${all.map((one) => `${one.count} 头 ${spreadText(meanOf(one), percent)}`).join('，')}；参数量 ${figure(single.parameters)} 到 ${figure(most.parameters)}。`,
      },
      holds: others.every((one) => meanOf(one).low > meanOf(single).high),
    },
    {
      text: {
        en: `Once there are enough, more add nothing: ${most.count} heads are no better than ${before.count}`,
        zh: `头够用以后，再多也没有用：${most.count} 头不比 ${before.count} 头好`,
      },
      evidence: {
        en: `${before.count} heads ${spreadText(meanOf(before), percent)}, ${most.count} heads ${spreadText(meanOf(most), percent)}.`,
        zh: `${before.count} 头 ${spreadText(meanOf(before), percent)}，${most.count} 头 ${spreadText(meanOf(most), percent)}。`,
      },
      holds: meanOf(most).mean < meanOf(before).mean + 0.01,
    },
    {
      text: {
        en: 'The head that brings the token before serves two relations: it is the first step of the third one too',
        zh: '负责带来前一个词元的头服务于两种关系：它也是第三种关系的第一步',
      },
      evidence: {
        en: `In ${most.runs.length} ${most.runs.length === 1 ? 'run' : 'runs'} with ${most.count} heads, taking out the head of the first layer that matters most for the first relation costs the third ${spreadText(shared, percent)}.`,
        zh: `${most.count} 头的 ${most.runs.length} 次训练中，去掉第一层里对第一种关系最要紧的头，第三种关系损失 ${spreadText(shared, percent)}。`,
      },
      holds: shared.low > 0.1,
    },
    {
      text: {
        en: `A model that was trained with ${most.count} heads a layer can do without a third of them or more`,
        zh: `以每层 ${most.count} 头训练的模型，至少三分之一的头可以不要`,
      },
      evidence: {
        en: `Of ${total} heads ${spreadText(free)} cost less than 1 point in every relation when they are taken out alone; ${spreadText(together)} can be taken out together for less than 5 points of the mean.`,
        zh: `${total} 个头里，单独去掉时各关系损失均不到 1 个百分点的有 ${spreadText(free)} 个；能一起去掉、平均损失不到 5 个百分点的有 ${spreadText(together)} 个。`,
      },
      holds: together.low >= total / 3,
    },
  ];
}
