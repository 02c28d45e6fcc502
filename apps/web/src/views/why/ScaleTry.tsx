import { useMemo, useState } from 'preact/hooks';
import { t } from '../../i18n/why.ts';
import { Button } from '../../ui/Button.tsx';
import { CurveChart } from '../../ui/chart/CurveChart.tsx';
import { valueText } from '../../ui/chart/valueText.ts';
import { ValueSlider } from '../../ui/ValueSlider.tsx';
import { drawScores, entropy, histogram, KEYS, QUERIES, softmax } from './drawScores.ts';

const widths = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];
const BINS = 61;

/** Random queries and keys of a chosen width: how q·k spreads, and what its softmax becomes, with and without the scale. */
export function ScaleTry() {
  const [width, setWidth] = useState(64);
  const [seed, setSeed] = useState(1);
  const drawn = useMemo(() => drawScores(width, seed), [width, seed]);
  const factor = 1 / Math.sqrt(width);
  const scaled = drawn.products.map((x) => x * factor);
  const end = Math.ceil(3.5 * Math.sqrt(width) + 0.5);
  const first = Array.from(drawn.products.subarray(0, KEYS));
  const weights = { raw: softmax(first), scaled: softmax(first.map((x) => x * factor)) };
  const sides = [
    { name: 'raw', mean: drawn.mean, variance: drawn.variance },
    { name: 'scaled', mean: drawn.mean * factor, variance: drawn.variance * factor ** 2 },
  ] as const;
  return (
    <>
      <p>{t('scale.what', { keys: KEYS, pairs: QUERIES * KEYS })}</p>
      <div class="why-controls">
        <ValueSlider label={t('scale.width')} values={widths} value={width} shown={String(width)} onChange={setWidth} />
        <Button onClick={() => setSeed(seed + 1)}>{t('scale.again')}</Button>
      </div>
      <div class="why-columns">
        <CurveChart
          name={`scale-histogram-${width}`}
          title={t('scale.histogram')}
          x={{ label: t('scale.value'), scale: 'linear' }}
          y={{ label: t('scale.share'), scale: 'linear' }}
          series={[
            { name: t('scale.raw'), points: histogram(drawn.products, -end, end, BINS) },
            { name: t('scale.scaled'), points: histogram(scaled, -end, end, BINS) },
          ]}
          height={200}
        />
        <div class="why-softmaxes">
          {sides.map(({ name, mean, variance }) => (
            <section key={name} data-side={name}>
              <h3>{t(`scale.softmax.${name}`)}</h3>
              <Bars weights={weights[name]} />
              <dl class="why-figures">
                <dt>{t('scale.mean')}</dt>
                <dd class="number">{valueText(mean)}</dd>
                <dt>{t('scale.variance')}</dt>
                <dd class="number">{valueText(variance)}</dd>
                <dt>{t('scale.entropy')}</dt>
                <dd class="number">
                  {valueText(entropy(weights[name]))}{' '}
                  <span class="muted">{t('scale.most', { keys: KEYS, value: Math.log(KEYS).toFixed(3) })}</span>
                </dd>
                <dt>{t('scale.largest')}</dt>
                <dd class="number">{valueText(Math.max(...weights[name]))}</dd>
              </dl>
            </section>
          ))}
        </div>
      </div>
    </>
  );
}

/** Weights as bars, one for each key. */
function Bars({ weights }: { readonly weights: readonly number[] }) {
  return (
    <ol class="why-bars">
      {weights.map((weight, i) => (
        <li key={i} title={t('scale.key', { index: i + 1, weight: valueText(weight) })}>
          <span style={{ height: `${100 * weight}%` }} />
        </li>
      ))}
    </ol>
  );
}
