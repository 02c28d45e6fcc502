import { deriveSeed, normal } from '../base/random.ts';
import { reachable } from '../graph/value.ts';
import { lstmLike } from './architectures.ts';
import type { Both, Chart, Claim, Experiment, ExperimentContext, Findings, Table } from './experiment.ts';
import { figure, percent, type Spread, spreadOf, spreadPoint, spreadText } from './figures.ts';
import { pathLength } from './graphCost.ts';
import { LstmLearner, type TracedChunk, traceChunk } from './lstmLearner.ts';
import type { LstmConfig } from './lstmModel.ts';
import { RECALL_CLASSES, RECALL_VOCABULARY, recall } from './recall.ts';
import type { SequenceLearner } from './sequenceLearner.ts';
import { stopIfAsked } from './stopIfAsked.ts';
import { type GptConfig, TransformerLearner, traceGpt } from './transformerLearner.ts';

/** How far back a model can learn to look (Vaswani et al. 2017, section 4; Hochreiter et al. 2001). */
export const distance: Experiment = {
  name: 'distance',
  title: { en: 'How far back a model learns to look', zh: '模型能学会往回看多远' },
  run,
};

const kinds = ['transformer', 'lstm', 'openLstm'] as const;
type Kind = (typeof kinds)[number];
type ByKind<T> = Readonly<Record<Kind, T>>;
const nameOf: ByKind<Both> = {
  transformer: { en: 'Transformer', zh: 'Transformer' },
  lstm: { en: 'LSTM', zh: 'LSTM' },
  openLstm: { en: 'LSTM, forget gate opened by 1', zh: 'LSTM，遗忘门偏置加 1' },
};
/** With which each learns the shortest gap quickly: of 1e-2, 2e-2 and 3e-2 an LSTM does with the last two. */
const RATES: ByKind<number> = { transformer: 3e-3, lstm: 2e-2, openLstm: 2e-2 };

interface Setting {
  readonly lengths: readonly number[];
  readonly reachLength: number;
  readonly seeds: readonly number[];
  readonly batch: number;
  readonly steps: number;
  readonly width: number;
}

/** Of one model at one length, over the seeds. */
interface RecallResult {
  readonly accuracy: readonly number[];
  /** Steps until 95 % were right, the limit where they never were. */
  readonly steps: readonly number[];
}

/** By distance from the last position, over the seeds. */
type Reach = readonly (readonly number[])[];

async function run(context: ExperimentContext): Promise<Findings> {
  const setting = settingOf(context);
  const { lengths, reachLength } = setting;
  const recalls: ByKind<RecallResult>[] = [];
  // work grows with the length
  const work = lengths.reduce((a, b) => a + b, 0) + reachLength;
  let done = 0;
  const atStart = await byKind((kind) => reaches(context, setting, kind));
  done += reachLength;
  const trained: Partial<Record<Kind, Reach>> = {};
  for (const length of lengths) {
    const results: Partial<Record<Kind, RecallResult>> = {};
    for (const [i, kind] of kinds.entries()) {
      context.onProgress?.((done + (length * i) / kinds.length) / work, `${nameOf[kind].en}, gap ${length - 1}`);
      const { result, reach } = await learn(context, setting, kind, length);
      results[kind] = result;
      if (length === reachLength) trained[kind] = reach;
    }
    recalls.push(results as ByKind<RecallResult>);
    done += length;
  }
  const afterwards = trained as ByKind<Reach>;
  const paths = lengths.map((length) => pathsOf(setting, length));
  context.onProgress?.(1, 'done');
  return {
    experiment: 'distance',
    seed: context.seed,
    title: distance.title,
    ...(context.isQuick && { isQuick: true }),
    charts: [
      accuracyChart(lengths, recalls),
      reachChart('reach-start', { en: 'at the start', zh: '训练前' }, atStart),
      reachChart(
        'reach-trained',
        { en: `after training at a gap of ${reachLength - 1}`, zh: `在间隔 ${reachLength - 1} 上训练后` },
        afterwards,
      ),
      pathChart(lengths, paths),
    ],
    tables: [recallTable(setting, recalls), reachTable(reachLength, atStart, afterwards)],
    claims: claimsOf(setting, { recalls, atStart, paths }),
    caveats: caveatsOf(setting),
  };
}

function settingOf({ isQuick = false, seed }: ExperimentContext): Setting {
  return isQuick
    ? { lengths: [8, 16], reachLength: 16, seeds: [seed, seed + 1], batch: 8, steps: 4, width: 16 }
    : {
        lengths: [8, 16, 32, 64, 128],
        reachLength: 64,
        seeds: [seed, seed + 1, seed + 2],
        batch: 16,
        steps: 240,
        width: 32,
      };
}

function configsOf({ width }: Setting, length: number): { gpt: GptConfig; lstm: LstmConfig; openLstm: LstmConfig } {
  const gpt = { vocabSize: RECALL_VOCABULARY, width, layers: 2, heads: 4, maxLength: length };
  return { gpt, lstm: lstmLike(gpt, { forgetShift: 0 }), openLstm: lstmLike(gpt, { forgetShift: 1 }) };
}

async function byKind<T>(of: (kind: Kind) => Promise<T>): Promise<ByKind<T>> {
  const found: Partial<Record<Kind, T>> = {};
  for (const kind of kinds) found[kind] = await of(kind);
  return found as ByKind<T>;
}

async function create(
  context: ExperimentContext,
  setting: Setting,
  kind: Kind,
  length: number,
  seed: number,
): Promise<SequenceLearner> {
  const { runtime } = context;
  const configs = configsOf(setting, length);
  const sizes = { batch: setting.batch, length, seed };
  const made =
    kind === 'transformer'
      ? TransformerLearner.create(runtime, configs.gpt, sizes)
      : LstmLearner.create(runtime, configs[kind], sizes);
  return made;
}

/** Trains a model of each seed on fresh sequences until it knows, or the steps are over. */
async function learn(
  context: ExperimentContext,
  setting: Setting,
  kind: Kind,
  length: number,
): Promise<{ readonly result: RecallResult; readonly reach: Reach }> {
  const { batch, steps, seeds } = setting;
  const sizes = { batch, length, items: 1 };
  const accuracy: number[] = [];
  const needed: number[] = [];
  const reach: number[][] = [];
  for (const seed of seeds) {
    using learner = await create(context, setting, kind, length, seed);
    const examine = async (): Promise<number> => {
      let sum = 0;
      for (let i = 0; i < 8; i++) sum += (await learner.measure(recall(deriveSeed(seed, 'test', i), sizes))).accuracy;
      return sum / 8;
    };
    let [step, right] = [0, 0];
    while (step < steps && right < 0.95) {
      stopIfAsked(context);
      const rate = RATES[kind] * Math.min(1, (step + 1) / 20);
      const loss = await learner.step(recall(deriveSeed(seed, 'train', step), sizes), rate);
      step++;
      // a low loss may mean that it knows
      if (step === steps || (step % 10 === 0 && loss < 0.5)) right = await examine();
    }
    accuracy.push(right);
    needed.push(step);
    reach.push(await reachOf(learner, sizes, seed));
  }
  return { result: { accuracy, steps: needed }, reach: byDistance(reach) };
}

async function reaches(context: ExperimentContext, setting: Setting, kind: Kind): Promise<Reach> {
  const all: number[][] = [];
  for (const seed of setting.seeds) {
    stopIfAsked(context);
    using learner = await create(context, setting, kind, setting.reachLength, seed);
    all.push(await reachOf(learner, { batch: setting.batch, length: setting.reachLength, items: 1 }, seed));
  }
  return byDistance(all);
}

/** Relative to the reach to the position before the last: to the last itself leads a way around the layers. */
async function reachOf(
  learner: SequenceLearner,
  sizes: { readonly batch: number; readonly length: number; readonly items: number },
  seed: number,
): Promise<number[]> {
  const { ids } = recall(deriveSeed(seed, 'reach'), sizes);
  const random = Float32Array.from(normal(deriveSeed(seed, 'reach seed'), sizes.batch * learner.width));
  const norms = await learner.reach(ids, random);
  return norms.map((norm) => norm / norms.at(-2)!);
}

/** [seeds][position] → [distance from the last position][seeds] */
function byDistance(all: readonly (readonly number[])[]): Reach {
  return all[0]!.map((_, back) => all.map((norms) => norms.at(-1 - back)!));
}

/** Operators between the embedding of the first token and the output at the last position, on the shortest way. */
export function pathsOf(setting: Setting, length: number): { readonly transformer: number; readonly lstm: number } {
  const { gpt, lstm } = configsOf(setting, length);
  const { trace, embedding, output } = traceGpt(gpt);
  // the stream around the layers stays at its position: only through attention does one come to another
  const value = trace.names.get('layers.0.attention.value')!;
  return {
    transformer: pathLength(embedding, value)! + pathLength(value, output)!,
    lstm: firstStepPath(traceChunk(lstm, 1, length), lstm),
  };
}

/**
 * Through the chain of the first layer, then up at the last position. What the first position gives is a slice of the products
 * of all positions; the layers' outputs are joined to one value again, so each layer is gone through on its own.
 */
function firstStepPath({ embedding, after, rows }: TracedChunk, { width, layers }: LstmConfig): number {
  const drive = reachable([rows]).find(
    ({ op, attrs, shape }) => op === 'slice' && attrs['axis'] === 0 && attrs['start'] === 0 && shape[1] === 4 * width,
  )!;
  const ends = Array.from({ length: layers }, (_, i) => after[`next.${i}.hidden`]!);
  const stations = [drive, ...ends];
  return stations.slice(1).reduce((sum, end, i) => sum + pathLength(stations[i]!, end)!, pathLength(embedding, drive)!);
}

function accuracyChart(lengths: readonly number[], results: readonly ByKind<RecallResult>[]): Chart {
  return {
    name: 'recall',
    title: { en: 'Recall of the first token', zh: '回忆第一个词元' },
    x: {
      label: { en: 'gap in tokens', zh: '间隔（词元）' },
      scale: 'log',
      ticks: lengths.map((length) => length - 1),
    },
    y: { label: { en: 'right answers', zh: '答对的比例' }, scale: 'linear' },
    series: [
      ...kinds.map((kind) => ({
        name: nameOf[kind],
        points: results.map((result, i) => spreadPoint(lengths[i]! - 1, spreadOf(result[kind].accuracy))),
      })),
      {
        name: { en: 'guessing', zh: '瞎猜' },
        points: [lengths[0]!, lengths.at(-1)!].map((length) => ({ x: length - 1, y: 1 / RECALL_CLASSES })),
        isReference: true,
      },
    ],
  };
}

function reachChart(name: string, when: Both, reach: ByKind<Reach>): Chart {
  return {
    name,
    title: { en: `Gradient of the last output, ${when.en}`, zh: `最后输出的梯度（${when.zh}）` },
    x: { label: { en: 'distance Δ back', zh: '往回的距离 Δ' }, scale: 'linear' },
    y: { label: { en: 'norm of the gradient, Δ = 1 is 1', zh: '梯度的范数，以 Δ = 1 为 1' }, scale: 'log' },
    series: kinds.map((kind) => ({
      name: nameOf[kind],
      points: reach[kind].slice(1).map((values, i) => spreadPoint(i + 1, spreadOf(values))),
    })),
  };
}

function pathChart(lengths: readonly number[], paths: readonly ReturnType<typeof pathsOf>[]): Chart {
  const series = (kind: 'transformer' | 'lstm') => ({
    name: nameOf[kind],
    points: paths.map((path, i) => ({ x: lengths[i]! - 1, y: path[kind] })),
  });
  return {
    name: 'paths',
    title: { en: 'Shortest way from the first token to the last output', zh: '从第一个词元到最后输出的最短路径' },
    x: {
      label: { en: 'gap in tokens', zh: '间隔（词元）' },
      scale: 'log',
      ticks: lengths.map((length) => length - 1),
    },
    y: { label: { en: 'operators on the way', zh: '途经的运算数' }, scale: 'log' },
    series: [series('transformer'), series('lstm')],
  };
}

function recallTable({ lengths, steps }: Setting, results: readonly ByKind<RecallResult>[]): Table {
  return {
    name: 'recall',
    title: {
      en: `Right answers, and steps until 95 % are (${steps} at most): mean (least–largest)`,
      zh: `答对的比例，以及答对 95 % 所需步数（最多 ${steps}）：平均（最小–最大）`,
    },
    columns: [
      { en: 'gap', zh: '间隔' },
      ...kinds.flatMap((kind) => [
        { en: nameOf[kind].en, zh: nameOf[kind].zh },
        { en: 'steps', zh: '步数' },
      ]),
    ],
    rows: results.map((result, i) => [
      lengths[i]! - 1,
      ...kinds.flatMap((kind) => [
        spreadText(spreadOf(result[kind].accuracy), percent),
        spreadText(spreadOf(result[kind].steps)),
      ]),
    ]),
  };
}

function reachTable(length: number, start: ByKind<Reach>, trained: ByKind<Reach>): Table {
  const distances = [1, 4, 16, length - 1].filter((back, i, all) => back < length && all.indexOf(back) === i);
  const cell = (values: readonly number[]): string => spreadText(spreadOf(values), (value) => value.toExponential(1));
  return {
    name: 'reach',
    title: {
      en: 'Norm of the gradient of the last output by distance, relative to distance 1',
      zh: '最后输出的梯度范数随距离的变化（相对于距离 1）',
    },
    columns: [
      { en: 'distance', zh: '距离' },
      ...kinds.map((kind) => ({ en: `${nameOf[kind].en}, at the start`, zh: `${nameOf[kind].zh}，训练前` })),
      ...kinds.map((kind) => ({ en: `${nameOf[kind].en}, trained`, zh: `${nameOf[kind].zh}，训练后` })),
    ],
    rows: distances.map((back) => [
      back,
      ...[start, trained].flatMap((reach) => kinds.map((kind) => cell(reach[kind][back]!))),
    ]),
  };
}

interface Results {
  readonly recalls: readonly ByKind<RecallResult>[];
  readonly atStart: ByKind<Reach>;
  readonly paths: readonly ReturnType<typeof pathsOf>[];
}

/** A gap is learnt where all seeds answer right 95 times in 100. */
function longestLearnt(lengths: readonly number[], recalls: readonly ByKind<RecallResult>[], kind: Kind): number {
  const isLearnt = (i: number): boolean => Math.min(...recalls[i]![kind].accuracy) >= 0.95;
  const learnt = lengths.flatMap((length, i) => (isLearnt(i) ? [length - 1] : []));
  return learnt.at(-1) ?? 0;
}

function claimsOf({ lengths, reachLength, steps }: Setting, { recalls, atStart, paths }: Results): Claim[] {
  const longest = Object.fromEntries(
    kinds.map((kind) => [kind, longestLearnt(lengths, recalls, kind)]),
  ) as ByKind<number>;
  const widest = lengths.at(-1)! - 1;
  const last = recalls.at(-1)!;
  const far = (kind: Kind): Spread => spreadOf(atStart[kind].at(-1)!);
  const exponent = (value: number): string => value.toExponential(1);
  const listed = (write: (kind: Kind) => string, language: keyof Both): string =>
    kinds.map((kind) => `${nameOf[kind][language]} ${write(kind)}`).join(language === 'zh' ? '；' : '; ');
  const [first, end] = [paths[0]!, paths.at(-1)!];
  return [
    {
      text: {
        en: `In the same number of steps (${steps}) the Transformer learns to recall over larger gaps than the LSTM`,
        zh: `训练步数相同（${steps} 步）时，Transformer 能学会的回忆间隔比 LSTM 大`,
      },
      evidence: {
        en: `Largest gap that all seeds learnt (95 % right): ${listed((kind) => figure(longest[kind]), 'en')}. At gap ${widest}, right answers: ${listed((kind) => spreadText(spreadOf(last[kind].accuracy), percent), 'en')}; guessing gives ${percent(1 / RECALL_CLASSES)}.`,
        zh: `所有种子都学会（答对 95 %）的最大间隔：${listed((kind) => figure(longest[kind]), 'zh')}。间隔 ${widest} 时的正确率：${listed((kind) => spreadText(spreadOf(last[kind].accuracy), percent), 'zh')}；瞎猜为 ${percent(1 / RECALL_CLASSES)}。`,
      },
      holds: longest.transformer > Math.max(longest.lstm, longest.openLstm),
    },
    {
      text: {
        en: 'At the start the gradient reaches every position alike in a Transformer, and dies away with the distance in an LSTM',
        zh: '训练之初，Transformer 的梯度能均匀地传到每个位置；LSTM 的梯度随距离迅速消失',
      },
      evidence: {
        en: `Norm at distance ${reachLength - 1} relative to distance 1: ${listed((kind) => exponent(far(kind).mean), 'en')}. Between distances 1 and ${reachLength - 1} the Transformer’s differs by a factor of ${figure(rangeOf(atStart.transformer))}.`,
        zh: `距离 ${reachLength - 1} 处的范数（相对于距离 1）：${listed((kind) => exponent(far(kind).mean), 'zh')}。Transformer 在距离 1 到 ${reachLength - 1} 之间最多相差 ${figure(rangeOf(atStart.transformer))} 倍。`,
      },
      holds: rangeOf(atStart.transformer) < 10 && far('lstm').high < far('transformer').low / 100,
    },
    {
      text: {
        en: 'The way from one position to another is as long for all distances in a Transformer; in an LSTM it grows in proportion to the distance',
        zh: 'Transformer 中任意两个位置之间的路径一样长；LSTM 的路径与距离成正比',
      },
      evidence: {
        en: `Operators on the shortest way, at gap ${lengths[0]! - 1} and at gap ${widest}: Transformer ${first.transformer} and ${end.transformer}, LSTM ${first.lstm} and ${end.lstm}.`,
        zh: `最短路径上的运算数，间隔 ${lengths[0]! - 1} 与 ${widest}：Transformer 为 ${first.transformer} 和 ${end.transformer}，LSTM 为 ${first.lstm} 和 ${end.lstm}。`,
      },
      holds:
        first.transformer === end.transformer &&
        Math.abs(
          (end.lstm - first.lstm) / (widest - lengths[0]! + 1) -
            (paths[1]!.lstm - first.lstm) / (lengths[1]! - lengths[0]!),
        ) < 0.01,
    },
  ];
}

/** The largest over the smallest mean norm, the last position's own left out. */
function rangeOf(reach: Reach): number {
  const means = reach.slice(1).map((values) => spreadOf(values).mean);
  return Math.max(...means) / Math.min(...means);
}

function caveatsOf({ batch, steps, seeds, width, lengths }: Setting): Both[] {
  const { lstm } = configsOf({ width } as Setting, lengths[0]!);
  return [
    {
      en: `Two layers each, width ${width} (LSTM ${lstm.width}: as many parameters in the layers), ${steps} steps of ${batch} sequences, ${seeds.length} seeds; bands are from the least to the largest. An LSTM with more steps, or led from small gaps to large ones, gets further: Hochreiter and Schmidhuber bridged 1,000 steps, with many times as many sequences.`,
      zh: `各两层，宽 ${width}（LSTM 宽 ${lstm.width}，各层参数量相当），${steps} 步，每步 ${batch} 条序列，${seeds.length} 个种子；色带为最小到最大。多训练，或者由小间隔逐步加大，LSTM 能走得更远：Hochreiter 与 Schmidhuber 曾跨过 1,000 步，代价是大量的训练序列。`,
    },
    {
      en: 'Each has a rate with which it learns the smallest gap quickly; rates were not tuned for each gap. One token to remember among 16: neither model’s memory is full.',
      zh: '学习率按最小的间隔来选，让各自都能很快学会，没有针对每个间隔再调。只需记住 16 种词元中的一个，两种模型的记忆容量都远未用满。',
    },
    {
      en: 'The Transformer’s positions are learned, and only those of the trained length exist; the LSTM may go on for as long as it likes.',
      zh: 'Transformer 用的是学得的位置，只有训练过的长度；LSTM 则可以一直读下去。',
    },
    {
      en: 'That the gradient arrives says that a position can be learnt from, not that it is.',
      zh: '梯度能传到，只说明有可能从那里学，不说明真的学到了。',
    },
  ];
}
