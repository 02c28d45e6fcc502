import { type Signal, useSignalEffect } from '@preact/signals';
import { useMemo, useRef } from 'preact/hooks';
import { hexColour, kindColour } from '../../../../../src/draw/colour.ts';
import { t } from '../../i18n/attention.ts';
import { isSingleKey } from '../../shell/singleKey.ts';
import { query, threshold } from '../../state/scene.ts';
import { isDark } from '../../state/settings.ts';
import { rove } from '../../ui/rove.ts';
import { TokenText } from '../../ui/TokenText.tsx';
import { useCanvas } from '../../ui/useCanvas.ts';
import type { Piece } from './arrange.ts';
import { scale } from './attentionState.ts';
import { drawLines } from './drawLines.ts';
import { heldKey, nowhere, type Pointer } from './pointer.ts';
import { isOut, pieceAt, type Shown, toggleHidden } from './shown.ts';

interface Props {
  readonly shown: Shown;
  readonly heads: readonly number[];
  readonly pointer: Signal<Pointer>;
}

/** Height of a token's row, px: the least that a finger needs (WCAG 2.5.8). */
const ROW = 24;

/** The tokens that look at the left, those looked at on the right, and lines between them, a colour for each head. */
export function LinesView({ shown, heads, pointer }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const dark = isDark();
  const [least, isOwn] = [threshold.value, scale.value === 'own'];
  const held = pieceAt(shown.queries, query.value);
  const heldAt = pieceAt(shown.keys, heldKey.value);
  const { canvas, redraw } = useCanvas((context, _, height) => {
    const width = box.current!.clientWidth; // without its scroll bar
    const column = box.current!.querySelector('.token-column')?.clientWidth ?? width * 0.3;
    const now = pointer.peek();
    const isNowhere = now.query === null && now.key === null;
    drawLines(context, {
      width,
      height,
      scrolled: box.current!.scrollTop,
      left: column,
      right: width - column,
      rowHeight: ROW,
      rows: shown.queries.length,
      columns: shown.keys.length,
      threshold: least,
      query: now.query ?? (isNowhere ? held : null),
      key: now.query === null ? (now.key ?? (isNowhere ? heldAt : null)) : null,
      heads: heads.map((head) => ({
        weights: shown.weights(head),
        largest: isOwn ? shown.largest(head) : 1,
        colour: hexColour(kindColour(head, dark ? 'dark' : 'light')),
      })),
    });
  });
  useSignalEffect(() => {
    void pointer.value;
    redraw();
  });
  const rows = Math.max(shown.queries.length, shown.keys.length);
  return (
    <div class="lines">
      <canvas class="under" ref={canvas} />
      <div class="lines-box" ref={box} onScroll={redraw}>
        <div class="lines-tokens" style={{ height: `${rows * ROW}px` }}>
          <TokenColumn
            label={t('lines.queries')}
            pieces={shown.queries}
            held={held}
            onPoint={(index) => (pointer.value = index === null ? nowhere : { query: index, key: null })}
            onHold={(index) => {
              const position = shown.queries[index]!.positions.at(-1)!;
              heldKey.value = null;
              query.value = query.peek() === position ? null : position;
            }}
          />
          <TokenColumn
            label={t('lines.keys')}
            pieces={shown.keys}
            held={heldAt}
            isOut={(piece) => isOut(shown, piece)}
            onPoint={(index) => (pointer.value = index === null ? nowhere : { query: null, key: index })}
            onHold={(index) => {
              const position = shown.keys[index]!.positions[0]!;
              query.value = null;
              heldKey.value = heldKey.peek() === position ? null : position;
            }}
            onHide={(index) => toggleHidden(shown, index)}
          />
        </div>
      </div>
    </div>
  );
}

interface ColumnProps {
  readonly label: string;
  readonly pieces: readonly Piece[];
  readonly held: number | null;
  readonly isOut?: (piece: Piece) => boolean;
  readonly onPoint: (index: number | null) => void;
  readonly onHold: (index: number) => void;
  readonly onHide?: (index: number) => void;
}

function TokenColumn({ label, pieces, held, isOut, onPoint, onHold, onHide }: ColumnProps) {
  const indexOf = (event: Event): number | null => {
    const button = (event.target as Element).closest('button');
    return button === null ? null : Number(button.dataset['index']);
  };
  const out = pieces.map((piece) => isOut?.(piece) ?? false);
  const outKey = out.join();
  // The same elements while nothing of them changes: pointing redraws the canvas alone.
  const buttons = useMemo(
    () =>
      pieces.map(({ text, isSpecial }, i) => (
        <button
          key={i}
          type="button"
          class="token"
          data-index={i}
          data-hidden={out[i] || undefined}
          data-special={isSpecial || undefined}
          aria-pressed={i === held}
          tabIndex={i === (held ?? 0) ? 0 : -1}
        >
          <TokenText text={text} />
        </button>
      )),
    [pieces, held, outKey],
  );
  return (
    // biome-ignore lint/a11y/useSemanticElements: a group of buttons, no form
    // biome-ignore lint/a11y/useKeyWithMouseEvents: focusin does the same, and bubbles
    <div
      class="token-column"
      role="group"
      aria-label={label}
      onMouseOver={(event) => onPoint(indexOf(event))}
      onMouseLeave={() => onPoint(null)}
      onFocusIn={(event) => {
        if ((event.target as Element).matches(':focus-visible')) onPoint(indexOf(event));
      }}
      onFocusOut={() => onPoint(null)}
      onClick={(event) => {
        const index = indexOf(event);
        if (index !== null) onHold(index);
      }}
      onKeyDown={(event) => {
        const index = indexOf(event);
        if (index === null) return;
        if (event.key === 'Escape') {
          query.value = null;
          heldKey.value = null;
          return;
        }
        if (event.key === 'h' && onHide !== undefined && isSingleKey(event)) {
          event.preventDefault();
          return onHide(index);
        }
        const isSideways = event.key === 'ArrowLeft' || event.key === 'ArrowRight';
        const next = isSideways ? null : rove(event.key, index, pieces.length);
        if (isSideways) {
          // To the token beside it in the other column.
          const column = event.currentTarget;
          const other = event.key === 'ArrowLeft' ? column.previousElementSibling : column.nextElementSibling;
          const to = other?.querySelectorAll('button')[index];
          event.preventDefault();
          to?.focus();
        }
        if (next === null) return;
        event.preventDefault();
        event.currentTarget.querySelectorAll('button')[next]?.focus();
      }}
    >
      {buttons}
    </div>
  );
}
