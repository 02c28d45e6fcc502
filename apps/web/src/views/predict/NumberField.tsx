import type { JSX } from 'preact';

interface Props {
  readonly label: string;
  readonly value: number;
  readonly min: number;
  readonly max: number;
  readonly onChange: (value: number) => void;
  /** What a special value means. */
  readonly note?: string;
}

/** A whole number; what is none, or out of range, is not taken. */
export function NumberField({ label, value, min, max, onChange, note }: Props): JSX.Element {
  return (
    <label class="labelled">
      <span>{label}</span>
      <input
        class="field number-field"
        type="number"
        min={min}
        max={max}
        step={1}
        value={value}
        onChange={(event) => {
          const next = event.currentTarget.valueAsNumber;
          if (Number.isInteger(next) && next >= min && next <= max) onChange(next);
          else event.currentTarget.value = String(value);
        }}
      />
      {note && <span class="muted">{note}</span>}
    </label>
  );
}
