import type { ComponentChildren } from 'preact';
import './controls.css';

interface Props {
  readonly children: ComponentChildren;
  readonly onClick: () => void;
  /** `icon`: a small sign, whose words are `label`. */
  readonly kind?: 'main' | 'plain' | 'icon';
  readonly label?: string;
  readonly isDisabled?: boolean;
  /** For a button that stays down. */
  readonly isPressed?: boolean;
  readonly title?: string;
}

export function Button({ children, onClick, kind, label, isDisabled, isPressed, title }: Props) {
  return (
    <button
      type="button"
      class="button"
      data-kind={kind}
      aria-label={label}
      title={title ?? label}
      disabled={isDisabled}
      aria-pressed={isPressed}
      onClick={onClick}
    >
      {children}
    </button>
  );
}
