import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { t } from '../i18n/shell.ts';
import { Button } from './Button.tsx';
import { CloseSign } from './signs.tsx';

interface Props {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}

/** A modal dialog, open while it is drawn. Escape, its button and a click beside it close it. */
export function Dialog({ title, onClose, children }: Props) {
  const element = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    element.current?.showModal();
  }, []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape does the same
    <dialog
      class="dialog"
      ref={element}
      aria-labelledby={id}
      onClose={onClose}
      onClick={(event) => {
        if (event.target === element.current) element.current?.close();
      }}
    >
      <header>
        <h2 id={id}>{title}</h2>
        <Button kind="icon" label={t('close')} onClick={() => element.current?.close()}>
          <CloseSign />
        </Button>
      </header>
      <div class="dialog-body">{children}</div>
    </dialog>
  );
}
