import { useEffect, useRef, useState } from 'preact/hooks';
import { Button } from './Button.tsx';
import { rove } from './rove.ts';

interface Props {
  readonly label: string;
  readonly items: readonly { readonly text: string; readonly onChoose: () => void }[];
  readonly isDisabled?: boolean;
}

/** A button that opens a list of buttons. Arrow keys walk through it; Escape closes it. */
export function Menu({ label, items, isDisabled }: Props) {
  const [isOpen, setOpen] = useState(false);
  const element = useRef<HTMLDivElement>(null);
  const list = useRef<HTMLUListElement>(null);
  const focus = (index: number): void => list.current?.querySelectorAll('button')[index]?.focus();
  useEffect(() => {
    if (!isOpen) return;
    focus(0);
    const closeOutside = (event: Event): void => {
      if (!element.current?.contains(event.target as Node)) setOpen(false);
    };
    addEventListener('pointerdown', closeOutside);
    return () => removeEventListener('pointerdown', closeOutside);
  }, [isOpen]);
  const close = (): void => {
    setOpen(false);
    element.current?.querySelector('button')?.focus();
  };
  return (
    <div class="menu" ref={element}>
      <button
        type="button"
        class="button"
        aria-expanded={isOpen}
        disabled={isDisabled}
        onClick={() => setOpen(!isOpen)}
      >
        {label} ▾
      </button>
      {isOpen && (
        <ul
          ref={list}
          onKeyDown={(event) => {
            if (event.key === 'Escape') {
              event.stopPropagation();
              return close();
            }
            const buttons = [...event.currentTarget.querySelectorAll('button')];
            const next = rove(event.key, buttons.indexOf(document.activeElement as HTMLButtonElement), buttons.length);
            if (next === null) return;
            event.preventDefault();
            focus(next);
          }}
        >
          {items.map((item) => (
            <li key={item.text}>
              <Button
                kind="plain"
                onClick={() => {
                  close();
                  item.onChoose();
                }}
              >
                {item.text}
              </Button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
