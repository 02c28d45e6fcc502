import type { EncoderModel } from '../models/model.ts';
import type { ParameterArena } from '../nn/parameterArena.ts';
import type { Tensors } from '../runtime/runtime.ts';
import type { Distillation } from '../train/distillationTerms.ts';
import { differenceOf, differenceText, verdictWords } from './differences.ts';
import type { Both, Chart, Claim, Experiment, ExperimentContext, Findings, Table } from './experiment.ts';
import { figure } from './figures.ts';
import { CHARACTERS, HALF_POEM, heldLoss, maskingOf, smallEncoder, trainOnHalves } from './maskedPoems.ts';
import { overSeeds } from './overSeeds.ts';
import { type Poems, readPoems } from './poems.ts';
import { meanInterval } from './statistics.ts';

/** A student that learns from a teacher's probabilities (Hinton et al. 2015; DistilBERT, Sanh et al. 2019). */
export const distillation: Experiment = {
  name: 'distillation',
  title: { en: 'Learning from a teacher’s probabilities', zh: '向教师的概率学习' },
  run,
};

/** What a student learns from. */
const kinds = ['labels', 'teacher', 'few', 'fewTeacher'] as const;
type Kind = (typeof kinds)[number];
const nameOf: Readonly<Record<Kind, Both>> = {
  labels: { en: 'labels, all poems', zh: '标签，全部诗' },
  teacher: { en: 'labels and teacher, all poems', zh: '标签加教师，全部诗' },
  few: { en: 'labels, few poems', zh: '标签，少量诗' },
  fewTeacher: { en: 'labels and teacher, few poems', zh: '标签加教师，少量诗' },
};

interface Setting {
  readonly seeds: readonly number[];
  readonly teacherSteps: number;
  readonly steps: number;
  readonly batch: number;
  readonly teacherWidth: number;
  readonly width: number;
  /** Poems where they are few. */
  readonly few: number;
  readonly held: number;
}

interface Teacher {
  readonly model: EncoderModel;
  readonly arena: ParameterArena;
  readonly loss: number;
}

async function run(context: ExperimentContext): Promise<Findings> {
  const { isQuick = false, seed } = context;
  const setting: Setting = isQuick
    ? { seeds: [seed, seed + 1], teacherSteps: 3, steps: 3, batch: 8, teacherWidth: 32, width: 16, few: 20, held: 16 }
    : {
        seeds: [seed, seed + 1, seed + 2],
        teacherSteps: 1000,
        steps: 300,
        batch: 64,
        teacherWidth: 128,
        width: 64,
        few: 500,
        held: 1008,
      };
  const poems = await readPoems(context, CHARACTERS);
  context.onProgress?.(0, 'teacher');
  const teacher = await teach(context, setting, poems);
  const [labels, taught, few, fewTaught] = await overSeeds(
    context,
    kinds,
    setting.seeds,
    (kind) => nameOf[kind].en,
    (kind, own) => learn(context, setting, poems, kind, teacher, own),
    0.4,
  );
  const losses: Readonly<Record<Kind, readonly number[]>> = {
    labels: labels!,
    teacher: taught!,
    few: few!,
    fewTeacher: fewTaught!,
  };
  return {
    experiment: 'distillation',
    seed,
    title: distillation.title,
    ...(isQuick && { isQuick }),
    charts: [lossChart(losses, teacher)],
    tables: [resultTable(losses, teacher)],
    claims: claimsOf(losses, teacher),
    caveats: caveatsOf(setting),
  };
}

function encoder(vocabSize: number, width: number, layers: number): EncoderModel {
  return smallEncoder({ family: 'bert', head: 'ForMaskedLM', vocabSize, width, layers, maxLength: HALF_POEM });
}

async function teach(context: ExperimentContext, setting: Setting, poems: Poems): Promise<Teacher> {
  const { teacherSteps: steps, teacherWidth, batch, held } = setting;
  const model = encoder(poems.vocabSize, teacherWidth, 3);
  const masking = maskingOf(poems.vocabSize);
  const { seed } = context;
  const { arena } = await trainOnHalves(context, model, {
    poems: poems.train,
    masking,
    seed,
    steps,
    batch,
    peak: 2e-3,
  });
  return { model, arena, loss: await heldLoss(context, model, arena, poems, held, masking) };
}

/** The loss on held-out poems of a student of one layer after equal steps on equal batches. */
async function learn(
  context: ExperimentContext,
  setting: Setting,
  poems: Poems,
  kind: Kind,
  teacher: Teacher,
  seed: number,
): Promise<number> {
  const { steps, batch, width, few, held } = setting;
  const model = encoder(poems.vocabSize, width, 1);
  const masking = maskingOf(poems.vocabSize);
  const { arena } = await trainOnHalves(context, model, {
    poems: kind === 'few' || kind === 'fewTeacher' ? poems.train.slice(0, few) : poems.train,
    masking,
    seed,
    steps,
    batch,
    peak: 3e-3,
    ...((kind === 'teacher' || kind === 'fewTeacher') && { teacher: lessonsOf(teacher) }),
  });
  return heldLoss(context, model, arena, poems, held, masking);
}

function lessonsOf({ model, arena }: Teacher): { readonly distillation: Distillation; readonly parameters: Tensors } {
  const weights = { labels: 0.5, soft: 0.5, hard: 0, hidden: 0, embeddings: 0 };
  return {
    distillation: { teacher: model, temperature: 2, weights, layers: null },
    parameters: Object.fromEntries(Object.entries(arena.tensors).map(([path, tensor]) => [`teacher.${path}`, tensor])),
  };
}

function lossChart(losses: Readonly<Record<Kind, readonly number[]>>, teacher: Teacher): Chart {
  const point = (kind: Kind, x: number): Chart['series'][number]['points'][number] => {
    const { mean, low, high } = meanInterval(losses[kind]);
    return { x, y: mean, low, high };
  };
  return {
    name: 'loss',
    title: { en: 'Students on held-out poems', zh: '学生模型在留出诗上的损失' },
    x: { label: { en: '1: few poems · 2: all poems', zh: '1：少量诗 · 2：全部诗' }, scale: 'linear', ticks: [1, 2] },
    y: { label: { en: 'loss, nats', zh: '损失（奈特）' }, scale: 'linear' },
    series: [
      { name: { en: 'labels', zh: '标签' }, points: [point('few', 1), point('labels', 2)] },
      { name: { en: 'labels and teacher', zh: '标签加教师' }, points: [point('fewTeacher', 1), point('teacher', 2)] },
      {
        name: { en: 'the teacher', zh: '教师' },
        points: [1, 2].map((x) => ({ x, y: teacher.loss })),
        isReference: true,
      },
    ],
  };
}

function resultTable(losses: Readonly<Record<Kind, readonly number[]>>, teacher: Teacher): Table {
  return {
    name: 'results',
    title: {
      en: 'Loss on held-out poems: mean and 95 % interval over seeds',
      zh: '留出诗上的损失：各种子的平均值与 95 % 区间',
    },
    columns: [
      { en: 'student of', zh: '学生的学习对象' },
      { en: 'loss', zh: '损失' },
    ],
    rows: [
      ...kinds.map((kind): (string | Both)[] => {
        const { mean, low, high } = meanInterval(losses[kind]);
        return [nameOf[kind], `${figure(mean, 4)} ± ${figure((high - low) / 2, 2)}`];
      }),
      [{ en: 'the teacher itself', zh: '教师本身' }, figure(teacher.loss, 4)],
    ],
  };
}

function claimsOf(losses: Readonly<Record<Kind, readonly number[]>>, teacher: Teacher): Claim[] {
  const claim = (text: Both, taught: Kind, alone: Kind): Claim => {
    const difference = differenceOf(losses[taught], losses[alone]);
    return {
      text,
      evidence: {
        en: `Loss with the teacher minus without: ${differenceText(difference)}, ${verdictWords[difference.verdict].en}.`,
        zh: `有教师减无教师的损失：${differenceText(difference)}，${verdictWords[difference.verdict].zh}。`,
      },
      holds: difference.verdict === 'less',
    };
  };
  const best = Math.min(...losses.labels);
  return [
    {
      text: { en: 'The teacher is better than its students without it', zh: '教师比没有教师的学生强' },
      evidence: {
        en: `Loss of the teacher ${figure(teacher.loss, 4)}, of the best student that had labels alone ${figure(best, 4)}.`,
        zh: `教师的损失 ${figure(teacher.loss, 4)}，只靠标签的最好的学生 ${figure(best, 4)}。`,
      },
      holds: teacher.loss < best,
    },
    claim(
      {
        en: 'In equal steps on all poems, a student learns more with the teacher’s probabilities beside the labels',
        zh: '在全部诗上步数相同时，除标签外再学教师的概率，学生学得更好',
      },
      'teacher',
      'labels',
    ),
    claim(
      {
        en: 'So it does where it has few poems: the teacher has seen all of them',
        zh: '学生只有少量诗时也是如此：教师见过全部诗',
      },
      'fewTeacher',
      'few',
    ),
  ];
}

function caveatsOf({ seeds, steps, teacherSteps, batch, width, teacherWidth, few }: Setting): Both[] {
  return [
    {
      en: `Teacher: 3 layers of width ${teacherWidth}, ${teacherSteps} steps, one for all students. Students: 1 layer of width ${width}, ${steps} steps of ${batch} half poems, half of the loss from soft targets at temperature 2; few are ${few} poems; ${seeds.length} seeds, intervals of Student’s t over differences of the same seed. What another teacher would teach is not in the intervals.`,
      zh: `教师：3 层，宽 ${teacherWidth}，${teacherSteps} 步，所有学生共用一个。学生：1 层，宽 ${width}，${steps} 步，每步 ${batch} 个半首诗，软目标（温度 2）占损失的一半；少量指 ${few} 首；${seeds.length} 个种子，区间按同种子差值的 t 分布计算，不含换一个教师带来的变化。`,
    },
    {
      en: 'Steps are equal, work is not: with a teacher each step runs the teacher as well. The losses are of the labels alone, at temperature 1.',
      zh: '步数相同，计算量不同：有教师时每步还要运行教师。表中损失只按标签计，温度为 1。',
    },
  ];
}
