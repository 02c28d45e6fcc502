interface Props {
  readonly label: string;
  readonly value: number;
  readonly min: number;
  readonly max: number;
  readonly step: number;
  /** The value as it is written beside the slider and read aloud. */
  readonly shown: string;
  readonly onInput: (value: number) => void;
}

export function Slider({ label, value, min, max, step, shown, onInput }: Props) {
  return (
    <label class="slider">
      <span>{label}</span>
      <input
        type="range"
        min={min}
        max={max}
        step={step}
        value={value}
        aria-valuetext={shown}
        onInput={(event) => onInput(event.currentTarget.valueAsNumber)}
      />
      <span class="number">{shown}</span>
    </label>
  );
}
