import type { JSX } from 'preact';
import { t } from '../../i18n/predict.ts';
import { Button } from '../../ui/Button.tsx';
import { ErrorBox } from '../../ui/ErrorBox.tsx';
import { Slider } from '../../ui/Slider.tsx';
import { formatShort } from '../numbers/formatNumber.ts';
import { NumberField } from './NumberField.tsx';
import { count, hasEnded, isTranslator, placeShown, seed, target, temperature, topK } from './state.ts';
import { stopWriting, writeOn, writing, writingError } from './writing.ts';

/** Lets the model write: how many tokens, and how they are drawn. */
export function WriteOn(): JSX.Element {
  const at = placeShown.value;
  const from = Math.max(1, Math.min(at, target.value.length));
  const isAtEnd = hasEnded.value && at >= target.value.length - 1;
  const now = writing.value;
  return (
    <section class="predict-panel write-on">
      <h2>{t('generate')}</h2>
      <div class="write-on-fields">
        <Slider
          label={t('generate.temperature')}
          min={0}
          max={2}
          step={0.05}
          value={temperature.value}
          shown={temperature.value === 0 ? t('generate.greedy') : formatShort(temperature.value)}
          onInput={(value) => (temperature.value = value)}
        />
        <NumberField
          label={t('generate.topK')}
          value={topK.value}
          min={0}
          max={100_000}
          onChange={(value) => (topK.value = value)}
          note={topK.value === 0 ? t('generate.all') : ''}
        />
        <NumberField
          label={t('generate.seed')}
          value={seed.value}
          min={0}
          max={0xffff_ffff}
          onChange={(value) => (seed.value = value)}
        />
        <NumberField
          label={t('generate.count')}
          value={count.value}
          min={1}
          max={512}
          onChange={(value) => (count.value = value)}
        />
      </div>
      <div class="write-on-buttons">
        {now === null ? (
          <Button kind="main" isDisabled={target.value.length === 0} onClick={() => void writeOn(from)}>
            {t(isTranslator.value ? 'generate.again' : 'generate.go')}
          </Button>
        ) : (
          <Button isDisabled={now.isStopped} onClick={() => void stopWriting()}>
            {t('generate.stop')}
          </Button>
        )}
        {isAtEnd && <span class="muted small">{t('generate.ended')}</span>}
      </div>
      {now !== null && (
        <p class="written" role="status" dir="auto">
          {now.text}
        </p>
      )}
      {writingError.value && <ErrorBox error={writingError.value} />}
    </section>
  );
}
