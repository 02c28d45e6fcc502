import type { JSX } from 'preact';
import './numbers.css';

/** A number's size as a bar from a line: to the right where it is positive, else to the left. `from` and `to` are the ends of the axis. */
export function Bar({ value, from, to, kind = 'now' }: BarProps): JSX.Element {
  const span = to - from || 1;
  const at = (x: number): number => (100 * (Math.min(to, Math.max(from, x)) - from)) / span;
  const zero = at(0);
  const end = at(value);
  const start = Math.min(zero, end);
  return (
    <span class="bar" aria-hidden="true" dir="ltr">
      <span
        class={`bar-fill is-${kind} ${value < 0 ? 'is-negative' : ''}`}
        style={{ insetInlineStart: `${start}%`, inlineSize: `${Math.abs(end - zero)}%` }}
      />
      {from < 0 ? <span class="bar-zero" style={{ insetInlineStart: `${zero}%` }} /> : null}
    </span>
  );
}

export interface BarProps {
  readonly value: number;
  readonly from: number;
  readonly to: number;
  readonly kind?: 'now' | 'before';
}
