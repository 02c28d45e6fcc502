import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { t } from '../i18n/shell.ts';
import { opened } from '../state/open.ts';
import { input, modelSource } from '../state/scene.ts';
import { sourceName } from '../state/sourceCodec.ts';
import { Button } from '../ui/Button.tsx';
import { ErrorBox } from '../ui/ErrorBox.tsx';
import { ProgressBar } from '../ui/ProgressBar.tsx';
import type { View } from '../views/registry.ts';
import { dialog } from './dialog.ts';

/** The view, or why it is not there yet. */
export function ViewPanel({ shown }: { readonly shown: View }) {
  return (
    <div class="panel" id="panel" role="tabpanel" aria-labelledby={`panel-tab-${shown.name}`} tabIndex={-1}>
      <Content key={shown.name} shown={shown} />
    </div>
  );
}

function Content({ shown }: { readonly shown: View }) {
  const [Component, setComponent] = useState<ComponentType | null>(null);
  const [hasFailed, setFailed] = useState(false);
  useEffect(() => {
    shown.load().then(
      (loaded) => setComponent(() => loaded.default),
      () => setFailed(true),
    );
  }, [shown]);
  const { card, source, error, progress } = opened.value;
  if (hasFailed) return <p role="alert">{t('view.failed')}</p>;
  if (shown.needsModel) {
    if (error !== null) {
      const again = (): void => {
        if (error.code === 'files-gone') dialog.value = 'open';
        else modelSource.value = { ...modelSource.value! };
      };
      return <ErrorBox error={error} onAgain={again} />;
    }
    if (source === null) return <NoModel />;
    if (card === null) return <ProgressBar progress={progress} name={sourceName(source)} />;
    if (shown.suits?.(card) === false) return <p>{t('view.unsuited', { family: card.family })}</p>;
    if (input.value.text.trim() === '') return <p class="muted">{t('input.empty')}</p>;
  }
  if (Component === null) return <p class="muted">{t('view.loading')}</p>;
  return <Component />;
}

function NoModel() {
  return (
    <div class="empty">
      <p>{t('model.none.what')}</p>
      <Button kind="main" onClick={() => (dialog.value = 'open')}>
        {t('open')}
      </Button>
    </div>
  );
}
