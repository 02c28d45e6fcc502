import type { JSX } from 'preact';
import { ExportMenu } from '../../export/ExportMenu.tsx';
import { t } from '../../i18n/predict.ts';
import { ErrorBox } from '../../ui/ErrorBox.tsx';
import { isolated } from '../../ui/isolated.ts';
import { Select } from '../../ui/Select.tsx';
import { Bar } from '../numbers/Bar.tsx';
import { formatNumber } from '../numbers/formatNumber.ts';
import { attributionExport, type NamedPart, namedParts } from './attributionParts.ts';
import {
  attribution,
  choicesFor,
  explained,
  explainedToken,
  method,
  methods,
  placeShown,
  predictions,
} from './state.ts';

/** Why this token: the method, the token that is explained, and for direct logits the bars by head. */
export function AttributionPanel(): JSX.Element {
  const token = explainedToken.value;
  const { value, error, isBusy } = attribution.value;
  const choices = predictions.value.value ? choicesFor(predictions.value.value.now, placeShown.value) : [];
  const options = [
    ...(token ? [{ value: String(token.id), text: isolated(token.text) }] : []),
    ...choices
      .filter((choice) => choice.token.id !== token?.id)
      .map((choice) => ({ value: String(choice.token.id), text: isolated(choice.token.text) })),
  ];
  return (
    <section class="predict-panel" aria-busy={isBusy}>
      <div class="panel-head">
        <h2>{t('attribution')}</h2>
        {value && <ExportMenu picture={attributionExport} />}
      </div>
      <div class="write-on-fields">
        <Select
          label={t('attribution.method')}
          value={method.value}
          options={methods.map((one) => ({ value: one, text: t(`attribution.${one}`) }))}
          onChange={(value) => (method.value = value)}
        />
        {token && method.value !== 'none' && (
          <Select
            label={t('token')}
            value={String(token.id)}
            options={options}
            onChange={(id) => (explained.value = Number(id))}
          />
        )}
      </div>
      {method.value !== 'none' && <p class="muted small">{t(`attribution.${method.value}.says`)}</p>}
      {error && <ErrorBox error={error} />}
      {value && <Parts parts={namedParts(value)} hasTotal={value.method === 'direct-logit'} />}
    </section>
  );
}

/** More than these are added up in one line. */
const MOST = 16;

/** The largest parts as bars, the others together, and of a logit the sum of all. */
function Parts({ parts, hasTotal }: { readonly parts: readonly NamedPart[]; readonly hasTotal: boolean }): JSX.Element {
  const sorted = parts.toSorted((a, b) => Math.abs(b.value) - Math.abs(a.value));
  const sum = (of: readonly NamedPart[]): number => of.reduce((total, { value }) => total + value, 0);
  const rest = sorted.slice(MOST);
  const lines = [
    ...sorted.slice(0, MOST),
    ...(rest.length > 0
      ? [{ key: 'rest', name: t('attribution.rest', { count: rest.length }), value: sum(rest) }]
      : []),
  ];
  const from = Math.min(0, ...lines.map(({ value }) => value));
  const to = Math.max(0, ...lines.map(({ value }) => value));
  return (
    <table class="choices parts">
      <caption class="hidden-text">{t('attribution.parts')}</caption>
      <thead>
        <tr>
          <th scope="col">{t('attribution.part')}</th>
          <th scope="col" class="is-number">
            {t(hasTotal ? 'attribution.logit' : 'attribution.value')}
          </th>
          <td />
        </tr>
      </thead>
      <tbody>
        {lines.map(({ key, name, value }) => (
          <tr key={key}>
            <th scope="row">{name}</th>
            <td class="is-number">{formatNumber(value)}</td>
            <td class="is-bar">
              <Bar value={value} from={from} to={to} />
            </td>
          </tr>
        ))}
        {hasTotal && (
          <tr class="is-total">
            <th scope="row">{t('attribution.logit')}</th>
            <td class="is-number">{formatNumber(sum(parts))}</td>
            <td />
          </tr>
        )}
      </tbody>
    </table>
  );
}
