import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { ExportMenu } from '../../export/ExportMenu.tsx';
import { t as shell } from '../../i18n/shell.ts';
import { t } from '../../i18n/steps.ts';
import { opened } from '../../state/open.ts';
import { head, placePath, query } from '../../state/scene.ts';
import { ErrorBox } from '../../ui/ErrorBox.tsx';
import { Select } from '../../ui/Select.tsx';
import { TokenRow } from '../../ui/TokenRow.tsx';
import type { Place } from '../../worker/contract.ts';
import { Changes } from './Changes.tsx';
import { followScrolling, onStageKey } from './goTo.ts';
import { StageNav } from './StageNav.tsx';
import { Stages } from './Stages.tsx';
import { answer, headShown, place, position, queryTokens, show, sides, stages } from './state.ts';
import { stepsExport } from './stepsExport.ts';
import './steps.css';

/** One token's way through one head and its layer, with the real numbers beside each formula. */
export default function StepsView(): JSX.Element {
  useEffect(() => {
    addEventListener('keydown', onStageKey);
    return () => removeEventListener('keydown', onStageKey);
  }, []);
  const shown = answer.value;
  const isReady = shown.value !== null;
  const all = stages.value.join();
  useEffect(() => (isReady && show.value === 'all' ? followScrolling() : undefined), [isReady, show.value, all]);
  const at = place.value;
  if (at === null) return <p class="muted">{shell('input.empty')}</p>;
  return (
    <div class="steps" aria-busy={shown.isBusy}>
      <aside class="steps-side">
        <Where place={at} />
        <StageNav />
        <Changes place={at} />
      </aside>
      <div class="steps-main">
        <div class="steps-title">
          <h2>{t('title')}</h2>
          <ExportMenu picture={stepsExport} />
        </div>
        {shown.error && <ErrorBox error={shown.error} />}
        {shown.value ? <Stages answer={shown.value} /> : shown.isBusy && <p class="muted">{shell('busy')}</p>}
      </div>
    </div>
  );
}

function Where({ place: at }: { readonly place: Place }): JSX.Element {
  const places = opened.value.card?.places ?? [];
  const heads = Array.from({ length: at.heads }, (_, i) => String(i));
  const isTranslator = opened.value.card?.kind === 'encoder-decoder';
  return (
    <section class="steps-where" aria-label={t('where')}>
      <div class="steps-picks">
        <Select
          label={t('place')}
          value={at.path}
          options={places.map((one) => ({ value: one.path, text: placeName(one, isTranslator) }))}
          onChange={(path) => {
            placePath.value = path;
            query.value = null;
          }}
        />
        <Select
          label={t('head')}
          value={String(headShown.value)}
          options={heads.map((value) => ({ value, text: value }))}
          onChange={(value) => (head.value = Number(value))}
        />
      </div>
      <p class="muted small">{t(isTranslator ? `token.${sides.value.queries}` : 'token')}</p>
      <TokenRow
        label={t(isTranslator ? `token.${sides.value.queries}` : 'token')}
        tokens={queryTokens.value}
        chosen={position.value}
        onChoose={(index) => (query.value = index)}
      />
    </section>
  );
}

function placeName({ kind, layer }: Place, isTranslator: boolean): string {
  return isTranslator ? t(`place.${kind}`, { layer }) : t('place.only', { layer });
}
