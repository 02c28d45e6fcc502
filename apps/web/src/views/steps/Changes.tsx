import type { JSX } from 'preact';
import { t } from '../../i18n/steps.ts';
import {
  clearEdits,
  editCausalMask,
  editHead,
  editMlp,
  editPositions,
  editScoreFactor,
  headEdit,
} from '../../state/edits.ts';
import { act } from '../../state/history.ts';
import { opened } from '../../state/open.ts';
import { edits } from '../../state/scene.ts';
import { Button } from '../../ui/Button.tsx';
import { Slider } from '../../ui/Slider.tsx';
import { Toggle } from '../../ui/Toggle.tsx';
import type { Place } from '../../worker/contract.ts';
import { formatShort } from '../numbers/formatNumber.ts';
import { layerOf } from '../numbers/layerOf.ts';
import { headShown, setTemperature, temperature } from './state.ts';

/** Sliders move by factors: their values are exponents of 2. */
const STEP = 0.05;

/** What a person may change: everything is computed again at once. */
export function Changes({ place }: { readonly place: Place }): JSX.Element {
  const headSize = opened.value.card?.headSize ?? 1;
  const layer = layerOf(place.path);
  const factor = edits.value.scoreFactor ?? 1;
  const root = Math.sqrt(headSize);
  const isMlpOn = !(edits.value.mlps?.includes(layer) ?? false);
  const isChanged = Object.keys(edits.value).length > 0 || temperature.value !== 1;
  return (
    <section class="changes" aria-label={t('change')}>
      <h2>{t('change')}</h2>
      <p class="muted small">{t('change.hint')}</p>
      <div class="changes-toggles">
        {opened.value.card?.kind !== 'encoder' && (
          <Toggle label={t('causal')} isOn={edits.value.causalMask !== false} onChange={editCausalMask} />
        )}
        <Toggle label={t('positions')} isOn={edits.value.positions !== false} onChange={editPositions} />
        <Toggle label={t('thisMlp')} isOn={isMlpOn} onChange={(isOn) => editMlp(layer, !isOn)} />
      </div>
      <fieldset class="changes-heads">
        <legend>{t('heads.speak')}</legend>
        {Array.from({ length: place.heads }, (_, head) => (
          <Toggle
            key={head}
            label={head === headShown.value ? t('heads.this', { head }) : String(head)}
            isOn={headEdit(place.path, head) === null}
            onChange={(isOn) => editHead(place.path, head, isOn ? null : 'zero')}
          />
        ))}
      </fieldset>
      <div class="marked-slider">
        <Slider
          label={t('factor')}
          min={-4}
          max={Math.ceil(Math.log2(root)) + 2}
          step={STEP}
          value={Math.log2(factor)}
          shown={`× ${formatShort(factor)}`}
          onInput={(exponent) => editScoreFactor(Math.abs(exponent) < STEP / 2 ? 1 : 2 ** exponent)}
        />
        <div class="marks">
          <Button kind="plain" isPressed={factor === 1} onClick={() => editScoreFactor(1)}>
            {t('factor.plain')}
          </Button>
          <Button kind="plain" isPressed={factor === root} onClick={() => editScoreFactor(root)}>
            {t('factor.root', { root: formatShort(root) })}
          </Button>
        </div>
      </div>
      <div class="marked-slider">
        <Slider
          label={t('temperature')}
          min={-4}
          max={3}
          step={STEP}
          value={Math.log2(temperature.value)}
          shown={formatShort(temperature.value)}
          onInput={(exponent) => setTemperature(Math.abs(exponent) < STEP / 2 ? 1 : 2 ** exponent)}
        />
        <div class="marks">
          <Button kind="plain" isPressed={temperature.value === 1} onClick={() => setTemperature(1)}>
            {t('temperature.plain')}
          </Button>
        </div>
      </div>
      <Button
        isDisabled={!isChanged}
        onClick={() =>
          act(() => {
            clearEdits();
            temperature.value = 1;
          })
        }
      >
        {t('reset')}
      </Button>
    </section>
  );
}
