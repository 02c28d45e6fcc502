import { useState } from 'preact/hooks';
import { visibleToken } from '../../../../src/draw/attention-map.ts';
import { valueText } from './chart/valueText.ts';
import { Heatmap } from './Heatmap.tsx';
import './labelled-heat.css';

interface Props {
  /** [rows, columns] row-major, from `offset` on. */
  readonly weights: Float32Array;
  readonly offset?: number;
  /** What is read, where the weights are only its colours. */
  readonly values?: Float32Array;
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  readonly max?: number;
  readonly label: string;
  /** What the axes are, and what the reading says before anything is pointed at. */
  readonly rowsLabel: string;
  readonly columnsLabel: string;
  readonly hint: string;
  /** As wide as there is room, of many columns: cells need not be squares then. */
  readonly isWide?: boolean;
}

/** A heat map with the names of its rows and columns; a pointer or the arrow keys read its numbers. */
export function LabelledHeat(props: Props) {
  const {
    weights,
    offset = 0,
    values = weights,
    rows,
    columns,
    max,
    label,
    rowsLabel,
    columnsLabel,
    hint,
    isWide,
  } = props;
  const [at, setAt] = useState<readonly [row: number, column: number] | null>(null);
  const clamped = at && ([Math.min(at[0], rows.length - 1), Math.min(at[1], columns.length - 1)] as const);
  const read =
    clamped &&
    `${visibleToken(rows[clamped[0]]!)} → ${visibleToken(columns[clamped[1]]!)}: ${valueText(values[offset + clamped[0] * columns.length + clamped[1]]!)}`;
  const onKeyDown = (event: KeyboardEvent): void => {
    const steps: Readonly<Record<string, readonly [number, number]>> = {
      ArrowUp: [-1, 0],
      ArrowDown: [1, 0],
      ArrowLeft: [0, -1],
      ArrowRight: [0, 1],
    };
    if (event.key === 'Escape') setAt(null);
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const [row, column] = clamped ?? [0, 0];
    const next = clamped === null ? [0, 0] : [row + step[0], column + step[1]];
    setAt([Math.max(0, Math.min(rows.length - 1, next[0]!)), Math.max(0, Math.min(columns.length - 1, next[1]!))]);
  };
  return (
    <div class="labelled-heat">
      <p class="muted small">
        <bdi>
          ↓ {rowsLabel} · → {columnsLabel}
        </bdi>
      </p>
      <div class="labelled-heat-grid">
        <ol
          class="labelled-heat-columns"
          data-upright={isShort(columns) || undefined}
          data-thin={columns.length > MOST_NAMES || undefined}
          aria-hidden="true"
        >
          {thinned(columns).map((text, i) => (
            <li key={i} data-on={clamped?.[1] === i || undefined}>
              <bdi>{text !== null && visibleToken(text)}</bdi>
            </li>
          ))}
        </ol>
        <ol class="labelled-heat-rows" data-thin={rows.length > MOST_NAMES || undefined} aria-hidden="true">
          {thinned(rows).map((text, i) => (
            <li key={i} data-on={clamped?.[0] === i || undefined}>
              <bdi>{text !== null && visibleToken(text)}</bdi>
            </li>
          ))}
        </ol>
        <div
          class="labelled-heat-map"
          role="application"
          aria-label={`${label}. ${hint}`}
          style={{ aspectRatio: isWide ? '1.4' : `${columns.length} / ${rows.length}` }}
          // biome-ignore lint/a11y/noNoninteractiveTabindex: an application takes keys
          tabIndex={0}
          onKeyDown={onKeyDown}
          onPointerMove={(event) => {
            const box = event.currentTarget.getBoundingClientRect();
            const row = Math.floor(((event.clientY - box.top) / box.height) * rows.length);
            const column = Math.floor(((event.clientX - box.left) / box.width) * columns.length);
            if (row >= 0 && column >= 0 && row < rows.length && column < columns.length) setAt([row, column]);
          }}
          onPointerLeave={() => setAt(null)}
          onBlur={() => setAt(null)}
        >
          <Heatmap
            weights={weights}
            offset={offset}
            rows={rows.length}
            columns={columns.length}
            {...(max !== undefined && { max })}
            label={label}
          />
          {clamped && (
            <span
              class="labelled-heat-cell"
              style={{
                insetInlineStart: `${(100 * clamped[1]) / columns.length}%`,
                top: `${(100 * clamped[0]) / rows.length}%`,
                width: `${100 / columns.length}%`,
                height: `${100 / rows.length}%`,
              }}
            />
          )}
        </div>
      </div>
      <p class="number" role="status">
        <bdi>{read ?? hint}</bdi>
      </p>
    </div>
  );
}

/** Of more rows or columns than this only some are named. */
const MOST_NAMES = 40;
const FEW_NAMES = 16;

function thinned(names: readonly string[]): readonly (string | null)[] {
  if (names.length <= MOST_NAMES) return names;
  const every = 2 ** Math.ceil(Math.log2(names.length / FEW_NAMES));
  return names.map((name, i) => (i % every === 0 ? name : null));
}

function isShort(names: readonly string[]): boolean {
  return names.length <= MOST_NAMES && names.every((name) => [...name].length <= 1);
}
