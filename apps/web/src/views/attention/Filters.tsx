import { t } from '../../i18n/attention.ts';
import { threshold } from '../../state/scene.ts';
import { Select } from '../../ui/Select.tsx';
import { Slider } from '../../ui/Slider.tsx';
import { Toggle } from '../../ui/Toggle.tsx';
import {
  allHeads,
  groupsWords,
  type Side,
  scale,
  scales,
  sentenceChoices,
  sentences,
  showsSpecials,
} from './attentionState.ts';

/** What of the attention is drawn, and how strongly. */
export function Filters({ side }: { readonly side: Side }) {
  return (
    <section class="filters">
      <h3>{t('filter.title')}</h3>
      <Slider
        label={t('filter.threshold')}
        min={0}
        max={0.5}
        step={0.01}
        value={threshold.value}
        shown={threshold.value.toFixed(2)}
        onInput={(value) => (threshold.value = value)}
      />
      {side.reading.pairStart !== null && (
        <Select
          label={t('filter.sentences')}
          value={sentences.value}
          options={sentenceChoices.map((value) => ({ value, text: t(`filter.sentences.${value}`) }))}
          onChange={(value) => (sentences.value = value)}
        />
      )}
      <Toggle label={t('filter.allHeads')} isOn={allHeads.value} onChange={(isOn) => (allHeads.value = isOn)} />
      <Toggle label={t('filter.words')} isOn={groupsWords.value} onChange={(isOn) => (groupsWords.value = isOn)} />
      <Toggle
        label={t('filter.specials')}
        isOn={showsSpecials.value}
        onChange={(isOn) => (showsSpecials.value = isOn)}
      />
      <Select
        label={t('filter.scale')}
        value={scale.value}
        options={scales.map((value) => ({ value, text: t(`filter.scale.${value}`) }))}
        onChange={(value) => (scale.value = value)}
      />
    </section>
  );
}
