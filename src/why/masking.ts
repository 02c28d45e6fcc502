import { deriveSeed, RandomStream } from '../base/random.ts';
import { int32 } from '../base/tensor.ts';
import type { EncoderModel } from '../models/model.ts';
import type { ParameterArena } from '../nn/parameterArena.ts';
import { Trace } from '../nn/scope.ts';
import { traceHead } from '../train/objectives.ts';
import { type Difference, differenceOf, differenceText, verdictWords } from './differences.ts';
import type { Both, Chart, Claim, Experiment, ExperimentContext, Findings, Table } from './experiment.ts';
import { figure } from './figures.ts';
import { CHARACTERS, HALF_POEM, heldLoss, maskingOf, smallEncoder, trainOnHalves } from './maskedPoems.ts';
import { measure } from './measure.ts';
import { overSeeds } from './overSeeds.ts';
import { halfPoems, type Poems, readPoems, specialIds } from './poems.ts';
import { areaUnderCurve, fitProbe, readProbe } from './probe.ts';
import { meanInterval } from './statistics.ts';

/** BERT's 80/10/10 (Devlin et al. 2019, section 3.1, appendices A.1 and C.2). */
export const masking: Experiment = {
  name: 'masking',
  title: { en: 'Why BERT does not mask every word that it asks for', zh: 'BERT 为什么不把要预测的词全换成 [MASK]' },
  run,
};

const kinds = ['mixed', 'masked'] as const;
type Kind = (typeof kinds)[number];
type ByKind<T> = Readonly<Record<Kind, T>>;
const nameOf: ByKind<Both> = {
  mixed: { en: '80/10/10', zh: '80/10/10' },
  masked: { en: '100% [MASK]', zh: '100% [MASK]' },
};
const shares: ByKind<{ readonly maskShare: number; readonly randomShare: number }> = {
  mixed: { maskShare: 0.8, randomShare: 0.1 },
  masked: { maskShare: 1, randomShare: 0 },
};

/** How the character that is asked for stands in the text, when the model is examined. */
const views = ['mask', 'itself', 'another'] as const;
type View = (typeof views)[number];
const viewName: Readonly<Record<View, Both>> = {
  mask: { en: 'as [MASK]', zh: '写作 [MASK]' },
  itself: { en: 'as itself', zh: '原样保留' },
  another: { en: 'as a wrong character', zh: '换成错字' },
};
const viewShares: Readonly<Record<View, { readonly maskShare: number; readonly randomShare: number }>> = {
  mask: { maskShare: 1, randomShare: 0 },
  itself: { maskShare: 0, randomShare: 0 },
  another: { maskShare: 0, randomShare: 1 },
};

interface Result {
  /** Mean −ln p of the right character, of held-out poems. */
  readonly losses: Readonly<Record<View, number>>;
  /** Wrong characters found by a linear reading of the frozen last layer: area under the curve. */
  readonly detection: number;
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
    : { seeds: [seed, seed + 1, seed + 2], steps: 600, batch: 64, width: 64, held: 1008 };
  const poems = await readPoems(context, CHARACTERS);
  const [mixed, masked] = await overSeeds(
    context,
    kinds,
    setting.seeds,
    (kind) => nameOf[kind].en,
    (kind, own) => learn(context, setting, poems, kind, own),
  );
  const results: ByKind<readonly Result[]> = { mixed: mixed!, masked: masked! };
  return {
    experiment: 'masking',
    seed,
    title: masking.title,
    ...(isQuick && { isQuick }),
    charts: [lossChart(results)],
    tables: [resultTable(results)],
    claims: claimsOf(results),
    caveats: caveatsOf(setting),
  };
}

/** Seeds are those of the weights, of the order of poems and of the places that are masked: the two kinds have them in common. */
async function learn(
  context: ExperimentContext,
  setting: Setting,
  poems: Poems,
  kind: Kind,
  seed: number,
): Promise<Result> {
  const { steps, batch, width } = setting;
  const { vocabSize } = poems;
  const model = smallEncoder({
    family: 'bert',
    head: 'ForMaskedLM',
    vocabSize,
    width,
    layers: 2,
    maxLength: HALF_POEM,
  });
  const { arena } = await trainOnHalves(context, model, {
    poems: poems.train,
    masking: maskingOf(vocabSize, shares[kind]),
    seed,
    steps,
    batch,
    peak: 3e-3,
  });
  const losses: Partial<Record<View, number>> = {};
  for (const view of views) {
    losses[view] = await heldLoss(context, model, arena, poems, setting.held, maskingOf(vocabSize, viewShares[view]));
  }
  return { losses: losses as Result['losses'], detection: await detection(context, setting, poems, model, arena) };
}

/** Trained on the last layer for poems of the training part, read for others. */
async function detection(
  context: ExperimentContext,
  { held }: Setting,
  poems: Poems,
  model: EncoderModel,
  arena: ParameterArena,
): Promise<number> {
  const [own, other] = [
    await features(
      context,
      model,
      arena,
      withErrors(halfPoems(poems.train, held, 0, 'probe', 0), poems.vocabSize, 'probe'),
    ),
    await features(
      context,
      model,
      arena,
      withErrors(halfPoems(poems.held, held, 0, 'held', 1), poems.vocabSize, 'held'),
    ),
  ];
  return areaUnderCurve(readProbe(fitProbe(own.rows, own.labels), other.rows), other.labels);
}

interface Corrupted {
  readonly sequences: readonly Int32Array[];
  /** 1 where a character was put in another's place, of each sequence without [CLS] and [SEP]. */
  readonly labels: readonly (readonly number[])[];
}

/** One character in ten replaced by another, random one. */
export function withErrors(sequences: readonly Int32Array[], vocabSize: number, site: string): Corrupted {
  const stream = new RandomStream(deriveSeed(0, site, 'errors'));
  const labels: number[][] = [];
  const changed = sequences.map((ids) => {
    const copy = Int32Array.from(ids);
    const own: number[] = [];
    for (let t = 1; t < copy.length - 1; t++) {
      const isWrong = stream.uniform() < 0.1;
      if (isWrong) {
        const other = specialIds.size + stream.below(vocabSize - specialIds.size - 1);
        copy[t] = other >= ids[t]! ? other + 1 : other;
      }
      own.push(Number(isWrong));
    }
    labels.push(own);
    return copy;
  });
  return { sequences: changed, labels };
}

/** The last layer's rows of all characters, [N, D], of a text in which nothing is masked. */
async function features(
  context: ExperimentContext,
  model: EncoderModel,
  arena: ParameterArena,
  { sequences, labels }: Corrupted,
): Promise<{ readonly rows: Float32Array; readonly labels: readonly number[] }> {
  const trace = new Trace();
  const { outputs } = traceHead(trace.root, model, { padded: false });
  const shape = [sequences.length, HALF_POEM];
  const inputIds = int32(shape, Int32Array.from(sequences.flatMap((ids) => [...ids])));
  const { output } = await measure(context, trace.graph(outputs), ['output'], { ...arena.tensors, inputIds });
  const width = output!.shape[2]!;
  const data = output!.data as Float32Array;
  const rows = new Float32Array(sequences.length * (HALF_POEM - 2) * width);
  for (let b = 0; b < sequences.length; b++) {
    const start = (b * HALF_POEM + 1) * width;
    rows.set(data.subarray(start, start + (HALF_POEM - 2) * width), b * (HALF_POEM - 2) * width);
  }
  return { rows, labels: labels.flat() };
}

function lossChart(results: ByKind<readonly Result[]>): Chart {
  return {
    name: 'views',
    title: {
      en: 'Loss of the right character, by how it stands in the text',
      zh: '正确字的损失：看它在文中以什么面目出现',
    },
    x: {
      label: {
        en: '1: as [MASK] · 2: as itself · 3: as a wrong character',
        zh: '1：写作 [MASK] · 2：原样保留 · 3：换成错字',
      },
      scale: 'linear',
      ticks: [1, 2, 3],
    },
    y: { label: { en: '−ln p, nats', zh: '−ln p（奈特）' }, scale: 'linear' },
    series: kinds.map((kind) => ({
      name: nameOf[kind],
      points: views.map((view, i) => {
        const { mean, low, high } = meanInterval(results[kind].map(({ losses }) => losses[view]));
        return { x: i + 1, y: mean, low, high };
      }),
    })),
  };
}

function intervalText(values: readonly number[]): string {
  const { mean, low, high } = meanInterval(values);
  return `${figure(mean)} ± ${figure((high - low) / 2, 2)}`;
}

function resultTable(results: ByKind<readonly Result[]>): Table {
  return {
    name: 'results',
    title: {
      en: 'Held-out poems: mean and 95 % interval over seeds',
      zh: '留出的诗：各种子的平均值与 95 % 区间',
    },
    columns: [
      { en: 'trained with', zh: '训练方式' },
      ...views.map((view) => ({ en: `−ln p, character ${viewName[view].en}`, zh: `−ln p，该字${viewName[view].zh}` })),
      { en: 'wrong characters found, AUC', zh: '找出错字，AUC' },
    ],
    rows: kinds.map((kind) => [
      nameOf[kind],
      ...views.map((view) => intervalText(results[kind].map(({ losses }) => losses[view]))),
      intervalText(results[kind].map(({ detection }) => detection)),
    ]),
  };
}

function claimsOf(results: ByKind<readonly Result[]>): Claim[] {
  const lossDifference = (view: View): Difference =>
    differenceOf(
      results.masked.map(({ losses }) => losses[view]),
      results.mixed.map(({ losses }) => losses[view]),
    );
  const evidence = (what: Both, difference: Difference): Both => ({
    en: `${what.en}, 100% [MASK] minus 80/10/10: ${differenceText(difference)}, ${verdictWords[difference.verdict].en}.`,
    zh: `${what.zh}，100% [MASK] 减 80/10/10：${differenceText(difference)}，${verdictWords[difference.verdict].zh}。`,
  });
  const loss = (view: View): Both => ({
    en: `−ln p of a character that stands ${viewName[view].en}`,
    zh: `${viewName[view].zh}时该字的 −ln p`,
  });
  const [mask, itself, another] = views.map(lossDifference) as [Difference, Difference, Difference];
  const found = differenceOf(
    results.masked.map(({ detection }) => detection),
    results.mixed.map(({ detection }) => detection),
  );
  return [
    {
      text: {
        en: 'On masked text, 80/10/10 costs something: the model sees fewer masks to learn from',
        zh: '在有 [MASK] 的文本上，80/10/10 要付出代价：可供学习的 [MASK] 少了',
      },
      evidence: evidence(loss('mask'), mask),
      holds: mask.verdict === 'less',
    },
    {
      text: {
        en: 'On text without masks, a model trained with [MASK] alone does not know a character that stands before its eyes; one trained with 80/10/10 does',
        zh: '在没有 [MASK] 的文本上，只用 [MASK] 训练的模型连眼前的字都认不出；用 80/10/10 训练的认得出',
      },
      evidence: evidence(loss('itself'), itself),
      holds: itself.verdict === 'more',
    },
    {
      text: {
        en: 'Where a wrong character stands, only a model that was shown some looks past it for the right one',
        zh: '遇到错字时，只有见过错字的模型才会撇开它去找正确的字',
      },
      evidence: evidence(loss('another'), another),
      holds: another.verdict === 'more',
    },
    {
      text: {
        en: 'Its representations of unmasked text are worse for a task that needs them: finding wrong characters',
        zh: '对需要它的任务（找错字），只用 [MASK] 训练的模型对无掩码文本的表示更差',
      },
      evidence: evidence(
        { en: 'AUC of a linear reading of the frozen last layer', zh: '对冻结的末层做线性读取的 AUC' },
        found,
      ),
      holds: found.verdict === 'less',
    },
  ];
}

function caveatsOf({ seeds, steps, batch, width }: Setting): Both[] {
  return [
    {
      en: `Two layers of width ${width}, ${steps} steps of ${batch} half poems, ${seeds.length} seeds, intervals of Student’s t over differences of the same seed. Small models early in training: what larger ones do after a long one may be another matter.`,
      zh: `两层，宽 ${width}，${steps} 步，每步 ${batch} 个半首诗，${seeds.length} 个种子；区间按同种子差值的 t 分布计算。模型小、训练短，大模型长时间训练后可能是另一回事。`,
    },
    {
      en: '80/10/10 has shown its model wrong characters, so finding them is near to what it was trained for. Devlin et al. (appendix C.2) found little difference after fine-tuning (MNLI 84.2 against 84.3), which takes the masks away, and some with frozen features (NER 94.9 against 94.0).',
      zh: '80/10/10 让模型见过错字，找错字本来就接近它的训练内容。Devlin 等（附录 C.2）发现：微调以后差别很小（MNLI 84.2 对 84.3），因为微调时已经没有 [MASK]；直接使用冻结特征则有差别（NER 94.9 对 94.0）。',
    },
  ];
}
