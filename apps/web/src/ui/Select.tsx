interface Props<T extends string> {
  readonly label: string;
  readonly value: T;
  readonly options: readonly { readonly value: T; readonly text: string }[];
  readonly onChange: (value: T) => void;
  readonly isLabelHidden?: boolean;
}

export function Select<T extends string>({ label, value, options, onChange, isLabelHidden = false }: Props<T>) {
  return (
    <label class="labelled">
      <span class={isLabelHidden ? 'hidden-text' : undefined}>{label}</span>
      <select
        class="select"
        value={value}
        onChange={(event) => {
          const chosen = options.find((option) => option.value === event.currentTarget.value);
          if (chosen !== undefined) onChange(chosen.value);
        }}
      >
        {options.map((option) => (
          <option key={option.value} value={option.value} selected={option.value === value}>
            {option.text}
          </option>
        ))}
      </select>
    </label>
  );
}
