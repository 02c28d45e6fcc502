import { t } from '../../i18n/train.ts';
import { CurveChart } from '../../ui/chart/CurveChart.tsx';
import { valueText } from '../../ui/chart/valueText.ts';
import { AttentionOverTime } from './AttentionOverTime.tsx';
import { lossSeries, scoreSeries, stepSeries } from './curvesOf.ts';
import type { RunFeed } from './runFeed.ts';
import type { RunView } from './runView.ts';

/** A run as it goes: figures, curves, what it writes, where it looks. */
export function RunPanels({ feed }: { readonly feed: RunFeed }) {
  const view = feed.view.value;
  const { run, steps, validations, frames } = view;
  if (run === null) return null;
  const x = { label: t('step'), scale: 'linear' } as const;
  const small = (
    name: string,
    title: string,
    series: ReturnType<typeof stepSeries>,
    scale: 'linear' | 'log' = 'linear',
  ) => (
    <CurveChart
      name={`${run.name}-${name}`}
      title={title}
      x={x}
      y={{ label: '', scale }}
      series={series}
      height={120}
      isSmall
    />
  );
  const scores = scoreSeries(view);
  return (
    <div class="run">
      <Figures view={view} />
      <CurveChart
        name={`${run.name}-loss`}
        title={t('loss.title')}
        x={x}
        y={{ label: t('loss.unit'), scale: 'linear' }}
        series={lossSeries(view)}
      />
      <div class="run-columns">
        {run.text && frames.length > 0 && <AttentionOverTime feed={feed} text={run.text} frames={frames} />}
        <Samples validations={validations} />
      </div>
      {steps.length > 0 && (
        <div class="run-small">
          {small(
            'learning-rate',
            t('rate.title'),
            stepSeries(view, t('rate.title'), ({ learningRate }) => learningRate),
          )}
          {small(
            'gradient-norm',
            t('norm.title'),
            stepSeries(view, t('norm.title'), ({ gradientNorm }) => gradientNorm),
            'log',
          )}
          {small(
            'speed',
            t('speed.title'),
            stepSeries(view, t('speed.title'), ({ tokensPerSecond }) => tokensPerSecond),
          )}
          {scores.length > 0 && small('score', t('score.title'), scores)}
        </div>
      )}
      {view.notices.length > 0 && (
        <section class="small">
          <h3>{t('notices')}</h3>
          <ul lang="en">
            {view.notices.map((text) => (
              <li key={text}>
                <bdi>{text}</bdi>
              </li>
            ))}
          </ul>
        </section>
      )}
    </div>
  );
}

function Figures({ view: { run, now, validations, saved, end } }: { readonly view: RunView }) {
  const validation = validations.at(-1)?.validation;
  const planned = now?.steps ?? run!.steps;
  const step = now?.step ?? run!.step;
  const figures: (readonly [string, string])[] = [
    [t('step'), planned === undefined ? valueText(step) : t('step.of', { step, steps: planned })],
    ...(now ? [[t('loss.training'), valueText(now.loss)] as const] : []),
    ...(validation ? [[t('loss.validation'), valueText(validation.loss)] as const] : []),
    ...(validation?.perplexity !== undefined ? [[t('perplexity'), valueText(validation.perplexity)] as const] : []),
    ...(now ? [[t('speed'), t('speed.value', { count: Math.round(now.tokensPerSecond) })] as const] : []),
    ...(now?.secondsLeft !== undefined && end === null
      ? [[t('left'), t('left.value', { seconds: Math.round(now.secondsLeft) })] as const]
      : []),
    ...(saved === null ? [] : [[t('saved'), t('at.step', { step: saved })] as const]),
    ...(run!.parameters !== undefined ? [[t('parameters'), t('count', { count: run!.parameters })] as const] : []),
    ...(run!.vocabulary !== undefined ? [[t('vocabulary'), t('count', { count: run!.vocabulary })] as const] : []),
  ];
  return (
    <dl class="run-figures">
      {figures.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd class="number">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Samples({ validations }: { readonly validations: RunView['validations'] }) {
  const written = validations
    .filter(({ samples }) => samples.length > 0)
    .slice(-2)
    .reverse();
  return (
    <section class="run-samples">
      <h3>{t('samples')}</h3>
      {written.length === 0 && <p class="muted">{t('samples.none')}</p>}
      {written.map(({ step, samples }) => (
        <article key={step}>
          <p class="muted small">{t('at.step', { step })}</p>
          {samples.map(({ input, output, reference }, i) => (
            <div key={i} class="run-sample">
              {reference !== undefined && (
                <p class="muted" dir="auto">
                  {input}
                </p>
              )}
              <p dir="auto" class="run-output">
                {reference === undefined && <span class="muted">{input}</span>}
                {output}
              </p>
              {reference !== undefined && (
                <p class="muted small" dir="auto">
                  {t('samples.reference', { text: reference })}
                </p>
              )}
            </div>
          ))}
        </article>
      ))}
    </section>
  );
}
