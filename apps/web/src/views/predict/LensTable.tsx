import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { ExportMenu } from '../../export/ExportMenu.tsx';
import { t } from '../../i18n/predict.ts';
import { t as shell } from '../../i18n/shell.ts';
import { opened } from '../../state/open.ts';
import { Button } from '../../ui/Button.tsx';
import { ErrorBox } from '../../ui/ErrorBox.tsx';
import { isolated } from '../../ui/isolated.ts';
import { rove } from '../../ui/rove.ts';
import { Select } from '../../ui/Select.tsx';
import { TokenText } from '../../ui/TokenText.tsx';
import type { Lens } from '../../worker/contract.ts';
import { ChoiceList } from '../numbers/ChoiceList.tsx';
import { changes } from '../numbers/changes.ts';
import { formatNumber, formatPercent } from '../numbers/formatNumber.ts';
import { lensColour, lensColours } from './lensColour.ts';
import { lensExport } from './lensExport.ts';
import { shareGround } from './shades.ts';
import { lens, lensKind, lensKinds, look, placeShown, predictedFrom, target } from './state.ts';

/** Columns that are drawn at once. */
const WINDOW = 24;

/** Layers × tokens: what the output layer makes of the residual stream there. */
export function LensTable(): JSX.Element {
  const { value, error, isBusy } = lens.value;
  return (
    <section class="lens" aria-busy={isBusy}>
      <div class="lens-head">
        <h2>{t('lens')}</h2>
        {opened.value.card?.hasTunedLens && (
          <Select
            label={t('lens.kind')}
            value={lensKind.value}
            options={lensKinds.map((one) => ({ value: one, text: t(`lens.kind.${one}`) }))}
            onChange={(next) => (lensKind.value = next)}
          />
        )}
        <Select
          label={t('lens.colour')}
          value={lensColour.value}
          options={lensColours.map((one) => ({ value: one, text: t(`lens.${one}`) }))}
          onChange={(next) => (lensColour.value = next)}
        />
        {value && <ExportMenu picture={lensExport} />}
      </div>
      <p class="muted small">{t(value?.kind === 'tuned' ? 'lens.tuned.says' : 'lens.says')}</p>
      {error && <ErrorBox error={error} />}
      {value ? <Table lens={value} /> : isBusy && <p class="muted">{shell('busy')}</p>}
    </section>
  );
}

function Table({ lens: shown }: { readonly lens: Lens }): JSX.Element {
  const looked = shown.positions.indexOf(predictedFrom(placeShown.value));
  const at = useSignal<readonly [layer: number, column: number] | null>(null);
  const start = useSignal<number | null>(null);
  const count = shown.positions.length;
  const centred = Math.max(0, Math.min(count - WINDOW, (looked < 0 ? count : looked) - WINDOW / 2));
  const from = Math.max(0, Math.min(start.value ?? centred, count - 1));
  const columns = Array.from({ length: Math.min(WINDOW, count - from) }, (_, i) => from + i);
  // the last layer on top, as one reads down into the model
  const layers = shown.layers.map((_, i) => shown.layers.length - 1 - i);
  const vocabulary = Math.max(...shown.entropy.flat(), 1e-9);
  const [layer, column] = at.value ?? [shown.layers.length - 1, Math.max(0, looked)];
  const chosen = shown.choices[layer]?.[column];
  return (
    <div class="lens-body">
      <div class="lens-scroll">
        {count > WINDOW && (
          <p class="lens-window small">
            <Button isDisabled={from === 0} onClick={() => (start.value = Math.max(0, from - WINDOW))}>
              {t('lens.earlier')}
            </Button>
            <span class="muted">{t('lens.columns', { from, to: from + columns.length - 1, count })}</span>
            <Button isDisabled={from + WINDOW >= count} onClick={() => (start.value = from + WINDOW)}>
              {t('lens.later')}
            </Button>
          </p>
        )}
        <table
          onMouseLeave={() => (at.value = null)}
          onKeyDown={(event) => {
            const cells = [...event.currentTarget.querySelectorAll<HTMLElement>('tbody button')];
            const now = cells.indexOf(document.activeElement as HTMLElement);
            const next = now < 0 ? null : rove(event.key, now, cells.length, columns.length);
            if (next === null) return;
            event.preventDefault();
            cells[next]?.focus();
          }}
        >
          <caption class="hidden-text">{t('lens')}</caption>
          <thead>
            <tr>
              <th scope="col">{t('lens.layer')}</th>
              {columns.map((c) => (
                <th key={c} scope="col" class={c === looked ? 'is-looked' : undefined}>
                  <TokenText text={target.value[shown.positions[c]!]?.text ?? ''} />
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {layers.map((l) => (
              <tr key={shown.layers[l]}>
                <th scope="row">{layerName(shown.layers[l]!)}</th>
                {columns.map((c) => {
                  const best = shown.choices[l]![c]![0]!;
                  const entropy = shown.entropy[l]![c]!;
                  const share = lensColour.value === 'probability' ? best.probability : 1 - entropy / vocabulary;
                  return (
                    <td key={c}>
                      <button
                        type="button"
                        tabIndex={l === layer && c === column ? 0 : -1}
                        style={{ background: shareGround(share) }}
                        onMouseEnter={() => (at.value = [l, c])}
                        onFocus={() => (at.value = [l, c])}
                        onClick={() => look(shown.positions[c]! + (predictedFrom(1) === 1 ? 0 : 1))}
                      >
                        <span class="hidden-text">
                          {t('lens.cell', {
                            layer: layerName(shown.layers[l]!),
                            token: isolated(target.value[shown.positions[c]!]?.text ?? ''),
                          })}
                        </span>
                        <TokenText text={best.token.text} />
                        <span class="number">{formatPercent(best.probability)}</span>
                      </button>
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {chosen && (
        <div class="lens-detail">
          <h3>
            {t('lens.detail', {
              layer: layerName(shown.layers[layer]!),
              token: isolated(target.value[shown.positions[column]!]?.text ?? ''),
              entropy: formatNumber(shown.entropy[layer]![column]!),
            })}
          </h3>
          <ChoiceList
            label={t('alternatives')}
            changes={changes(chosen, chosen)}
            isCompared={false}
            words={{ token: t('token'), before: '', now: t('probability') }}
          />
        </div>
      )}
    </div>
  );
}

/** `decoder.layers.3.residualPost` is what layer 3 leaves; what comes before the first layer is the embedding. */
function layerName(stream: string): string {
  const layer = /layers\.(\d+)\.residualPost$/.exec(stream)?.[1];
  return layer === undefined ? t('lens.embedding') : t('place.only', { layer });
}
