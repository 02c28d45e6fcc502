import type { Signal } from '@preact/signals';
import { visibleToken } from '../../../../../src/draw/attention-map.ts';
import { t } from '../../i18n/attention.ts';
import { canCompute } from '../../state/canCompute.ts';
import { query } from '../../state/scene.ts';
import { Button } from '../../ui/Button.tsx';
import { isolated } from '../../ui/isolated.ts';
import { TokenText } from '../../ui/TokenText.tsx';
import { heldKey, type Pointer } from './pointer.ts';
import { isOut, pieceAt, type Shown, toggleHidden } from './shown.ts';

interface Props {
  readonly shown: Shown;
  readonly head: number;
  readonly pointer: Signal<Pointer>;
}

const MOST = 10;

/** The strongest weights of the token that is looked at, as numbers. */
export function ReadOut({ shown, head, pointer }: Props) {
  const now = pointer.value;
  const isNowhere = now.query === null && now.key === null;
  const row = now.query ?? (isNowhere ? pieceAt(shown.queries, query.value) : null);
  const column = now.key ?? (isNowhere ? pieceAt(shown.keys, heldKey.value) : null);
  if (row === null && column === null) return <p class="muted small">{t('read.none')}</p>;
  const weights = shown.weights(head);
  const columns = shown.keys.length;
  const isRow = row !== null;
  const others = isRow ? shown.keys : shown.queries;
  const weightOf = (other: number): number => weights[isRow ? row * columns + other : other * columns + column!] ?? 0;
  // What the mask keeps from sight has no weight at all.
  const ranked = others
    .map((piece, at) => ({ piece, at, weight: weightOf(at) }))
    .filter(({ at, weight }) => weight > 0 || at === column)
    .sort((a, b) => b.weight - a.weight);
  const strongest = ranked.slice(0, MOST);
  const rest = ranked.slice(MOST).reduce((sum, { weight }) => sum + weight, 0);
  const total = ranked.reduce((sum, { weight }) => sum + weight, 0);
  const text = (isRow ? shown.queries[row] : shown.keys[column!])?.text ?? '';
  const canHide = isRow && shown.side.isMain && canCompute;
  const isCell = isRow && column !== null;
  return (
    <div class="readout">
      <p aria-live="polite">
        {isCell ? (
          <CellText query={text} cellKey={shown.keys[column]?.text ?? ''} weight={weightOf(column)} />
        ) : (
          <strong>{t(isRow ? 'read.looks' : 'read.looked', { token: isolated(text) })}</strong>
        )}
      </p>
      <table>
        <thead class="hidden-text">
          <tr>
            <th scope="col">{t('read.key')}</th>
            <th scope="col">{t('read.weight')}</th>
            {canHide && <th scope="col">{t('read.hide')}</th>}
          </tr>
        </thead>
        <tbody>
          {strongest.map(({ piece, at, weight }) => (
            <tr key={at} data-now={at === column || undefined}>
              <th scope="row">
                <TokenText text={piece.text} />
              </th>
              <td>
                <span class="weight-bar" style={{ '--part': Math.min(1, weight) }} />
                <span class="number">{weight.toFixed(4)}</span>
              </td>
              {canHide && (
                <td>
                  <HideButton shown={shown} at={at} />
                </td>
              )}
            </tr>
          ))}
          {ranked.length > MOST && (
            <tr class="muted">
              <th scope="row">{t('read.rest', { count: ranked.length - MOST })}</th>
              <td>
                <span class="weight-bar" style={{ '--part': Math.min(1, rest) }} />
                <span class="number">{rest.toFixed(4)}</span>
              </td>
              {canHide && <td />}
            </tr>
          )}
        </tbody>
      </table>
      {isRow && <p class="muted small number">{t('read.sum', { sum: total.toFixed(4) })}</p>}
    </div>
  );
}

function CellText({
  query,
  cellKey,
  weight,
}: {
  readonly query: string;
  readonly cellKey: string;
  readonly weight: number;
}) {
  return (
    <>
      <strong>
        <TokenText text={query} />
      </strong>
      {' → '}
      <strong>
        <TokenText text={cellKey} />
      </strong>{' '}
      <span class="number">{weight === 0 ? '0' : weight.toPrecision(4)}</span>
    </>
  );
}

function HideButton({ shown, at }: { readonly shown: Shown; readonly at: number }) {
  const piece = shown.keys[at]!;
  const out = isOut(shown, piece);
  const token = visibleToken(piece.text);
  return (
    <Button
      kind="plain"
      label={t(out ? 'read.show.label' : 'read.hide.label', { token })}
      onClick={() => toggleHidden(shown, at)}
    >
      {t(out ? 'read.show' : 'read.hide')}
    </Button>
  );
}
