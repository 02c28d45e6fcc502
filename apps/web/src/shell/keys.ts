import { useEffect } from 'preact/hooks';
import { redo, undo } from '../state/history.ts';
import { view } from '../state/scene.ts';
import { views } from '../views/registry.ts';
import { dialog } from './dialog.ts';
import { isSingleKey, isTyping } from './singleKey.ts';

export function useGlobalKeys(): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if ((event.ctrlKey || event.metaKey) && !event.altKey && !isTyping(event)) {
        const key = event.key.toLowerCase();
        if (key !== 'z' && key !== 'y') return;
        event.preventDefault();
        if (key === 'y' || event.shiftKey) redo();
        else undo();
        return;
      }
      if (!isSingleKey(event)) return;
      if (event.key === '?') dialog.value = 'help';
      else if (event.key === 'o') dialog.value = 'open';
      else if (/^[1-9]$/.test(event.key) && views[Number(event.key) - 1])
        view.value = views[Number(event.key) - 1]!.name;
      else return;
      event.preventDefault();
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, []);
}
