import { useRef } from 'preact/hooks';
import type { Token } from '../worker/contract.ts';
import { directionOf } from './direction.ts';
import { rove } from './rove.ts';
import { TokenText } from './TokenText.tsx';

interface Props {
  readonly label: string;
  readonly tokens: readonly Token[];
  /** Index of the one that is chosen. */
  readonly chosen: number | null;
  readonly onChoose: (index: number) => void;
  readonly onHover?: (index: number | null) => void;
  /** CSS background and text colour of a token. */
  readonly shade?: (index: number) => { readonly background: string; readonly color: string } | undefined;
  readonly isHidden?: (index: number) => boolean;
  /** Spoken after the token. */
  readonly describe?: (index: number) => string;
}

/** Where the next token stands at the left. */
const mirrored: Readonly<Record<string, string>> = { ArrowLeft: 'ArrowRight', ArrowRight: 'ArrowLeft' };

/** Tokens side by side, in the direction of their script; arrow keys go from one to the next, Enter chooses. */
export function TokenRow({ label, tokens, chosen, onChoose, onHover, shade, isHidden, describe }: Props) {
  const row = useRef<HTMLDivElement>(null);
  const direction = directionOf(tokens);
  return (
    // biome-ignore lint/a11y/useSemanticElements: a group of buttons, no form
    <div
      class="token-row"
      role="group"
      aria-label={label}
      ref={row}
      dir={direction}
      onMouseLeave={() => onHover?.(null)}
      onKeyDown={(event) => {
        const buttons = [...event.currentTarget.children] as HTMLElement[];
        const key = direction === 'rtl' ? (mirrored[event.key] ?? event.key) : event.key;
        const next = rove(key, buttons.indexOf(document.activeElement as HTMLElement), tokens.length);
        if (next === null) return;
        event.preventDefault();
        buttons[next]?.focus();
      }}
    >
      {tokens.map((token, i) => (
        <button
          key={i}
          type="button"
          class="token"
          aria-pressed={i === chosen}
          aria-label={describe && `${token.text} ${describe(i)}`}
          data-hidden={isHidden?.(i) || undefined}
          tabIndex={i === (chosen ?? 0) ? 0 : -1}
          style={shade?.(i)}
          onClick={() => onChoose(i)}
          onMouseEnter={() => onHover?.(i)}
          onFocus={() => onHover?.(i)}
          onBlur={() => onHover?.(null)}
        >
          <TokenText text={token.text} />
        </button>
      ))}
    </div>
  );
}
