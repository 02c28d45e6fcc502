import { t } from '../../i18n/train.ts';
import type { ChartSeries } from '../../ui/chart/CurveChart.tsx';
import type { RunView } from './runView.ts';

/** The losses of a run over its steps: of training, each of its terms, of validation, and what knowing frequencies alone would give. */
export function lossSeries({ steps, validations }: RunView): ChartSeries[] {
  const termNames = [...new Set(steps.flatMap(({ losses }) => Object.keys(losses ?? {})))];
  const term = (name: string): ChartSeries => ({
    name: t('loss.term', { name }),
    points: steps.flatMap(({ step, losses }) => (losses?.[name] === undefined ? [] : [{ x: step, y: losses[name] }])),
  });
  const unigram = validations.findLast(({ validation }) => validation.unigram !== undefined)?.validation.unigram;
  const last = Math.max(steps.at(-1)?.step ?? 0, validations.at(-1)?.step ?? 0);
  return [
    { name: t('loss.training'), points: steps.map(({ step, loss }) => ({ x: step, y: loss })) },
    ...(termNames.length > 1 ? termNames.map(term) : []),
    {
      name: t('loss.validation'),
      points: validations.map(({ step, validation }) => ({ x: step, y: validation.loss })),
    },
    ...(unigram === undefined
      ? []
      : [
          {
            name: t('loss.unigram'),
            points: [steps[0]?.step ?? last, last].map((x) => ({ x, y: unigram })),
            isReference: true,
          },
        ]),
  ];
}

export function scoreSeries({ validations }: RunView): ChartSeries[] {
  const names = [...new Set(validations.flatMap(({ validation }) => Object.keys(scoresOf(validation))))];
  return names.map((name) => ({
    name: name === 'bleu' ? 'BLEU' : name === 'chrf' ? 'chrF' : name,
    points: validations.flatMap(({ step, validation }) => {
      const y = scoresOf(validation)[name];
      return y === undefined ? [] : [{ x: step, y }];
    }),
  }));
}

function scoresOf({
  bleu,
  chrf,
  scores,
  accuracies,
}: RunView['validations'][number]['validation']): Readonly<Record<string, number>> {
  return { ...(bleu !== undefined && { bleu }), ...(chrf !== undefined && { chrf }), ...scores, ...accuracies };
}

/** One quantity of each logged step. */
export function stepSeries(
  { steps }: RunView,
  name: string,
  quantity: (step: RunView['steps'][number]) => number,
): ChartSeries[] {
  return [{ name, points: steps.map((step) => ({ x: step.step, y: quantity(step) })) }];
}
