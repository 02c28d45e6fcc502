import type { Signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { t } from '../i18n/shell.ts';
import { notify } from '../state/notice.ts';
import { setModel } from '../state/scene.ts';
import { dialog } from './dialog.ts';
import { droppedFiles } from './droppedFiles.ts';

/** The whole page takes a model that is dropped on it. */
export function DropTarget({ isDropping }: { readonly isDropping: Signal<boolean> }) {
  useEffect(() => {
    const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false;
    const onOver = (event: DragEvent): void => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      isDropping.value = true;
    };
    const onLeave = (event: DragEvent): void => {
      if (event.relatedTarget === null) isDropping.value = false;
    };
    const onDrop = (event: DragEvent): void => {
      if (!hasFiles(event)) return;
      isDropping.value = false;
      if (event.defaultPrevented) return; // a field has taken it
      event.preventDefault();
      droppedFiles(event.dataTransfer!).then(
        ({ name, files }) => {
          if (files.length === 0) return notify(t('open.drop.empty'));
          dialog.value = null;
          setModel({ kind: 'files', name, files });
        },
        () => notify(t('open.drop.empty')),
      );
    };
    addEventListener('dragover', onOver);
    addEventListener('dragleave', onLeave);
    addEventListener('drop', onDrop);
    return () => {
      removeEventListener('dragover', onOver);
      removeEventListener('dragleave', onLeave);
      removeEventListener('drop', onDrop);
    };
  }, []);
  return isDropping.value ? <div class="drop-target">{t('open.drop')}</div> : null;
}
