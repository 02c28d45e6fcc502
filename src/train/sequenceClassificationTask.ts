import { brief } from '../base/brief.ts';
import { QkvError } from '../base/errors.ts';
import { float32, int32 } from '../base/tensor.ts';
import { type DataRecord, fieldText, fieldValue } from '../data/records.ts';
import { classificationScores, multiLabelScores } from '../eval/classification.ts';
import { pearson, spearman } from '../eval/correlation.ts';
import type { ProblemType } from '../models/encoderHead.ts';
import { headTask } from '../predict/headTasks.ts';
import type { EncoderText } from '../predict/session.ts';
import { encodeTexts } from '../pretrained/encodeTexts.ts';
import type { ClassificationMetric, SequenceClassificationRecipe } from '../recipe/headRecipes.ts';
import type { TokenizerFiles } from '../tokenizer/tokenizerFiles.ts';
import { type HeadExample, headParts, type Predictor, type RecordParts, trainHead } from './headTask.ts';
import { LabelNames } from './labelNames.ts';
import type { StartingPoint } from './recipeModel.ts';
import type { TrainingTask } from './task.ts';

interface Example extends HeadExample {
  readonly text: string;
  /** The number of the class, those of all classes that apply, or the number itself. */
  readonly labels: readonly number[];
}

type Problem = SequenceClassificationRecipe['objective']['problem'];

const problemTypes: Readonly<Record<Problem, ProblemType>> = {
  'single-label': 'single_label_classification',
  'multi-label': 'multi_label_classification',
  regression: 'regression',
};

/** A class, classes or a number for a text or a pair (Devlin et al. 2019, section 4.1). */
export function sequenceClassificationTask(
  recipe: SequenceClassificationRecipe,
  records: RecordParts,
  files: TokenizerFiles,
  start: StartingPoint | undefined,
  predictor: Predictor,
): TrainingTask {
  const { problem, labels: given, labelSmoothing } = recipe.objective;
  const { fields } = recipe.data;
  const metric = metricOf(recipe);
  const labelsOf = (record: DataRecord): readonly string[] => labelTexts(record, recipe);
  const names = problem === 'regression' ? undefined : LabelNames.of(given, records.train.flatMap(labelsOf), start);
  const config = names?.config ?? { id2label: { 0: 'LABEL_0' }, label2id: { LABEL_0: 0 } };
  const problemType = problemTypes[problem];
  const parts = headParts(recipe, 'sequence-classification', { ...config, problem_type: problemType }, files, start);
  const { model, tokenizer, maxLength } = parts;

  const examplesOf = (part: readonly DataRecord[]): Example[] => {
    const texts = part.map((record): string | readonly [string, string] => {
      const text = fieldText(record, fields.text);
      return fields.pair === undefined ? text : [text, fieldText(record, fields.pair)];
    });
    const nameOf = (i: number): string => part[i]!.where;
    const encoded = encodeTexts(model, tokenizer.encode, texts, { truncate: true, maxLength, nameOf });
    return part.map((record, i) => {
      const { ids, segments } = encoded[i] as EncoderText;
      const labels = labelsOf(record).map((label) => names?.indexOf(label, record) ?? numberOf(label, record));
      return { texts: [{ ids, segments: segments! }], text: [texts[i]!].flat().join(' | '), labels };
    });
  };
  const train = examplesOf(records.train);
  const validation = examplesOf(records.validation);
  const test = examplesOf(records.test);
  const session = predictor(model);
  const count = names?.names.length ?? 1;
  return trainHead(parts, {
    train,
    validation,
    asked: { validation, test },
    labelSmoothing,
    labels: (examples) => ({
      labels:
        problem === 'single-label'
          ? int32(
              [examples.length],
              Int32Array.from(examples, ({ labels }) => labels[0]!),
            )
          : problem === 'regression'
            ? float32(
                [examples.length],
                Float32Array.from(examples, ({ labels }) => labels[0]!),
              )
            : float32(
                [examples.length, count],
                Float32Array.from(
                  examples.flatMap(({ labels }) => Array.from({ length: count }, (_, i) => Number(labels.includes(i)))),
                ),
              ),
    }),
    examine: async (examples) => {
      const results = await session().run(
        headTask(model),
        examples.flatMap(({ texts }) => texts),
      );
      const predicted = results.map(({ logits }) => decide(problem, [...logits!.data]));
      const scores = scoresOf(problem, predicted, examples, count);
      const shown = (numbers: readonly number[]): string =>
        numbers.map((one) => names?.names[one] ?? one.toFixed(3)).join(', ');
      return {
        score: scores[metric]!,
        scoreName: metric,
        scores,
        sentences: examples.length,
        samples: examples.slice(0, 3).map(({ text, labels }, i) => ({
          input: `${text} → `,
          output: `${shown(predicted[i]!)} (${shown(labels)})`,
        })),
      };
    },
  });
}

/** The labels of a record as texts: one, or of several labels as many as there are. */
function labelTexts(record: DataRecord, { data, objective }: SequenceClassificationRecipe): readonly string[] {
  const { label } = data.fields;
  if (objective.problem !== 'multi-label') return [fieldText(record, label)];
  const value = fieldValue(record, label);
  const list = Array.isArray(value) ? value : fieldText(record, label).split(',');
  return list.map((one) => String(one).trim()).filter((one) => one !== '');
}

function numberOf(label: string, { where }: DataRecord): number {
  const value = label.trim() === '' ? Number.NaN : Number(label);
  if (Number.isFinite(value)) return value;
  throw new QkvError('data', { where, got: `label ${brief(label)}`, expected: 'a number' });
}

const metrics: Readonly<Record<Problem, readonly ClassificationMetric[]>> = {
  'single-label': ['accuracy', 'f1', 'macro-f1', 'matthews'],
  'multi-label': ['micro-f1', 'macro-f1', 'accuracy'],
  regression: ['pearson', 'spearman'],
};

function metricOf({ objective, evaluate }: SequenceClassificationRecipe): ClassificationMetric {
  const known = metrics[objective.problem];
  const metric = evaluate.metric ?? known[0]!;
  if (known.includes(metric)) return metric;
  throw new QkvError('recipe', { where: 'evaluate.metric', got: metric, expected: `one of ${known.join(', ')}` });
}

/** The most probable class, those with a probability above one half, or the number. */
function decide(problem: Problem, logits: readonly number[]): readonly number[] {
  if (problem === 'regression') return logits;
  if (problem === 'single-label') return [logits.indexOf(Math.max(...logits))];
  return logits.flatMap((logit, i) => (logit > 0 ? [i] : []));
}

function scoresOf(
  problem: Problem,
  predicted: readonly (readonly number[])[],
  examples: readonly Example[],
  count: number,
): Readonly<Record<string, number>> {
  const actual = examples.map(({ labels }) => labels);
  const first = (lists: readonly (readonly number[])[]): number[] => lists.map(([one]) => one!);
  if (problem === 'regression') {
    return {
      pearson: pearson(first(predicted), first(actual)),
      spearman: spearman(first(predicted), first(actual)),
    };
  }
  const labels = Array.from({ length: count }, (_, i) => i);
  if (problem === 'multi-label') {
    const { accuracy, micro, macro } = multiLabelScores(predicted, actual, { labels });
    return { 'micro-f1': micro.f1, 'macro-f1': macro.f1, accuracy };
  }
  const { accuracy, matthews, macro, byLabel } = classificationScores(first(predicted), first(actual), { labels });
  return {
    accuracy,
    ...(count === 2 && { f1: byLabel.get(1)!.f1 }),
    'macro-f1': macro.f1,
    matthews,
  };
}
