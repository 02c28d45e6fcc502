import { ExportMenu } from '../../export/ExportMenu.tsx';
import { t } from '../../i18n/attention.ts';
import { canCompute } from '../../state/canCompute.ts';
import { head, placePath } from '../../state/scene.ts';
import { ErrorBox } from '../../ui/ErrorBox.tsx';
import { Tabs } from '../../ui/Tabs.tsx';
import { Toggle } from '../../ui/Toggle.tsx';
import type { ModelCard, Place } from '../../worker/contract.ts';
import {
  arrangement,
  chosenHead,
  chosenPlace,
  clickSilences,
  comparison,
  likePlace,
  mainMaps,
  mainSide,
  otherSide,
  picture,
  pictures,
  type Side,
} from './attentionState.ts';
import { CompareFields, OtherPicture } from './Compare.tsx';
import { gridExport } from './exports.ts';
import { Filters } from './Filters.tsx';
import { HeadGrid } from './HeadGrid.tsx';
import { Picture } from './Picture.tsx';
import { pointers } from './pointer.ts';
import { ReadOut } from './ReadOut.tsx';
import { shownOf } from './shown.ts';
import './attention.css';

/** Where tokens look: all heads small, one large, and its numbers. */
export default function AttentionView() {
  const side = mainSide.value;
  const { error, isBusy } = mainMaps.value;
  if (side === null) {
    return error === null ? (
      <p class="muted" role="status">
        {t('busy')}
      </p>
    ) : (
      <ErrorBox error={error} />
    );
  }
  const place = chosenPlace(side.card);
  const isComparing = comparison.value !== 'off';
  const caption = isComparing ? t(comparison.value === 'edits' ? 'compare.edited' : 'compare.main') : undefined;
  return (
    <div class="attention" aria-busy={isBusy}>
      {error !== null && <ErrorBox error={error} />}
      <div class="attention-bar">
        <Kinds card={side.card} chosen={place} />
        <Tabs
          label={t('picture')}
          panel="attention-picture"
          value={picture.value}
          tabs={pictures.map((value) => ({ value, text: t(`picture.${value}`) }))}
          onChange={(value) => (picture.value = value)}
        />
        {canCompute && <CompareFields />}
      </div>
      <section class="grid-box" aria-label={t('grid.title')}>
        <header>
          <h2>{t('grid.title')}</h2>
          <ExportMenu picture={() => gridExport(allShown(side, place))} />
        </header>
        <HeadGrid side={side} />
        {canCompute && (
          <Toggle
            label={t('grid.click')}
            isOn={clickSilences.value}
            onChange={(isOn) => (clickSilences.value = isOn)}
          />
        )}
      </section>
      <Filters side={side} />
      <div
        class="attention-pictures"
        id="attention-picture"
        role="tabpanel"
        aria-labelledby={`attention-picture-tab-${picture.value}`}
        data-two={isComparing || undefined}
      >
        <Picture
          side={side}
          path={place.path}
          head={chosenHead(place)}
          pointer={pointers.main}
          {...(caption !== undefined && { caption })}
        />
        {isComparing && <OtherPicture main={side} />}
      </div>
      <aside class="attention-side">
        <Reading side={side} place={place} />
      </aside>
    </div>
  );
}

/** The numbers of the picture that is pointed at, of the main one where none is. */
function Reading({ side, place }: { readonly side: Side; readonly place: Place }) {
  const { query, key } = pointers.other.value;
  const other = comparison.value === 'off' || (query === null && key === null) ? null : otherSide.value;
  const read = other ?? side;
  const at = other === null ? place : likePlace(other.card, place);
  const shown = shownOf(read, at.path, arrangement.value);
  const head = chosenHead(at);
  return (
    <section>
      <h3>
        {t('read.title')} · {t('head.name', { layer: at.layer, head })}
      </h3>
      {shown && <ReadOut shown={shown} head={head} pointer={other === null ? pointers.main : pointers.other} />}
      <p class="muted small">{t('read.hold')}</p>
    </section>
  );
}

function Kinds({ card, chosen }: { readonly card: ModelCard; readonly chosen: Place }) {
  const kinds = [...new Set(card.places.map((place) => place.kind))];
  if (kinds.length === 1) return null;
  return (
    <Tabs
      label={t('kinds')}
      panel="attention-picture"
      value={chosen.kind}
      tabs={kinds.map((kind) => ({ value: kind, text: t(`kind.${kind}`) }))}
      onChange={(kind) => {
        const same = card.places.filter((place) => place.kind === kind);
        const next = same.find((place) => place.layer === chosen.layer) ?? same.at(-1)!;
        placePath.value = next.path;
        head.value = Math.min(head.peek(), next.heads - 1);
      }}
    />
  );
}

function allShown(side: Side, { kind }: Place) {
  return side.card.places
    .filter((place) => place.kind === kind)
    .flatMap((place) => shownOf(side, place.path, arrangement.value) ?? []);
}
