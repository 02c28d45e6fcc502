import type { JSX } from 'preact';
import { t } from '../../i18n/steps.ts';
import { isolated } from '../../ui/isolated.ts';
import type { HeadSteps, Token } from '../../worker/contract.ts';
import { formatNumber } from '../numbers/formatNumber.ts';
import type { Quantity } from './KeyTable.tsx';
import { row } from './stages.ts';

interface Props {
  readonly quantity: Quantity;
  readonly steps: HeadSteps;
  readonly tokens: readonly Token[];
  readonly picked: number;
}

/** Terms of a long sum that are written out. */
const TERMS = 4;

/** The formula of a stage with the numbers of the key that is followed. */
export function InNumbers({ quantity, steps, tokens, picked }: Props): JSX.Element {
  return (
    <p class="in-numbers">
      <span class="muted">{t('with.number', { token: isolated(tokens[picked]?.text ?? '') })}</span>{' '}
      <span class="number" dir="ltr">
        {written(quantity, steps, picked)}
      </span>
    </p>
  );
}

function written(quantity: Quantity, steps: HeadSteps, k: number): string {
  const { query, keys, headSize, scale, products, scaled, masked, weights } = steps;
  const result = formatNumber(steps[quantity][k]!);
  switch (quantity) {
    case 'products': {
      const key = row(keys, k, headSize);
      const terms = Array.from(query.subarray(0, TERMS), (x, i) => `${bracketed(x)}·${bracketed(key[i]!)}`);
      return `${terms.join(' + ')}${headSize > TERMS ? ' + …' : ''} = ${result}`;
    }
    case 'scaled':
      return Math.abs(scale * Math.sqrt(headSize) - 1) < 1e-5
        ? `${formatNumber(products[k]!)} ÷ √${headSize} = ${result}`
        : `${formatNumber(scale)} × ${bracketed(products[k]!)} = ${result}`;
    case 'masked':
      return `${formatNumber(scaled[k]!)} + ${bracketed(masked[k]! - scaled[k]!)} = ${result}`;
    case 'weights': {
      const largest = Math.max(...masked);
      const sum = masked.reduce((total, m) => total + Math.exp(m - largest), 0);
      return `${formatNumber(Math.exp(masked[k]! - largest))} ÷ ${formatNumber(sum)} = ${formatNumber(weights[k]!)}`;
    }
  }
}

function bracketed(x: number): string {
  const text = formatNumber(x);
  return text.startsWith('−') ? `(${text})` : text;
}
