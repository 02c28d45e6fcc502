import { type Signal, useSignal, useSignalEffect } from '@preact/signals';
import { useMemo, useRef } from 'preact/hooks';
import { visibleToken } from '../../../../../src/draw/attention-map.ts';
import { t } from '../../i18n/attention.ts';
import { isSingleKey } from '../../shell/singleKey.ts';
import { query, threshold } from '../../state/scene.ts';
import { isDark } from '../../state/settings.ts';
import { paintHeat, rampOn } from '../../ui/heat.ts';
import { palette } from '../../ui/palette.ts';
import { useCanvas } from '../../ui/useCanvas.ts';
import { scale } from './attentionState.ts';
import { drawMap } from './drawMap.ts';
import { mapGeometry } from './mapGeometry.ts';
import { nowhere, type Pointer } from './pointer.ts';
import { isOut, pieceAt, type Shown, toggleHidden } from './shown.ts';

interface Props {
  readonly shown: Shown;
  readonly head: number;
  readonly pointer: Signal<Pointer>;
  readonly zoom: number;
}

/** One head's weights as a map: rows look at columns. Only what is on the screen is drawn. */
export function MapView({ shown, head, pointer, zoom }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const room = useSignal({ width: 600, height: 480 });
  const dark = isDark();
  const least = threshold.value;
  const weights = shown.weights(head);
  const max = scale.value === 'own' ? shown.largest(head) || 1 : 1;
  const [rows, columns] = [shown.queries.length, shown.keys.length];
  const colours = palette();
  const heat = useMemo(() => {
    const made = document.createElement('canvas');
    paintHeat(made, weights, 0, [rows, columns], { max, ramp: rampOn(dark), threshold: least });
    return made;
  }, [weights, rows, columns, max, dark, least]);
  const longest = useMemo(() => longestWords(shown, colours.sans), [shown.queries, shown.keys]);
  const geometry = mapGeometry(rows, columns, zoom, room.value, longest);
  const held = pieceAt(shown.queries, query.value);

  const { canvas, redraw } = useCanvas((context, width, height) => {
    const scrolled = { x: box.current?.scrollLeft ?? 0, y: box.current?.scrollTop ?? 0 };
    drawMap(context, {
      width,
      height,
      geometry,
      scrolled,
      heat,
      shown,
      weights,
      max,
      dark,
      colours,
      held,
      pointer: pointer.peek(),
      isKeyHidden: (column) => isOut(shown, shown.keys[column]!),
    });
    // The box tells its size only once it is on the screen.
    const { clientWidth, clientHeight } = box.current!;
    if (clientWidth !== room.peek().width || clientHeight !== room.peek().height) {
      room.value = { width: clientWidth, height: clientHeight };
    }
  });
  useSignalEffect(() => {
    void pointer.value;
    redraw();
  });

  const cellAt = (event: MouseEvent): Pointer => {
    const { left, top } = box.current!.getBoundingClientRect();
    const x = event.clientX - left + box.current!.scrollLeft;
    const y = event.clientY - top + box.current!.scrollTop;
    const row = Math.floor((y - geometry.top) / geometry.cell);
    const column = Math.floor((x - geometry.left) / geometry.cell);
    const isInside = row >= 0 && row < rows && column >= -1 && column < columns;
    return isInside ? { query: row, key: column < 0 ? null : column } : nowhere;
  };
  const toggleHeld = (row: number): void => {
    const position = shown.queries[row]!.positions.at(-1)!;
    query.value = query.value === position ? null : position;
  };
  const show = ({ query: row, key: column }: Pointer): void => {
    const { cell, left, top } = geometry;
    const element = box.current!;
    const [x, y] = [(column ?? 0) * cell, (row ?? 0) * cell];
    if (x < element.scrollLeft) element.scrollLeft = x;
    else if (x + cell + left > element.scrollLeft + element.clientWidth) {
      element.scrollLeft = x + cell + left - element.clientWidth;
    }
    if (y < element.scrollTop) element.scrollTop = y;
    else if (y + cell + top > element.scrollTop + element.clientHeight) {
      element.scrollTop = y + cell + top - element.clientHeight;
    }
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const { query: row, key: column } = pointer.peek();
    const at = { query: row ?? 0, key: column ?? 0 };
    const page = 10;
    const next: Readonly<Record<string, Pointer>> = {
      ArrowUp: { ...at, query: at.query - 1 },
      ArrowDown: { ...at, query: at.query + 1 },
      ArrowLeft: { ...at, key: at.key - 1 },
      ArrowRight: { ...at, key: at.key + 1 },
      PageUp: { ...at, query: at.query - page },
      PageDown: { ...at, query: at.query + page },
      Home: { ...at, key: 0 },
      End: { ...at, key: columns - 1 },
    };
    const to = row === null && event.key.startsWith('Arrow') ? at : next[event.key];
    if (to !== undefined) {
      pointer.value = { query: clamp(to.query!, rows), key: clamp(to.key!, columns) };
      show(pointer.value);
    } else if (event.key === 'Enter' || event.key === ' ') toggleHeld(at.query);
    else if (event.key === 'Escape') {
      pointer.value = nowhere;
      query.value = null;
    } else if (event.key === 'h' && isSingleKey(event)) {
      toggleHidden(shown, at.key);
    } else return;
    event.preventDefault();
  };

  return (
    <div class="map">
      <canvas class="under" ref={canvas} />
      <div
        class="map-box"
        ref={box}
        role="application"
        aria-roledescription={t('map.role')}
        aria-label={t('map.label', { rows, columns, layer: shown.place.layer, head })}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: an application takes keys
        tabIndex={0}
        onScroll={redraw}
        onKeyDown={onKeyDown}
        onFocus={() => {
          if (pointer.peek().query === null) pointer.value = { query: held ?? 0, key: 0 };
        }}
        onPointerMove={(event) => {
          const to = cellAt(event);
          const now = pointer.peek();
          if (to.query !== now.query || to.key !== now.key) pointer.value = to;
        }}
        onPointerLeave={() => {
          if (document.activeElement !== box.current || !box.current?.matches(':focus-visible'))
            pointer.value = nowhere;
        }}
        onClick={(event) => {
          const { query: row } = cellAt(event);
          if (row !== null) toggleHeld(row);
        }}
      >
        <div class="map-space" style={{ width: `${geometry.width}px`, height: `${geometry.height}px` }} />
      </div>
    </div>
  );
}

function clamp(index: number, count: number): number {
  return Math.max(0, Math.min(count - 1, index));
}

/** Widths of the longest words at the axes, px, at the size in which they are drawn. */
function longestWords({ queries, keys }: Shown, sans: string): { readonly query: number; readonly key: number } {
  const context = document.createElement('canvas').getContext('2d')!;
  context.font = `12px ${sans}`;
  const widest = (pieces: Shown['keys']): number =>
    pieces.reduce((most, { text }) => Math.max(most, context.measureText(visibleToken(text)).width), 0);
  return { query: widest(queries), key: widest(keys) };
}
