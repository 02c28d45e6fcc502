import { Slider } from './Slider.tsx';

export interface ValueSliderProps {
  readonly label: string;
  /** Those that are offered, in order. */
  readonly values: readonly number[];
  /** One of them. */
  readonly value: number;
  readonly shown: string;
  readonly onChange: (value: number) => void;
}

/** A slider over given values. */
export function ValueSlider({ label, values, value, shown, onChange }: ValueSliderProps) {
  return (
    <Slider
      label={label}
      min={0}
      max={values.length - 1}
      step={1}
      value={values.indexOf(value)}
      shown={shown}
      onInput={(index) => onChange(values[index]!)}
    />
  );
}
