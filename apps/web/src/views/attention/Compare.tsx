import { useSignal } from '@preact/signals';
import { useId } from 'preact/hooks';
import { t } from '../../i18n/attention.ts';
import { OpenDialog } from '../../shell/OpenDialog.tsx';
import { hasEdits } from '../../state/edits.ts';
import { edits } from '../../state/scene.ts';
import { sourceName } from '../../state/sourceCodec.ts';
import { Button } from '../../ui/Button.tsx';
import { ErrorBox } from '../../ui/ErrorBox.tsx';
import { ProgressBar } from '../../ui/ProgressBar.tsx';
import { Select } from '../../ui/Select.tsx';
import {
  chosenHead,
  chosenPlace,
  comparison,
  comparisons,
  likePlace,
  otherMaps,
  otherOpened,
  otherSide,
  otherSource,
  otherText,
  type Side,
} from './attentionState.ts';
import { Picture } from './Picture.tsx';
import { pointers } from './pointer.ts';

/** What to compare with, and the text or model where that needs one. */
export function CompareFields() {
  const isChoosing = useSignal(false);
  const id = useId();
  const now = comparison.value;
  return (
    <div class="compare-fields">
      <Select
        label={t('compare')}
        value={now}
        options={comparisons.map((value) => ({ value, text: t(`compare.${value}`) }))}
        onChange={(value) => {
          comparison.value = value;
          if (value === 'model' && otherSource.peek() === null) isChoosing.value = true;
        }}
      />
      {now === 'text' && (
        <>
          <label class="hidden-text" for={id}>
            {t('compare.text.label')}
          </label>
          <input
            id={id}
            class="field"
            dir="auto"
            placeholder={t('compare.text.label')}
            value={otherText.value}
            onInput={(event) => (otherText.value = event.currentTarget.value)}
          />
        </>
      )}
      {now === 'model' && (
        <Button onClick={() => (isChoosing.value = true)}>
          {otherSource.value === null ? t('compare.model.choose') : sourceName(otherSource.value)}
        </Button>
      )}
      {isChoosing.value && (
        <OpenDialog
          title={t('compare.model.choose')}
          onClose={() => (isChoosing.value = false)}
          onChoose={(source) => (otherSource.value = source)}
        />
      )}
    </div>
  );
}

/** The picture beside the main one. */
export function OtherPicture({ main }: { readonly main: Side }) {
  const side = otherSide.value;
  const opening = otherOpened.value;
  const now = comparison.value;
  if (now === 'model') {
    if (opening.error !== null) return <ErrorBox error={opening.error} />;
    if (opening.source === null) return <p class="muted">{t('compare.model.choose')}</p>;
    if (opening.card === null) return <ProgressBar progress={opening.progress} name={sourceName(opening.source)} />;
  }
  if (now === 'text' && otherText.value.trim() === '') return <p class="muted">{t('compare.text.empty')}</p>;
  if (otherMaps.value.error !== null) return <ErrorBox error={otherMaps.value.error} />;
  if (side === null) return <p class="muted">{t('busy')}</p>;
  const place = likePlace(side.card, chosenPlace(main.card));
  const caption = now === 'edits' ? t('compare.unedited') : now === 'text' ? short(side.input.text) : side.card.name;
  return (
    <div>
      {now === 'edits' && !hasEdits(edits.value) && <p class="muted small">{t('compare.edits.none')}</p>}
      <Picture side={side} path={place.path} head={chosenHead(place)} pointer={pointers.other} caption={caption} />
    </div>
  );
}

function short(text: string): string {
  const characters = [...text];
  return characters.length > 24 ? `${characters.slice(0, 23).join('')}…` : text;
}
