import { useEffect, useRef } from 'preact/hooks';
import { t } from '../../i18n/attention.ts';
import { isSingleKey } from '../../shell/singleKey.ts';
import { editHead, headEdit } from '../../state/edits.ts';
import { head, placePath, threshold } from '../../state/scene.ts';
import { isDark } from '../../state/settings.ts';
import { drawSoon, watchShown } from '../../ui/drawSoon.ts';
import { paintHeat, rampOn } from '../../ui/heat.ts';
import { rove } from '../../ui/rove.ts';
import type { Place } from '../../worker/contract.ts';
import { arrangement, chosenHead, chosenPlace, clickSilences, type Side, scale } from './attentionState.ts';
import { type Shown, shownOf } from './shown.ts';

/** All heads of all layers of one kind, small. Arrow keys and clicks choose one. */
export function HeadGrid({ side }: { readonly side: Side }) {
  const grid = useRef<HTMLTableElement>(null);
  const chosen = chosenPlace(side.card);
  const chosenAt = chosenHead(chosen);
  const places = side.card.places.filter((place) => place.kind === chosen.kind);
  const columns = Math.max(...places.map((place) => place.heads));
  const choose = (place: Place, index: number): void => {
    placePath.value = place.path;
    head.value = index;
  };
  const focus = (place: Place, index: number): void => {
    choose(place, index);
    grid.current?.querySelector<HTMLElement>(`[data-at="${place.layer}.${index}"]`)?.focus();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const row = places.indexOf(chosen);
    const next = rove(event.key, row * columns + chosenAt, places.length * columns, columns);
    if (next !== null) focus(places[Math.floor(next / columns)]!, next % columns);
    else if (event.key === 'x' && isSingleKey(event)) silence(chosen, chosenAt);
    else return;
    event.preventDefault();
  };
  return (
    <div class="head-grid" style={{ '--heads': columns }}>
      {/* biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: a table whose cells are chosen is a grid */}
      <table role="grid" aria-label={t('grid.label')} ref={grid} onKeyDown={onKeyDown}>
        <thead>
          <tr>
            <th scope="col">
              <span class="hidden-text">{t('grid.layer')}</span>
            </th>
            {Array.from({ length: columns }, (_, index) => (
              <th key={index} scope="col">
                <span class="hidden-text">{t('grid.head', { head: index })}</span>
                <span aria-hidden="true">{index}</span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {places.map((place) => (
            <tr key={place.path}>
              <th scope="row">
                <span class="hidden-text">{t('grid.layer.n', { layer: place.layer })}</span>
                <span aria-hidden="true">{place.layer}</span>
              </th>
              {Array.from({ length: place.heads }, (_, index) => (
                <Cell
                  key={index}
                  shown={shownOf(side, place.path, arrangement.value)}
                  place={place}
                  index={index}
                  isChosen={place === chosen && index === chosenAt}
                  onClick={() => {
                    choose(place, index);
                    if (clickSilences.value) silence(place, index);
                  }}
                />
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface CellProps {
  readonly shown: Shown | null;
  readonly place: Place;
  readonly index: number;
  readonly isChosen: boolean;
  readonly onClick: () => void;
}

function Cell({ shown, place, index, isChosen, onClick }: CellProps) {
  const edit = headEdit(place.path, index);
  const name = t('head.name', { layer: place.layer, head: index });
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the grid's arrow keys choose as well
    <td
      // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: a cell of a grid
      role="gridcell"
      class="head-cell"
      data-at={`${place.layer}.${index}`}
      data-edit={edit ?? undefined}
      aria-selected={isChosen}
      aria-label={edit === null ? name : `${name}, ${t(`edit.${edit}`)}`}
      title={name}
      tabIndex={isChosen ? 0 : -1}
      onClick={onClick}
    >
      {shown && <Thumbnail shown={shown} index={index} />}
    </td>
  );
}

/** Silences a head, or lets a silenced one speak again. */
export function silence(place: Place, index: number): void {
  editHead(place.path, index, headEdit(place.path, index) === null ? 'zero' : null);
}

/** Longest side of a small picture, px. */
const SIDE = 64;

function Thumbnail({ shown, index }: { readonly shown: Shown; readonly index: number }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const isShown = useRef(false);
  const draw = useRef(() => {});
  const dark = isDark();
  const [isOwn, least] = [scale.value === 'own', threshold.value];
  draw.current = () => {
    paintHeat(canvas.current!, shown.weights(index), 0, [shown.queries.length, shown.keys.length], {
      max: isOwn ? shown.largest(index) || 1 : 1,
      ramp: rampOn(dark),
      most: SIDE,
      threshold: least,
    });
  };
  useEffect(() => {
    const element = canvas.current!;
    return watchShown(element, (now) => {
      isShown.current = now;
      if (now) drawSoon(element, () => draw.current());
    });
  }, []);
  useEffect(() => {
    if (isShown.current) drawSoon(canvas.current!, () => draw.current());
  }, [shown, index, dark, isOwn, least]);
  return <canvas ref={canvas} />;
}
