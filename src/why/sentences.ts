import { deriveSeed, RandomStream } from '../base/random.ts';
import { int32 } from '../base/tensor.ts';
import type { EncoderModel } from '../models/model.ts';
import type { ParameterArena } from '../nn/parameterArena.ts';
import { Trace } from '../nn/scope.ts';
import { traceHead, traceLoss } from '../train/objectives.ts';
import { differenceOf, differenceText, verdictWords } from './differences.ts';
import type { Both, Chart, Claim, Experiment, ExperimentContext, Findings, Table } from './experiment.ts';
import { figure } from './figures.ts';
import { maskedBatch, maskingOf, smallEncoder } from './maskedPoems.ts';
import { measure } from './measure.ts';
import { overSeeds } from './overSeeds.ts';
import { special } from './poems.ts';
import { areaUnderCurve, fitProbe, readProbe } from './probe.ts';
import { meanInterval } from './statistics.ts';
import { type Story, sameTopic, stories, story, storyVocabulary } from './stories.ts';
import { train } from './training.ts';

/**
 * Next sentence (Devlin et al. 2019, section 3.1), sentence order (Lan et al. 2020, section 3.1 and Table 5), or neither
 * (Liu et al. 2019, section 4.2).
 */
export const sentences: Experiment = {
  name: 'sentences',
  title: {
    en: 'A question about two sentences: next, in order, or none',
    zh: '关于两句话的问题：下一句、语序，还是不问',
  },
  run,
};

const kinds = ['none', 'next', 'order'] as const;
type Kind = (typeof kinds)[number];
type ByKind<T> = Readonly<Record<Kind, T>>;
const nameOf: ByKind<Both> = {
  none: { en: 'no question', zh: '不问' },
  next: { en: 'next sentence', zh: '下一句' },
  order: { en: 'sentence order', zh: '语序' },
};
const questions = ['next', 'order'] as const;
type Question = (typeof questions)[number];

/** [CLS], two sentences, [SEP], two sentences, [SEP]. */
const LENGTH = 43;

interface Result {
  /** Mean −ln p of masked words in stories as they are. */
  readonly loss: number;
  /** Areas under the curve on held-out pairs: of a linear reading of the frozen last layer, and of the model's own answer. */
  readonly probe: Readonly<Record<Question, number>>;
  readonly own: Readonly<Record<Question, number>>;
}

interface Setting {
  readonly seeds: readonly number[];
  readonly steps: number;
  readonly batch: number;
  readonly width: number;
  /** Stories that a probe learns from. */
  readonly probed: number;
}

async function run(context: ExperimentContext): Promise<Findings> {
  const { isQuick = false, seed } = context;
  const setting: Setting = isQuick
    ? { seeds: [seed, seed + 1], steps: 3, batch: 8, width: 16, probed: 100 }
    : { seeds: [seed, seed + 1, seed + 2], steps: 1000, batch: 32, width: 64, probed: 2000 };
  const held = stories(isQuick ? 50 : 500, deriveSeed(seed, 'held stories'));
  const [none, next, order] = await overSeeds(
    context,
    kinds,
    setting.seeds,
    (kind) => nameOf[kind].en,
    (kind, own) => learn(context, setting, held, kind, own),
  );
  const results: ByKind<readonly Result[]> = { none: none!, next: next!, order: order! };
  return {
    experiment: 'sentences',
    seed,
    title: sentences.title,
    ...(isQuick && { isQuick }),
    charts: [probeChart(results)],
    tables: [resultTable(results)],
    claims: claimsOf(results),
    caveats: caveatsOf(setting),
  };
}

/** [CLS] A [SEP] B [SEP]: all pairs have one length, so that nothing but the words tells. */
function toPair(a: Story, b: Story): Int32Array {
  return Int32Array.of(special.cls, ...a.flatMap((x) => [...x]), special.sep, ...b.flatMap((x) => [...x]), special.sep);
}

/**
 * The two halves of a story (label 0); or, label 1, its first half and the second half of another story (`next`), its second half and
 * its first (`order`).
 */
export function pairOf(one: Story, other: Story, question: Question, label: number): Int32Array {
  const [first, second] = [one.slice(0, 2), one.slice(2)];
  if (label === 0) return toPair(first, second);
  return question === 'next' ? toPair(first, other.slice(2)) : toPair(second, first);
}

/** New stories' pairs, half of them of label 1; without a question all of label 0. */
function drawPairs(
  count: number,
  kind: Kind,
  stream: RandomStream,
): { readonly pairs: Int32Array[]; readonly labels: number[] } {
  const labels: number[] = [];
  const pairs = Array.from({ length: count }, () => {
    const [one, other] = [story(stream), story(stream)];
    const label = stream.uniform() < 0.5 && kind !== 'none' ? 1 : 0;
    labels.push(label);
    return pairOf(one, other, kind === 'none' ? 'next' : kind, label);
  });
  return { pairs, labels };
}

function segmentsOf(rows: number): Int32Array {
  const half = (LENGTH - 3) / 2 + 2;
  return Int32Array.from({ length: rows * LENGTH }, (_, i) => Number(i % LENGTH >= half));
}

async function learn(
  context: ExperimentContext,
  setting: Setting,
  held: readonly Story[],
  kind: Kind,
  seed: number,
): Promise<Result> {
  const { steps, batch, width } = setting;
  const model = smallEncoder({
    family: 'bert',
    head: 'ForPreTraining',
    vocabSize: storyVocabulary,
    width,
    layers: 2,
    maxLength: LENGTH,
  });
  const options = { smoothing: 0, padded: false, segments: true, targetsOnly: true } as const;
  const { graph, declarations } = traceLoss(model, { ...options, training: true });
  const masking = maskingOf(storyVocabulary);
  const { arena } = await train(context, {
    loss: graph,
    declarations,
    seed,
    steps,
    schedule: { name: 'linear', peak: 2e-3, warmup: Math.ceil(steps / 10), final: 0 },
    batchAt: (step) => {
      const { pairs, labels } = drawPairs(batch, kind, new RandomStream(deriveSeed(seed, 'train', step)));
      const { inputs, targets } = maskedBatch(pairs, masking, seed, 'train', step);
      return {
        inputs: {
          ...inputs,
          segments: int32([batch, LENGTH], segmentsOf(batch)),
          sentenceLabels: int32([batch], labels),
        },
        targets,
        scales: { sentenceScale: kind === 'none' ? 0 : 1 / batch },
      };
    },
    bindings: { B: batch, T: LENGTH, M: 6 },
  });
  const whole = held.map((one) => pairOf(one, one, 'next', 0));
  const { inputs, targets } = maskedBatch(whole, masking, 0, 'held', 0);
  const { graph: loss } = traceLoss(model, { ...options, training: false });
  const outputs = await measure(context, loss, ['loss'], {
    ...arena.tensors,
    ...inputs,
    segments: int32([whole.length, LENGTH], segmentsOf(whole.length)),
    sentenceLabels: int32([whole.length], new Int32Array(whole.length)),
    lossScale: { dtype: 'float32', shape: [], data: Float32Array.of(1 / targets) },
    sentenceScale: { dtype: 'float32', shape: [], data: Float32Array.of(0) },
  });
  const [next, order] = [
    await answers(context, setting, held, model, arena, 'next'),
    await answers(context, setting, held, model, arena, 'order'),
  ];
  return {
    loss: outputs['loss']!.data[0]!,
    probe: { next: next.probe, order: order.probe },
    own: { next: next.own, order: order.own },
  };
}

/** How well a question about held-out stories is answered. */
async function answers(
  context: ExperimentContext,
  { probed }: Setting,
  held: readonly Story[],
  model: EncoderModel,
  arena: ParameterArena,
  question: Question,
): Promise<{ readonly probe: number; readonly own: number }> {
  const own = await features(
    context,
    model,
    arena,
    labelledPairs(stories(probed, deriveSeed(context.seed, 'probed stories')), question),
  );
  const other = await features(context, model, arena, labelledPairs(held, question));
  return {
    probe: areaUnderCurve(readProbe(fitProbe(own.rows, own.labels), other.rows), other.labels),
    own: areaUnderCurve(other.answers, other.labels),
  };
}

/** Each story once with label 0, once with label 1, its partner then the next story. */
function labelledPairs(
  all: readonly Story[],
  question: Question,
): { readonly pairs: Int32Array[]; readonly labels: number[] } {
  const both = all.flatMap((one, i) => [0, 1].map((label) => pairOf(one, all[(i + 1) % all.length]!, question, label)));
  return { pairs: both, labels: both.map((_, i) => i % 2) };
}

/** Of texts without masks: the last layer's row of [CLS] and the mean of all rows, [N, 2 D], and the head's score for label 1. */
async function features(
  context: ExperimentContext,
  model: EncoderModel,
  arena: ParameterArena,
  { pairs, labels }: ReturnType<typeof labelledPairs>,
): Promise<{ readonly rows: Float32Array; readonly answers: number[]; readonly labels: readonly number[] }> {
  const trace = new Trace();
  const { outputs } = traceHead(trace.root, model, { padded: false, segments: true });
  const shape = [pairs.length, LENGTH];
  const found = await measure(context, trace.graph(outputs), ['output', 'sentenceLogits'], {
    ...arena.tensors,
    inputIds: int32(shape, Int32Array.from(pairs.flatMap((pair) => [...pair]))),
    segments: int32(shape, segmentsOf(pairs.length)),
  });
  const { data } = found['output']!;
  const logits = found['sentenceLogits']!.data;
  const width = data.length / pairs.length / LENGTH;
  const rows = new Float32Array(pairs.length * 2 * width);
  for (let n = 0; n < pairs.length; n++) {
    for (let d = 0; d < width; d++) {
      let sum = 0;
      for (let t = 0; t < LENGTH; t++) sum += data[(n * LENGTH + t) * width + d]!;
      rows[2 * n * width + d] = data[n * LENGTH * width + d]!;
      rows[(2 * n + 1) * width + d] = sum / LENGTH;
    }
  }
  return { rows, answers: pairs.map((_, n) => logits[2 * n + 1]! - logits[2 * n]!), labels };
}

const questionName: Readonly<Record<Question, Both>> = {
  next: { en: 'other story or this one', zh: '是否出自另一篇' },
  order: { en: 'swapped or in order', zh: '是否颠倒' },
};

function probeChart(results: ByKind<readonly Result[]>): Chart {
  return {
    name: 'probe',
    title: { en: 'What the frozen last layer tells about two halves', zh: '冻结的末层能看出两半之间的什么关系' },
    x: {
      label: {
        en: 'trained with 1: no question · 2: next sentence · 3: sentence order',
        zh: '训练时 1：不问 · 2：下一句 · 3：语序',
      },
      scale: 'linear',
      ticks: [1, 2, 3],
    },
    y: { label: { en: 'area under the curve', zh: 'AUC' }, scale: 'linear' },
    series: [
      ...questions.map((question) => ({
        name: questionName[question],
        points: kinds.map((kind, i) => {
          const { mean, low, high } = meanInterval(results[kind].map(({ probe }) => probe[question]));
          return { x: i + 1, y: mean, low, high };
        }),
      })),
      { name: { en: 'guessing', zh: '瞎猜' }, points: [1, 3].map((x) => ({ x, y: 0.5 })), isReference: true },
    ],
  };
}

function intervalText(values: readonly number[], digits = 3): string {
  const { mean, low, high } = meanInterval(values);
  return `${figure(mean, digits)} ± ${figure((high - low) / 2, 2)}`;
}

function resultTable(results: ByKind<readonly Result[]>): Table {
  return {
    name: 'results',
    title: { en: 'Held-out stories: mean and 95 % interval over seeds', zh: '留出的故事：各种子的平均值与 95 % 区间' },
    columns: [
      { en: 'trained with', zh: '训练时' },
      { en: 'loss of masked words', zh: '被遮词的损失' },
      ...questions.map((question) => ({
        en: `${questionName[question].en}: probe, AUC`,
        zh: `${questionName[question].zh}：探针 AUC`,
      })),
      ...questions.map((question) => ({
        en: `${questionName[question].en}: own answer, AUC`,
        zh: `${questionName[question].zh}：自己的回答 AUC`,
      })),
    ],
    rows: kinds.map((kind) => [
      nameOf[kind],
      intervalText(
        results[kind].map(({ loss }) => loss),
        4,
      ),
      ...questions.map((question) => intervalText(results[kind].map(({ probe }) => probe[question]))),
      ...questions.map((question) =>
        kind === 'none' ? '' : intervalText(results[kind].map(({ own }) => own[question])),
      ),
    ]),
  };
}

function claimsOf(results: ByKind<readonly Result[]>): Claim[] {
  const probes = (kind: Kind, question: Question): number[] => results[kind].map(({ probe }) => probe[question]);
  const owns = (kind: Kind, question: Question): number[] => results[kind].map(({ own }) => own[question]);
  const compare = (a: readonly number[], b: readonly number[]) => differenceOf(a, b);
  const learnt = meanInterval(owns('next', 'next'));
  const ordered = meanInterval(owns('order', 'order'));
  const crossed = meanInterval(owns('next', 'order'));
  const order = compare(owns('order', 'order'), owns('next', 'order'));
  const read = compare(probes('order', 'order'), probes('next', 'order'));
  const next = compare(probes('order', 'next'), probes('next', 'next'));
  const losses = questions.map((kind) =>
    compare(
      results[kind].map(({ loss }) => loss),
      results.none.map(({ loss }) => loss),
    ),
  );
  const isLearnt = learnt.low > 0.5 && ordered.low > 0.5;
  const undecided = isLearnt
    ? { en: '', zh: '' }
    : {
        en: ' Not both questions were learnt here, so this decides nothing.',
        zh: '这里两个问题没有都学会，所以无从判断。',
      };
  const range = ({ mean, low, high }: { mean: number; low: number; high: number }): string =>
    `${figure(mean)} (${figure(low)}–${figure(high)})`;
  return [
    {
      text: {
        en: 'Both questions can be learnt: the answers on held-out stories are better than guessing',
        zh: '两个问题都学得会：在留出的故事上，回答好于瞎猜',
      },
      evidence: {
        en: `AUC of the model’s own answer: next sentence ${range(learnt)}, sentence order ${range(ordered)}; guessing is 0.5.`,
        zh: `模型自己回答的 AUC：下一句 ${range(learnt)}，语序 ${range(ordered)}；瞎猜为 0.5。`,
      },
      holds: isLearnt,
    },
    {
      text: {
        en: 'A model that learnt whether two halves are of one story knows less of their order than one that learnt the order',
        zh: '学会判断两半是否同一篇的模型，对两半先后的了解不如学语序的模型',
      },
      evidence: {
        en: `AUC for order: the next-sentence model’s own answer ${range(crossed)}; sentence order minus next sentence, own answers ${differenceText(order)}, ${verdictWords[order.verdict].en}; probes ${differenceText(read)}, ${verdictWords[read.verdict].en}.${undecided.en}`,
        zh: `判断先后的 AUC：下一句模型自己的回答 ${range(crossed)}；语序减下一句，自己的回答 ${differenceText(order)}，${verdictWords[order.verdict].zh}；探针 ${differenceText(read)}，${verdictWords[read.verdict].zh}。${undecided.zh}`,
      },
      holds: isLearnt && order.verdict === 'more',
    },
    {
      text: {
        en: 'On whether two halves are of one story, sentence order is not seen to teach less than next sentence',
        zh: '就判断两半是否同一篇而言，看不出学语序比学下一句差',
      },
      evidence: {
        en: `AUC of probes for the story, sentence order minus next sentence: ${differenceText(next)}, ${verdictWords[next.verdict].en}.${undecided.en}`,
        zh: `判断是否同一篇的探针 AUC，语序减下一句：${differenceText(next)}，${verdictWords[next.verdict].zh}。${undecided.zh}`,
      },
      holds: isLearnt && next.verdict !== 'less',
    },
    {
      text: {
        en: 'A question beside it costs the prediction of masked words nothing that can be seen',
        zh: '多问一个问题，看不出会损害对被遮词的预测',
      },
      evidence: {
        en: `Loss minus that without a question: next sentence ${differenceText(losses[0]!)}, ${verdictWords[losses[0]!.verdict].en}; sentence order ${differenceText(losses[1]!)}, ${verdictWords[losses[1]!.verdict].en}.`,
        zh: `与不问相比的损失差：下一句 ${differenceText(losses[0]!)}，${verdictWords[losses[0]!.verdict].zh}；语序 ${differenceText(losses[1]!)}，${verdictWords[losses[1]!.verdict].zh}。`,
      },
      holds: losses.every(({ verdict }) => verdict !== 'more'),
    },
  ];
}

function caveatsOf({ seeds, steps, batch, width, probed }: Setting): Both[] {
  return [
    {
      en: `Two layers of width ${width}, ${steps} steps of ${batch} new stories, ${seeds.length} seeds, intervals of Student’s t. “No difference seen” says that three seeds do not show one, not that there is none.`,
      zh: `两层，宽 ${width}，${steps} 步，每步 ${batch} 篇新故事，${seeds.length} 个种子，区间按 t 分布计算。“看不出差别”是说三个种子显不出差别，不等于没有差别。`,
    },
    {
      en: `The stories are made up, so that it is known what each question can be answered by: another story has another topic in ${figure(1 - sameTopic)} of the cases, and mostly other stages; order is in the stages alone. Real text has both, less cleanly. On halves of Tang poems neither question is learnt in this time.`,
      zh: `故事是造出来的，这样才知道每个问题可以凭什么回答：另一篇故事有 ${figure(1 - sameTopic)} 的情形是另一个话题，阶段多半也不同；先后只看阶段。真实文字两样都有，但没有这样分明。换成唐诗的前后两半，这点时间里两个问题都学不会。`,
    },
    {
      en: `Probes: ridge regression on the last layer’s row of [CLS] and the mean of all rows, learnt on ${probed} stories, each as label 0 and as label 1.`,
      zh: `探针：对末层 [CLS] 行和各行平均做岭回归，用 ${probed} 篇故事学习，每篇各以标签 0 和 1 出现一次。`,
    },
    {
      en: 'A model without a question saw whole stories only; the others saw half of theirs mixed or swapped.',
      zh: '不问的模型只见过完整的故事；另外两种见到的有一半是拼接或颠倒过的。',
    },
  ];
}
