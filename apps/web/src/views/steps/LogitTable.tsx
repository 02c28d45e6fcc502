import type { JSX } from 'preact';
import { t } from '../../i18n/steps.ts';
import { TokenText } from '../../ui/TokenText.tsx';
import type { Choice } from '../../worker/contract.ts';
import { Bar } from '../numbers/Bar.tsx';
import { formatNumber, formatPercent, formatShort } from '../numbers/formatNumber.ts';

interface Props {
  /** The likeliest first. */
  readonly choices: readonly Choice[];
  readonly before: readonly Choice[] | null;
  readonly temperature: number;
  /** The token that the text goes on with. */
  readonly standing: number | undefined;
}

/** The likeliest tokens: logit, logit over temperature, probability; and what they were without the edits. */
export function LogitTable({ choices, before, temperature, standing }: Props): JSX.Element {
  const old = new Map(before?.map((choice) => [choice.token.id, choice]));
  const isWarm = temperature !== 1;
  return (
    <div class="key-table">
      <table>
        <caption class="hidden-text">{t('probabilities')}</caption>
        <thead>
          <tr>
            <th scope="col">{t('token.column')}</th>
            <th scope="col" class="is-number">
              {t('logit')}
            </th>
            {isWarm && (
              <th scope="col" class="is-number">
                ℓ/τ, τ = {formatShort(temperature)}
              </th>
            )}
            {before && (
              <th scope="col" class="is-number is-before">
                {t('probability')}, {t('unedited')}
              </th>
            )}
            <th scope="col" class="is-number">
              {before ? `${t('probability')}, ${t('now')}` : t('probability')}
            </th>
            <td />
          </tr>
        </thead>
        <tbody>
          {choices.map(({ token, logit, probability }) => {
            const was = old.get(token.id)?.probability;
            return (
              <tr key={token.id} class={token.id === standing ? 'is-picked' : undefined}>
                <th scope="row">
                  <span class="token">
                    <TokenText text={token.text} />
                  </span>
                </th>
                <td class="is-number">{formatNumber(logit)}</td>
                {isWarm && <td class="is-number">{formatNumber(logit / temperature)}</td>}
                {before && <td class="is-number is-before">{was === undefined ? '·' : formatPercent(was)}</td>}
                <td class="is-number is-result">{formatPercent(probability)}</td>
                <td class="is-bar">
                  {before && <Bar value={was ?? 0} from={0} to={1} kind="before" />}
                  <Bar value={probability} from={0} to={1} />
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
