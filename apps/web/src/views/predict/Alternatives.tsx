import type { JSX } from 'preact';
import { t } from '../../i18n/predict.ts';
import { t as shell } from '../../i18n/shell.ts';
import { ErrorBox } from '../../ui/ErrorBox.tsx';
import { isolated } from '../../ui/isolated.ts';
import { ChoiceList } from '../numbers/ChoiceList.tsx';
import { changes } from '../numbers/changes.ts';
import { choicesFor, placeShown, predictions, take, target } from './state.ts';

/** The likeliest tokens for the place that is looked at; a click takes one. */
export function Alternatives(): JSX.Element {
  const { value, error, isBusy } = predictions.value;
  const at = placeShown.value;
  const standing = target.value[at];
  const now = value === null ? [] : choicesFor(value.now, at);
  const before = value?.before ? choicesFor(value.before, at) : null;
  return (
    <section class="predict-panel" aria-busy={isBusy}>
      <h2>{standing ? t('alternatives.at', { token: isolated(standing.text) }) : t('alternatives.next')}</h2>
      {error && <ErrorBox error={error} />}
      {value === null && isBusy && <p class="muted">{shell('busy')}</p>}
      {value !== null && now.length === 0 && <p class="muted">{t('alternatives.none')}</p>}
      {now.length > 0 && (
        <ChoiceList
          label={t('alternatives')}
          changes={changes(before ?? now, now)}
          isCompared={before !== null}
          words={{ token: t('token'), before: t('before'), now: before ? t('now') : t('probability') }}
          standing={standing?.id}
          onChoose={(token) => take(at, token)}
          chooseLabel={(token) => t('alternatives.choose', { token: isolated(token.text) })}
        />
      )}
    </section>
  );
}
