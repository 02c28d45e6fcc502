import type { ComponentChildren, JSX } from 'preact';
import { t } from '../../i18n/predict.ts';
import { t as shell } from '../../i18n/shell.ts';
import { edits } from '../../state/scene.ts';
import { directionOf } from '../../ui/direction.ts';
import { ErrorBox } from '../../ui/ErrorBox.tsx';
import { Toggle } from '../../ui/Toggle.tsx';
import type { Token } from '../../worker/contract.ts';
import { tokenDiff } from '../numbers/changes.ts';
import { isComparing, LENGTH, type Outcome, outcome } from './outcome.ts';
import { isEncoder, isTranslator } from './state.ts';

/** What the model writes under the edits beside what it wrote: what is gone is struck out, what is new underlined. */
export function OutcomePanel(): JSX.Element | null {
  if (isEncoder.value) return null;
  const hasEdits = Object.keys(edits.value).length > 0;
  const { value, error, isBusy } = outcome.value;
  return (
    <section class="predict-panel" aria-busy={isBusy}>
      <h2>{t('outcome')}</h2>
      {!hasEdits && <p class="muted small">{t('outcome.none')}</p>}
      {hasEdits && !isTranslator.value && (
        <Toggle label={t('outcome.compare')} isOn={isComparing.value} onChange={(isOn) => (isComparing.value = isOn)} />
      )}
      {error && <ErrorBox error={error} />}
      {isBusy && value === null && <p class="muted">{shell('busy')}</p>}
      {value && <Difference outcome={value} />}
    </section>
  );
}

function Difference({ outcome: { before, now } }: { readonly outcome: Outcome }): JSX.Element {
  const parts = tokenDiff(before, now);
  const isSame = parts.every(({ kind }) => kind === 'same');
  return (
    <>
      <h3 class="muted small">
        {isTranslator.value ? t('outcome.translation') : t('outcome.continuation', { count: LENGTH })}
      </h3>
      <p class="outcome-text is-before" dir={directionOf(before)}>
        <bdi class="muted small">{t('before')}</bdi>{' '}
        {parts.map(({ kind, tokens }, i) => kind !== 'new' && <Part key={i} kind={kind} tokens={tokens} />)}
      </p>
      <p class="outcome-text" dir={directionOf(now)}>
        <bdi class="muted small">{t('now')}</bdi>{' '}
        {parts.map(({ kind, tokens }, i) => kind !== 'gone' && <Part key={i} kind={kind} tokens={tokens} />)}
      </p>
      {isSame && <p class="muted small">{t('outcome.same')}</p>}
    </>
  );
}

function Part({
  kind,
  tokens,
}: {
  readonly kind: 'same' | 'gone' | 'new';
  readonly tokens: readonly Token[];
}): JSX.Element {
  const words = tokens.map(({ text }) => text).join('');
  if (kind === 'gone')
    return (
      <Marked word={t('outcome.gone')}>
        <del>{words}</del>
      </Marked>
    );
  if (kind === 'new')
    return (
      <Marked word={t('outcome.new')}>
        <ins>{words}</ins>
      </Marked>
    );
  return <span>{words}</span>;
}

/** A mark that is seen as colour and line, with its word for those who hear the text. */
function Marked({ word, children }: { readonly word: string; readonly children: ComponentChildren }): JSX.Element {
  return (
    <span>
      <span class="hidden-text"> {word}: </span>
      {children}
    </span>
  );
}
