import { singleKeys } from '../state/settings.ts';

/** Whether letters typed now belong to a field. */
export function isTyping(event: KeyboardEvent): boolean {
  const target = event.target;
  if (!(target instanceof HTMLElement)) return false;
  return target.matches('textarea, select, input:not([type=range], [type=checkbox], [type=radio])');
}

/** Whether this is a letter on its own that may act: nobody types, no dialog is open, and they are not switched off. */
export function isSingleKey(event: KeyboardEvent): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return false;
  return singleKeys.value && !isTyping(event) && document.querySelector('dialog') === null;
}
