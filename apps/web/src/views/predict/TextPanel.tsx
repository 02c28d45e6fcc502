import { type ReadonlySignal, type Signal, useComputed } from '@preact/signals';
import type { JSX } from 'preact';
import { t } from '../../i18n/predict.ts';
import { hideToken, isHidden } from '../../state/edits.ts';
import { opened } from '../../state/open.ts';
import { Button } from '../../ui/Button.tsx';
import { isolated } from '../../ui/isolated.ts';
import { Select } from '../../ui/Select.tsx';
import { TokenRow } from '../../ui/TokenRow.tsx';
import type { Token } from '../../worker/contract.ts';
import { formatNumber } from '../numbers/formatNumber.ts';
import { alignedShares } from './alignment.ts';
import { lossLine, MOST_LOSS, shareGround, signedGround } from './shades.ts';
import {
  attribution,
  explainedToken,
  hasEnded,
  ids,
  isEncoder,
  isTranslator,
  look,
  lossOf,
  mode,
  modeShown,
  modes,
  placeShown,
  predictions,
  restore,
  source,
  target,
  toggleMask,
} from './state.ts';

interface Props {
  /** The target token that is pointed at. */
  readonly pointed: Signal<number | null>;
}

/** The tokens, with each one's loss as a line below it, and attribution or alignment as their ground. */
export function TextPanel({ pointed }: Props): JSX.Element {
  const card = opened.value.card;
  const words = target.value;
  const open = !isEncoder.value && !hasEnded.value && words.length > 0;
  const row = open ? [...words, NEXT] : words;
  const losses = useComputed(() => {
    const from = predictions.value.value?.now;
    return words.map((_, i) => (from ? lossOf(from, i) : null));
  });
  const grounds = useGrounds();
  const choose = (side: 'source' | 'target', index: number): void => {
    if (modeShown.value === 'hide' && index < (side === 'source' ? source.value : words).length) {
      hideToken(side, index, !isHidden(side, index));
    } else if (side === 'target' && modeShown.value === 'mask') toggleMask(index);
    else if (side === 'target') look(index);
  };
  const aligned = isTranslator.value ? alignedShares(pointed.value ?? placeShown.value) : null;
  return (
    <section class="predict-text" aria-label={t('text')}>
      <div class="predict-modes">
        <Select
          label={t('mode')}
          value={modeShown.value}
          options={modes
            .filter((one) => one !== 'mask' || card?.maskId != null)
            .map((value) => ({ value, text: t(`mode.${value}`) }))}
          onChange={(value) => (mode.value = value)}
        />
        {ids.value !== null && (
          <>
            <span class="edited-note">{t('branch')}</span>
            <Button kind="plain" onClick={restore}>
              {t('restore')}
            </Button>
          </>
        )}
      </div>
      {isTranslator.value && (
        <>
          <h2>{t('source')}</h2>
          <TokenRow
            label={t('source')}
            tokens={source.value}
            chosen={null}
            onChoose={(index) => choose('source', index)}
            isHidden={(index) => isHidden('source', index)}
            shade={(index) => {
              const value = pointed.value === null ? grounds.value?.source[index] : undefined;
              if (value !== undefined)
                return { background: signedGround(value, grounds.value!.largest), color: 'var(--ink)' };
              if (aligned) return { background: shareGround(aligned[index] ?? 0), color: 'var(--ink)' };
              return undefined;
            }}
            describe={(index) => (isHidden('source', index) ? t('hidden') : aligned ? percent(aligned[index]) : '')}
          />
          <h2>{t('target')}</h2>
        </>
      )}
      <TokenRow
        label={t(isTranslator.value ? 'target' : 'text')}
        tokens={row}
        chosen={placeShown.value}
        onChoose={(index) => choose('target', index)}
        onHover={(index) => (pointed.value = index)}
        isHidden={(index) => index < words.length && isHidden('target', index)}
        shade={(index) => {
          const value = grounds.value?.target[index];
          const ground = value === undefined ? 'transparent' : signedGround(value, grounds.value!.largest);
          const line = lossLine(losses.value[index] ?? null);
          return { background: line === 'none' ? ground : `${line}, ${ground}`, color: 'var(--ink)' };
        }}
        describe={(index) => description(row[index], index, losses)}
      />
      <p class="muted small">
        {t('loss.legend', { most: MOST_LOSS })} <span class="loss-scale" /> {t('loss.surprise')}
      </p>
      {grounds.value && explainedToken.value && (
        <p class="muted small">{t('shade.legend', { token: isolated(explainedToken.value.text) })}</p>
      )}
    </section>
  );
}

/** Stands for the token that is not there yet. */
const NEXT: Token = { id: -1, text: '…', word: -1, isSpecial: true };

function description(
  token: Token | undefined,
  index: number,
  losses: ReadonlySignal<readonly (number | null)[]>,
): string {
  if (token === NEXT) return t('next');
  if (isHidden('target', index)) return t('hidden');
  if (token !== undefined && token.id === opened.value.card?.maskId) return t('masked');
  const loss = losses.value[index];
  return loss === null || loss === undefined ? '' : t('loss', { loss: formatNumber(loss) });
}

function percent(share: number | undefined): string {
  return share === undefined ? '' : `${Math.round(100 * share)}%`;
}

/** What attribution gives to each token; null where it is off, or speaks of heads. */
function useGrounds() {
  return useComputed(() => {
    const found = attribution.value.value;
    if (found === null || found.method === 'direct-logit') return null;
    const largest = Math.max(0, ...found.source.map(Math.abs), ...found.target.map(Math.abs));
    return { source: found.source, target: found.target, largest };
  });
}
