import type { ComponentChildren } from 'preact';
import { useId, useLayoutEffect, useRef } from 'preact/hooks';
import { t } from '../i18n/shell.ts';
import { Button } from './Button.tsx';
import { CloseSign } from './signs.tsx';

interface Props {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}

/**
 * A modal dialog, open while it is drawn. Escape, its button and a click beside it ask its owner to take it away: an element that
 * closed by itself would be gone from the screen while the page still took it for open, and swallow the next key.
 */
export function Dialog({ title, onClose, children }: Props) {
  const element = useRef<HTMLDialogElement>(null);
  const id = useId();
  useLayoutEffect(() => {
    const shown = element.current!;
    shown.showModal();
    // Closing gives the focus back to where it was; taking the element away would not.
    return () => shown.close();
  }, []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape does the same
    <dialog
      class="dialog"
      ref={element}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      // The browser may close it unasked; the element has no reference any more where its owner did.
      onClose={() => {
        if (element.current !== null) onClose();
      }}
      onClick={(event) => {
        if (event.target === element.current) onClose();
      }}
    >
      <header>
        <h2 id={id}>{title}</h2>
        <Button kind="icon" label={t('close')} onClick={onClose}>
          <CloseSign />
        </Button>
      </header>
      <div class="dialog-body">{children}</div>
    </dialog>
  );
}
