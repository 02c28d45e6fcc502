import { useLayoutEffect, useRef } from 'preact/hooks';
import { rove } from './rove.ts';

interface Props<T extends string> {
  readonly label: string;
  readonly value: T;
  readonly tabs: readonly { readonly value: T; readonly text: string }[];
  /** Id of the element that the tabs change. */
  readonly panel: string;
  readonly onChange: (value: T) => void;
}

/** Arrow keys go from tab to tab, which shows it (WAI-ARIA, tabs with automatic activation). */
export function Tabs<T extends string>({ label, value, tabs, panel, onChange }: Props<T>) {
  const list = useRef<HTMLDivElement>(null);
  // where there is no room for all, the chosen one is to be seen
  useLayoutEffect(() => {
    const box = list.current!;
    const chosen = box.children[tabs.findIndex((tab) => tab.value === value)] as HTMLElement | undefined;
    if (chosen === undefined || box.scrollWidth <= box.clientWidth) return;
    box.scrollLeft += chosen.getBoundingClientRect().right - box.getBoundingClientRect().right + 8;
  }, [value]);
  return (
    <div
      class="tabs"
      ref={list}
      role="tablist"
      aria-label={label}
      onKeyDown={(event) => {
        const at = tabs.findIndex((tab) => tab.value === value);
        const next = rove(event.key, at, tabs.length);
        if (next === null) return;
        event.preventDefault();
        onChange(tabs[next]!.value);
        (event.currentTarget.children[next] as HTMLElement).focus();
      }}
    >
      {tabs.map((tab) => (
        <button
          key={tab.value}
          type="button"
          role="tab"
          id={`${panel}-tab-${tab.value}`}
          aria-selected={tab.value === value}
          aria-controls={panel}
          tabIndex={tab.value === value ? 0 : -1}
          onClick={() => onChange(tab.value)}
        >
          {tab.text}
        </button>
      ))}
    </div>
  );
}
