import { QkvError } from '../base/errors.ts';
import {
  type ClassificationScores,
  classificationScores,
  type MultiLabelScores,
  multiLabelScores,
} from '../eval/classification.ts';
import { pearson, spearman } from '../eval/correlation.ts';
import type { LabelScores } from '../eval/precisionRecall.ts';
import type { ProblemType } from '../models/encoderHead.ts';
import type { EncoderModel, Model } from '../models/model.ts';
import { EncoderSession } from '../predict/session.ts';
import { type Classification, classify } from '../pretrained/classify.ts';
import type { EvaluationKind, Found, MetricValue } from './evaluation.ts';
import type { Example } from './example.ts';

const METRICS: Readonly<Record<ProblemType, readonly string[]>> = {
  single_label_classification: ['accuracy', 'f1', 'macro-f1', 'micro-f1', 'weighted-f1', 'matthews'],
  multi_label_classification: ['accuracy', 'macro-f1', 'micro-f1', 'weighted-f1'],
  regression: ['pearson', 'spearman'],
};

/** Texts or pairs of texts: one class each, any of the classes, or a number. Labels in the data are names of classes or their numbers. */
export const classification: EvaluationKind = {
  models: ['sequence-classification', 'next-sentence', 'pretraining'],
  metricsOf: (model) => {
    const { problem, classes } = headOf(model);
    return METRICS[problem].filter((metric) => metric !== 'f1' || classes.length === 2);
  },
  roles: { text: 'text', pair: 'pair', label: 'label' },
  optional: ['pair'],
  options: { length: [] },
  async evaluate({ runtime, model, parameters, tokenizer }, examples, { length, running }) {
    const { problem } = headOf(model);
    const wanted = examples.map((example) => SIDES[problem].wanted(example, model));
    const isOfPairs = headOf(model).name !== 'sequence-classification';
    const texts = examples.map((example) => {
      if (example.has('pair')) return [example.text('text'), example.text('pair')] as const;
      if (isOfPairs) throw example.wrong('pair', undefined, 'a second text: the model says how two follow each other');
      return example.text('text');
    });
    using session = new EncoderSession(runtime, model, parameters);
    let truncated = 0;
    const found = await classify(session, tokenizer, texts, {
      ...running,
      truncate: true,
      maxLength: length,
      onTruncate: () => truncated++,
    });
    return {
      ...SIDES[problem].compare(found, wanted, headOf(model)),
      truncated,
      settings: { length: Math.min(length ?? model.maxLength, model.maxLength) },
    };
  },
};

/** Of each problem: what a record says, and how that is compared with what the model says. */
const SIDES: {
  readonly [problem in ProblemType]: {
    wanted(example: Example, model: Model): unknown;
    compare(found: readonly Classification[], wanted: readonly unknown[], head: EncoderModel['head']): Found;
  };
} = {
  single_label_classification: {
    wanted: (example, model) => classNamed(example, 'label', example.text('label'), headOf(model).classes),
    compare: (found, wanted, { classes }) => {
      const predicted = found.map(({ scores }) => scores[0]!.label);
      const scores = classificationScores(predicted, wanted as string[], { labels: classes });
      return { metrics: metricsFrom(scores, classes), predictions: rows(predicted, wanted, found) };
    },
  },
  multi_label_classification: {
    wanted: (example, model) =>
      example.list('label', ',').map((label) => classNamed(example, 'label', label.trim(), headOf(model).classes)),
    compare: (found, wanted, { classes }) => {
      const predicted = found.map(({ scores }) => scores.filter(({ score }) => score > 0.5).map(({ label }) => label));
      const scores = multiLabelScores(predicted, wanted as string[][], { labels: classes });
      return { metrics: metricsFrom(scores, classes), predictions: rows(predicted, wanted, found) };
    },
  },
  regression: {
    wanted: (example) => example.number('label'),
    compare: (found, wanted) => {
      const predicted = found.map(({ scores }) => scores[0]!.score);
      if (found[0]!.scores.length > 1) {
        const got = `a model of ${found[0]!.scores.length} numbers`;
        throw new QkvError('usage', { where: 'evaluateModel', got, expected: 'a model of one number for each text' });
      }
      return {
        metrics: correlations(predicted, wanted as number[]),
        predictions: predicted.map((prediction, i) => ({ prediction, reference: wanted[i] })),
      };
    },
  },
};

/** Pearson's and Spearman's, as metrics. */
export function correlations(predicted: readonly number[], actual: readonly number[]): Record<string, MetricValue> {
  return {
    pearson: { score: pearson(predicted, actual) },
    spearman: { score: spearman(predicted, actual) },
  };
}

function rows(
  predicted: readonly unknown[],
  wanted: readonly unknown[],
  found: readonly Classification[],
): Record<string, unknown>[] {
  return predicted.map((prediction, i) => ({
    prediction,
    reference: wanted[i],
    probabilities: Object.fromEntries(found[i]!.scores.map(({ label, score }) => [label, score])),
  }));
}

function metricsFrom(
  scores: ClassificationScores | MultiLabelScores,
  classes: readonly string[],
): Record<string, MetricValue> {
  const byLabel = Object.fromEntries(scores.byLabel as ReadonlyMap<string, LabelScores>);
  const positive = classes[1];
  return {
    accuracy: { score: scores.accuracy },
    ...('matthews' in scores && { matthews: { score: scores.matthews } }),
    ...(classes.length === 2 && { f1: { score: byLabel[positive!]!.f1, ...byLabel[positive!], positive } }),
    'macro-f1': { score: scores.macro.f1, ...scores.macro, byLabel },
    'micro-f1': { score: scores.micro.f1, ...scores.micro },
    'weighted-f1': { score: scores.weighted.f1, ...scores.weighted },
  };
}

/** A class by its name or, where no class is called by a number, by its number from 0. @throws QkvError `data` */
export function classNamed(example: Example, role: string, label: string, classes: readonly string[]): string {
  const takesNumbers = !classes.some((name) => /^\d+$/.test(name));
  const numbered = takesNumbers && /^\d+$/.test(label) ? classes[Number(label)] : undefined;
  const found = classes.includes(label) ? label : numbered;
  if (found !== undefined) return found;
  throw example.wrong(
    role,
    label,
    `${classes.join(', ')}${takesNumbers ? `, or a number from 0 to ${classes.length - 1}` : ''}`,
  );
}

/** The head of an encoder; kinds whose models all have one ask for it. */
export function headOf(model: Model): EncoderModel['head'] {
  if (model.kind === 'encoder') return model.head;
  throw new QkvError('usage', { where: 'evaluateModel', got: `a ${model.family} model`, expected: 'an encoder' });
}
