import { useSignal } from '@preact/signals';
import type { ComponentChildren, JSX } from 'preact';
import { formatDifference, formatNumber } from './formatNumber.ts';
import './numbers.css';

export interface NumberRow {
  readonly key: string;
  /** What stands before the strip. */
  readonly label: ComponentChildren;
  /** The same as plain text, for the line that says the number under the pointer. */
  readonly name: string;
  /** All rows have as many. */
  readonly data: Float32Array;
  /** The numbers without the edits. */
  readonly before?: Float32Array | undefined;
  readonly isMarked?: boolean;
}

export interface NumberGridProps {
  /** What the numbers are, for a screen reader. */
  readonly label: string;
  readonly rows: readonly NumberRow[];
  /** The strip's part that belongs to what is looked at: from, to. */
  readonly marked?: readonly [number, number];
  /** Says in words what the keys do, once. */
  readonly hint: string;
}

/** More than this many numbers in a single row are shown as colours only. */
const WRITTEN = 16;

/**
 * Rows of numbers as strips of colour, one colour for the sign and its strength for the size; a single short row is written out.
 * The number under the pointer, or under the cursor that the arrow keys move, is said below.
 */
export function NumberGrid({ label, rows, marked, hint }: NumberGridProps): JSX.Element {
  const cursor = useSignal<readonly [row: number, column: number] | null>(null);
  const width = rows[0]?.data.length ?? 0;
  const largest =
    rows.reduce((most, { data, before }) => Math.max(most, size(data), before ? size(before) : 0), 0) || 1;
  const isWritten = rows.length === 1 && width <= WRITTEN;
  const at = cursor.value;
  const shown = at !== null && at[0] < rows.length && at[1] < width ? at : null;

  const says = shown === null ? '' : sentence(rows[shown[0]]!, shown[1]);
  const move = (event: KeyboardEvent): void => {
    const [row, column] = shown ?? [0, event.key === 'ArrowRight' ? -1 : 0];
    const next = moved(event.key, row, column, rows.length, width);
    if (next === null) return;
    event.preventDefault();
    event.stopPropagation();
    cursor.value = next;
  };
  const point = (event: PointerEvent, row: number): void => {
    const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * width);
    cursor.value = [row, Math.min(width - 1, Math.max(0, column))];
  };
  const range = formatNumber(largest);

  return (
    <div class="number-grid">
      <div
        class="number-rows"
        dir="ltr"
        role="slider"
        tabIndex={0}
        aria-label={label}
        aria-description={hint}
        aria-readonly="true"
        aria-valuemin={0}
        aria-valuemax={rows.length * width - 1}
        aria-valuenow={shown === null ? 0 : shown[0] * width + shown[1]}
        aria-valuetext={shown === null ? sentence(rows[0]!, 0) : says}
        onKeyDown={move}
      >
        {rows.map((row, r) => (
          <div key={row.key} class={row.isMarked ? 'number-row is-marked' : 'number-row'}>
            <span class="number-label">{row.label}</span>
            <span class="number-strips" style={{ '--numbers': String(width) }}>
              {[row.data, ...(row.before ? [row.before] : [])].map((data, layer) => (
                <span
                  key={layer === 0 ? 'now' : 'before'}
                  class={`number-strip ${layer === 1 ? 'is-before' : isWritten ? 'is-written' : ''}`}
                  style={{ backgroundImage: gradient(data, largest) }}
                  onPointerMove={(event) => point(event, r)}
                  onPointerDown={(event) => point(event, r)}
                  onPointerLeave={() => (cursor.value = null)}
                >
                  {isWritten && layer === 0
                    ? Array.from(data, (x, c) => (
                        <span key={c} class="number-written">
                          {formatNumber(x)}
                        </span>
                      ))
                    : null}
                  {layer === 0 && shown !== null && shown[0] === r ? (
                    <span class="number-cursor" style={{ insetInlineStart: `${(100 * shown[1]) / width}%` }} />
                  ) : null}
                  {layer === 0 && marked ? (
                    <span
                      class="number-part"
                      style={{
                        insetInlineStart: `${(100 * marked[0]) / width}%`,
                        inlineSize: `${(100 * (marked[1] - marked[0])) / width}%`,
                      }}
                    />
                  ) : null}
                </span>
              ))}
            </span>
          </div>
        ))}
      </div>
      <p class="number-says" aria-hidden="true" dir="ltr">
        {shown === null ? (
          <>
            <span class="number-scale" />−{range} … {range}
          </>
        ) : (
          <bdi>{says}</bdi>
        )}
      </p>
    </div>
  );
}

function sentence({ name, data, before }: NumberRow, column: number): string {
  const x = data[column]!;
  const now = `${name}[${column}] = ${formatNumber(x)}`;
  if (before === undefined) return now;
  const old = before[column]!;
  return `${name}[${column}]: ${formatNumber(old)} → ${formatNumber(x)} (${formatDifference(x - old)})`;
}

function moved(
  key: string,
  row: number,
  column: number,
  rows: number,
  width: number,
): readonly [number, number] | null {
  const within = (x: number, count: number): number => Math.min(count - 1, Math.max(0, x));
  switch (key) {
    case 'ArrowRight':
      return [row, within(column + 1, width)];
    case 'ArrowLeft':
      return [row, within(column - 1, width)];
    case 'ArrowDown':
      return rows > 1 ? [within(row + 1, rows), column] : null;
    case 'ArrowUp':
      return rows > 1 ? [within(row - 1, rows), column] : null;
    case 'Home':
      return [row, 0];
    case 'End':
      return [row, width - 1];
    default:
      return null;
  }
}

function size(data: Float32Array): number {
  let most = 0;
  for (const x of data) most = Math.max(most, Math.abs(x));
  return most;
}

/** Of long vectors: what is drawn again while a person points at something is not made again. */
const made = new WeakMap<Float32Array, { readonly largest: number; readonly css: string }>();

/** Bands of equal width; a theme's own colours, so that it follows the theme by itself. */
function gradient(data: Float32Array, largest: number): string {
  const known = made.get(data);
  if (known?.largest === largest) return known.css;
  const step = 100 / data.length;
  const stops = Array.from(data, (x, i) => {
    const strength = Math.round(100 * Math.sqrt(Math.abs(x) / largest));
    const colour = `color-mix(in oklab, var(--number-${x < 0 ? 'negative' : 'positive'}) ${strength}%, var(--number-zero))`;
    return `${colour} ${(i * step).toFixed(3)}% ${((i + 1) * step).toFixed(3)}%`;
  });
  const css = `linear-gradient(to right, ${stops.join(', ')})`;
  made.set(data, { largest, css });
  return css;
}
