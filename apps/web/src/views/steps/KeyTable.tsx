import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { t } from '../../i18n/steps.ts';
import { Button } from '../../ui/Button.tsx';
import { TokenText } from '../../ui/TokenText.tsx';
import type { HeadSteps, Token } from '../../worker/contract.ts';
import { Bar } from '../numbers/Bar.tsx';
import { formatNumber, isForbidden } from '../numbers/formatNumber.ts';
import { keysShown } from './keysShown.ts';

/** What is worked out for each key. */
export type Quantity = 'products' | 'scaled' | 'masked' | 'weights';

interface Props {
  readonly quantity: Quantity;
  readonly steps: HeadSteps;
  readonly before: HeadSteps | null;
  readonly tokens: readonly Token[];
  /** The key that is followed through the stages. */
  readonly picked: number;
  readonly onPick: (key: number) => void;
}

/** More keys than this are shown only when asked for. */
export const FEW = 16;

/** A line for each key: what came in, and what this stage makes of it, as number and bar; and what it made without the edits. */
export function KeyTable({ quantity, steps, before, tokens, picked, onPick }: Props): JSX.Element {
  const wantsAll = useSignal(false);
  const values = steps[quantity];
  const shown = keysShown(steps.weights, picked, FEW, wantsAll.value);
  const [from, to] = axis(quantity, [values, ...(before ? [before[quantity]] : [])]);
  const incoming = inputs(quantity, steps);
  const name = t(`column.${quantity}`);
  return (
    <div class="key-table">
      <table>
        <thead>
          <tr>
            <th scope="col">{t('key')}</th>
            {incoming.map((column) => (
              <th key={column.name} scope="col" class="is-number">
                {column.name}
              </th>
            ))}
            {before && (
              <th scope="col" class="is-number is-before">
                {name}, {t('unedited')}
              </th>
            )}
            <th scope="col" class="is-number">
              {before ? `${name}, ${t('now')}` : name}
            </th>
            <td />
          </tr>
        </thead>
        <tbody>
          {shown.map((k) => (
            <tr key={k} class={k === picked ? 'is-picked' : undefined} onMouseEnter={() => onPick(k)}>
              <th scope="row">
                <button
                  type="button"
                  class="token"
                  aria-pressed={k === picked}
                  title={t('key.pick')}
                  onClick={() => onPick(k)}
                >
                  <TokenText text={tokens[k]?.text ?? ''} />
                  <sub class="muted">{k}</sub>
                </button>
              </th>
              {incoming.map((column) => (
                <td key={column.name} class="is-number">
                  {column.at(k)}
                </td>
              ))}
              {before && <td class="is-number is-before">{formatNumber(before[quantity][k]!)}</td>}
              <td class="is-number is-result">{formatNumber(values[k]!)}</td>
              <td class="is-bar">
                {before && !isForbidden(before[quantity][k]!) && (
                  <Bar value={before[quantity][k]!} from={from} to={to} kind="before" />
                )}
                {!isForbidden(values[k]!) && <Bar value={values[k]!} from={from} to={to} />}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {tokens.length > FEW && (
        <p class="key-more">
          <span class="muted">{t('keys.shown', { shown: shown.length, count: tokens.length })}</span>
          <Button kind="plain" onClick={() => (wantsAll.value = !wantsAll.value)}>
            {wantsAll.value ? t('keys.few', { count: FEW }) : t('keys.all', { count: tokens.length })}
          </Button>
        </p>
      )}
    </div>
  );
}

function inputs(
  quantity: Quantity,
  steps: HeadSteps,
): readonly { readonly name: string; readonly at: (k: number) => string }[] {
  switch (quantity) {
    case 'products':
      return [];
    case 'scaled':
      return [{ name: t('column.products'), at: (k) => formatNumber(steps.products[k]!) }];
    case 'masked':
      return [
        { name: t('column.scaled'), at: (k) => formatNumber(steps.scaled[k]!) },
        { name: t('column.mask'), at: (k) => formatNumber(steps.masked[k]! - steps.scaled[k]!) },
      ];
    case 'weights': {
      const largest = Math.max(...steps.masked);
      return [
        { name: t('column.masked'), at: (k) => formatNumber(steps.masked[k]!) },
        { name: t('column.power'), at: (k) => formatNumber(Math.exp(steps.masked[k]! - largest)) },
      ];
    }
  }
}

/** The ends of the bars' axis, 0 among them; weights go from 0 to 1. */
function axis(quantity: Quantity, all: readonly Float32Array[]): readonly [number, number] {
  if (quantity === 'weights') return [0, 1];
  const seen = all.flatMap((values) => [...values].filter((x) => !isForbidden(x)));
  return [Math.min(0, ...seen), Math.max(0, ...seen)];
}
