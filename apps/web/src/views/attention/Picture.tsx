import { type Signal, useSignal } from '@preact/signals';
import { hexColour, kindColour } from '../../../../../src/draw/colour.ts';
import { ExportMenu } from '../../export/ExportMenu.tsx';
import { t } from '../../i18n/attention.ts';
import { canCompute } from '../../state/canCompute.ts';
import { headEdit } from '../../state/edits.ts';
import { head as chosen, query, threshold } from '../../state/scene.ts';
import { isDark } from '../../state/settings.ts';
import { Button } from '../../ui/Button.tsx';
import { rampOn } from '../../ui/heat.ts';
import { Slider } from '../../ui/Slider.tsx';
import { allHeads, arrangement, picture, type Side, scale } from './attentionState.ts';
import { linesExport, mapExport } from './exports.ts';
import { HeadFacts } from './HeadFacts.tsx';
import { silence } from './HeadGrid.tsx';
import { LinesView } from './LinesView.tsx';
import { MapView } from './MapView.tsx';
import type { Pointer } from './pointer.ts';
import { pieceAt, shownOf } from './shown.ts';

interface Props {
  readonly side: Side;
  readonly path: string;
  readonly head: number;
  readonly pointer: Signal<Pointer>;
  /** Stands before the head's name where two pictures are side by side. */
  readonly caption?: string;
}

/** One attention, as lines or as a map, with its name and what can be done with it. */
export function Picture({ side, path, head, pointer, caption }: Props) {
  const canEdit = side.isMain && canCompute;
  const zoom = useSignal(0);
  const shown = shownOf(side, path, arrangement.value);
  if (shown === null) return null;
  const { place, queries, keys } = shown;
  if (queries.length === 0 || keys.length === 0) return <p class="muted">{t('nothing')}</p>;
  const isLines = picture.value === 'lines';
  const isAll = isLines && allHeads.value;
  const heads = isAll ? Array.from({ length: place.heads }, (_, index) => index) : [head];
  const edit = headEdit(place.path, head);
  const exported = () =>
    isLines ? linesExport(shown, heads, pieceAt(queries, query.value), threshold.value) : mapExport(shown, head);
  return (
    <section class="picture" aria-label={caption}>
      <header>
        <h2>
          {caption !== undefined && <span class="muted">{caption} </span>}
          {isAll ? t('head.title.all', { layer: place.layer }) : t('head.title', { layer: place.layer, head })}
          {edit !== null && canEdit && <span class="edited"> {t(`edit.${edit}`)}</span>}
        </h2>
        {!isLines && (
          <Slider
            label={t('map.zoom')}
            min={0}
            max={48}
            step={2}
            value={zoom.value}
            shown={zoom.value === 0 ? t('map.zoom.fit') : t('map.zoom.px', { size: zoom.value })}
            onInput={(value) => (zoom.value = value)}
          />
        )}
        {!isLines && <Legend max={scale.value === 'own' ? shown.largest(head) : 1} />}
        <span class="picture-tools">
          {canEdit && !isAll && (
            <Button onClick={() => silence(place, head)} isPressed={edit !== null}>
              {t(edit === null ? 'silence' : 'silence.undo')}
            </Button>
          )}
          <ExportMenu picture={exported} />
        </span>
      </header>
      {isAll && <HeadKeys heads={heads} />}
      {!isAll && (canEdit ? <HeadFacts place={place} head={head} /> : <p class="head-facts" />)}
      {isLines ? (
        <>
          <p class="axes muted small" aria-hidden="true">
            <span>{t('axis.queries')}</span>
            <span>{t('axis.keys')}</span>
          </p>
          <LinesView shown={shown} heads={heads} pointer={pointer} />
        </>
      ) : (
        <MapView shown={shown} head={head} pointer={pointer} zoom={zoom.value} />
      )}
    </section>
  );
}

/** Which colour is which head; a click shows that one alone. */
function HeadKeys({ heads }: { readonly heads: readonly number[] }) {
  const dark = isDark();
  return (
    // biome-ignore lint/a11y/useSemanticElements: a group of buttons, no form
    <div class="head-keys" role="group" aria-label={t('lines.heads')}>
      {heads.map((index) => (
        <button
          key={index}
          type="button"
          aria-label={t('grid.head', { head: index })}
          style={{ '--colour': hexColour(kindColour(index, dark ? 'dark' : 'light')) }}
          onClick={() => {
            chosen.value = index;
            allHeads.value = false;
          }}
        >
          {index}
        </button>
      ))}
    </div>
  );
}

/** The colours from 0 to the largest weight. */
function Legend({ max }: { readonly max: number }) {
  const ramp = rampOn(isDark());
  const steps = 24;
  return (
    <span class="legend small muted">
      <span class="number">0</span>
      <svg width="72" height="10" viewBox={`0 0 ${steps} 1`} preserveAspectRatio="none" aria-hidden="true">
        {Array.from({ length: steps }, (_, i) => (
          <rect key={i} x={i} width="1.05" height="1" fill={ramp.css[Math.round((i / (steps - 1)) * 255)]} />
        ))}
      </svg>
      <span class="number">{max.toFixed(2)}</span>
    </span>
  );
}
