import type { Signal } from '@preact/signals';
import type { JSX } from 'preact';
import { useRef } from 'preact/hooks';
import { t } from '../../i18n/predict.ts';
import { oneOfCodec } from '../../state/codecs.ts';
import { editHead, editMlp, headEdit } from '../../state/edits.ts';
import { opened } from '../../state/open.ts';
import { edits } from '../../state/scene.ts';
import { shared } from '../../state/shared.ts';
import { rove } from '../../ui/rove.ts';
import { Select } from '../../ui/Select.tsx';
import type { Place } from '../../worker/contract.ts';
import { layerOf } from '../numbers/layerOf.ts';
import { signedGround } from './shades.ts';
import { attribution, isTranslator } from './state.ts';

const hows = ['zero', 'mean'] as const;
const how: Signal<(typeof hows)[number]> = shared('predict.break', 'zero', oneOfCodec(hows));

/** All heads and MLPs of the model as a grid; a click switches one off. With direct logits the grounds are what each one adds. */
export function BreakPanel(): JSX.Element {
  const places = opened.value.card?.places ?? [];
  const columns = Math.max(...places.map(({ heads }) => heads), 0) + 1;
  const grid = useRef<HTMLDivElement>(null);
  const values = directLogits();
  return (
    <section class="predict-panel">
      <h2>{t('break')}</h2>
      <p class="muted small">{t('break.hint')}</p>
      <div class="write-on-fields">
        <Select
          label={t('break.how')}
          value={how.value}
          options={hows.map((value) => ({ value, text: t(`break.${value}`) }))}
          onChange={(value) => (how.value = value)}
        />
      </div>
      {/* biome-ignore lint/a11y/useSemanticElements: a group of buttons, no form */}
      <div
        class="break-grid"
        dir="ltr"
        role="group"
        aria-label={t('break')}
        ref={grid}
        style={{ '--heads': String(columns - 1) }}
        onKeyDown={(event) => {
          const cells = [...event.currentTarget.querySelectorAll('button')];
          const at = cells.indexOf(document.activeElement as HTMLButtonElement);
          const next = at < 0 ? null : rove(event.key, at, cells.length, columns);
          if (next === null) return;
          event.preventDefault();
          cells[next]?.focus();
        }}
      >
        {places.map((place, row) => (
          <Row key={place.path} place={place} columns={columns} isFirst={row === 0} values={values} />
        ))}
      </div>
    </section>
  );
}

interface RowProps {
  readonly place: Place;
  readonly columns: number;
  readonly isFirst: boolean;
  readonly values: ReturnType<typeof directLogits>;
}

function Row({ place, columns, isFirst, values }: RowProps): JSX.Element {
  const layer = layerOf(place.path);
  const name = t(isTranslator.value ? `place.${place.kind}` : 'place.only', { layer: place.layer });
  const isMlpOff = edits.value.mlps?.includes(layer) ?? false;
  const ground = (name: string, head: number | null): string | undefined => {
    const value = values?.of(name, head);
    return value === undefined ? undefined : signedGround(value, values!.largest);
  };
  return (
    <div class="break-row">
      <span class="break-name" title={place.path}>
        {name}
      </span>
      {Array.from({ length: columns - 1 }, (_, head) => {
        const broken = headEdit(place.path, head);
        const style = ground(place.path, head);
        const label = t('break.head', { place: name, head });
        return (
          <button
            key={head}
            type="button"
            class="break-cell"
            aria-pressed={broken !== null}
            aria-label={label}
            title={label}
            disabled={head >= place.heads}
            tabIndex={isFirst && head === 0 ? 0 : -1}
            style={broken === null && style ? { background: style } : undefined}
            onClick={() => editHead(place.path, head, broken === null ? how.value : null)}
          >
            {head}
          </button>
        );
      })}
      {/* a layer's cross-attention has the MLP of its row above */}
      <button
        type="button"
        class="break-cell is-mlp"
        aria-pressed={isMlpOff}
        aria-label={t('break.mlp', { layer })}
        title={t('break.mlp', { layer })}
        disabled={place.kind === 'cross'}
        tabIndex={-1}
        onClick={() => editMlp(layer, !isMlpOff)}
      >
        {t('break.mlpColumn')}
      </button>
    </div>
  );
}

/** What each head adds to the logit, where that is what attribution gives. */
function directLogits() {
  const found = attribution.value.value;
  if (found === null || found.parts.length === 0) return null;
  const byName = new Map(found.parts.map(({ name, head, value }) => [`${name}:${head}`, value]));
  return {
    largest: Math.max(...found.parts.filter(({ head }) => head !== null).map(({ value }) => Math.abs(value)), 0),
    of: (name: string, head: number | null) => byName.get(`${name}:${head}`),
  };
}
