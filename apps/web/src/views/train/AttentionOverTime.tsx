import { useSignal } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';
import { t } from '../../i18n/train.ts';
import { Heatmap } from '../../ui/Heatmap.tsx';
import { LabelledHeat } from '../../ui/LabelledHeat.tsx';
import { Slider } from '../../ui/Slider.tsx';
import type { WatchedMap, WatchedText } from '../../watch/events.ts';
import type { RunFeed } from './runFeed.ts';

interface Props {
  readonly feed: RunFeed;
  readonly text: WatchedText;
  readonly frames: readonly number[];
}

/** The attention of the fixed text, a map for each snapshot: a slider goes through the time of the run. */
export function AttentionOverTime({ feed, text, frames }: Props) {
  /** The step that is held; null follows the newest. */
  const held = useSignal<number | null>(null);
  const chosen = useSignal({ map: 0, head: 0 });
  const [frame, setFrame] = useState<{ readonly step: number; readonly data: Float32Array | null } | null>(null);
  const at = held.value === null ? frames.length - 1 : Math.max(0, frames.indexOf(held.value));
  const step = frames[at]!;
  useEffect(() => {
    let isCurrent = true;
    void feed.frame(step).then((data) => {
      if (isCurrent) setFrame({ step, data });
    });
    return () => {
      isCurrent = false;
    };
  }, [feed, step]);
  const map = text.maps[Math.min(chosen.value.map, text.maps.length - 1)]!;
  const head = Math.min(chosen.value.head, map.shape[0] - 1);
  const { queries, keys } = sidesOf(text, map);
  return (
    <section class="over-time">
      <h3>{t('attention.title')}</h3>
      <div class="over-time-bar">
        <Slider
          label={t('attention.time')}
          min={0}
          max={Math.max(1, frames.length - 1)}
          step={1}
          value={at}
          shown={t('at.step', { step })}
          onInput={(index) => (held.value = index >= frames.length - 1 ? null : frames[index]!)}
        />
        {held.value !== null && (
          <button type="button" class="button" data-kind="plain" onClick={() => (held.value = null)}>
            {t('attention.newest')}
          </button>
        )}
      </div>
      {frame !== null && frame.data === null && <p class="muted">{t('attention.gone')}</p>}
      {frame !== null && frame.data !== null && (
        <div class="over-time-maps">
          <LabelledHeat
            weights={frame.data}
            offset={map.offset + head * map.shape[1] * map.shape[2]}
            rows={queries}
            columns={keys}
            label={t('attention.label', { place: placeName(map), head })}
            rowsLabel={t('attention.rows')}
            columnsLabel={t('attention.columns')}
            hint={t('attention.hint')}
          />
          <div class="over-time-heads">
            {text.maps.map((one, m) => (
              // biome-ignore lint/a11y/useSemanticElements: a group of buttons, no form
              <div key={one.path} role="group" aria-label={placeName(one)}>
                <p class="muted small">{placeName(one)}</p>
                <div class="over-time-row">
                  {Array.from({ length: one.shape[0] }, (_, h) => (
                    <button
                      key={h}
                      type="button"
                      class="over-time-head"
                      aria-pressed={m === chosen.value.map && h === head}
                      onClick={() => (chosen.value = { map: m, head: h })}
                    >
                      <Heatmap
                        weights={frame.data!}
                        offset={one.offset + h * one.shape[1] * one.shape[2]}
                        rows={one.shape[1]}
                        columns={one.shape[2]}
                        label={t('attention.head', { head: h })}
                      />
                    </button>
                  ))}
                </div>
              </div>
            ))}
          </div>
        </div>
      )}
    </section>
  );
}

function placeName({ kind, layer }: WatchedMap): string {
  return t(`attention.${kind}`, { layer });
}

function sidesOf(
  { source, target }: WatchedText,
  { kind, shape }: WatchedMap,
): {
  readonly queries: readonly string[];
  readonly keys: readonly string[];
} {
  const texts = (tokens: WatchedText['source'], count: number): string[] =>
    Array.from({ length: count }, (_, i) => tokens[i]?.text ?? '');
  const isOfSource = kind === 'encoder' && source.length > 0;
  const ofSelf = isOfSource ? source : target;
  return { queries: texts(ofSelf, shape[1]), keys: texts(kind === 'cross' ? source : ofSelf, shape[2]) };
}
