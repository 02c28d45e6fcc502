import { t } from '../i18n/shell.ts';
import { canRedo, canUndo, redo, undo } from '../state/history.ts';
import { notify } from '../state/notice.ts';
import { opened } from '../state/open.ts';
import { modelSource, view } from '../state/scene.ts';
import { shareableAddress } from '../state/shared.ts';
import { sourceName } from '../state/sourceCodec.ts';
import { Button } from '../ui/Button.tsx';
import { countText } from '../ui/bytesText.ts';
import { HelpSign, LinkSign, RedoSign, UndoSign } from '../ui/signs.tsx';
import { Tabs } from '../ui/Tabs.tsx';
import { type View, views } from '../views/registry.ts';
import { dialog } from './dialog.ts';
import { PageSettings } from './PageSettings.tsx';

/** Model, views, and what concerns the whole page. */
export function Header({ shown }: { readonly shown: View }) {
  return (
    <header class="header">
      <h1>qkv</h1>
      <ModelName />
      <Tabs
        label={t('views')}
        panel="panel"
        value={shown.name}
        tabs={views.map((one) => ({ value: one.name, text: one.label() }))}
        onChange={(name) => (view.value = name)}
      />
      <div class="header-tools">
        <Button
          kind="icon"
          label={t('undo')}
          title={`${t('undo')} (Ctrl+Z)`}
          isDisabled={!canUndo.value}
          onClick={undo}
        >
          <UndoSign />
        </Button>
        <Button
          kind="icon"
          label={t('redo')}
          title={`${t('redo')} (Ctrl+Y)`}
          isDisabled={!canRedo.value}
          onClick={redo}
        >
          <RedoSign />
        </Button>
        <Button kind="icon" label={t('share')} onClick={() => void share()}>
          <LinkSign />
        </Button>
        <PageSettings />
        <Button kind="icon" label={t('help')} title={`${t('help')} (?)`} onClick={() => (dialog.value = 'help')}>
          <HelpSign />
        </Button>
      </div>
    </header>
  );
}

function ModelName() {
  const { card, source } = opened.value;
  const name = card?.name ?? (source && sourceName(source)) ?? t('model.none');
  return (
    <div class="model-name">
      <strong title={name}>
        <bdi>{name}</bdi>
      </strong>
      {card && (
        <span class="muted small model-facts">
          {t('model.facts', {
            family: card.family,
            layers: new Set(card.places.map((place) => `${place.kind === 'encoder'}${place.layer}`)).size,
            heads: card.places[0]?.heads ?? 0,
            width: card.width,
            parameters: countText(card.parameters),
          })}
        </span>
      )}
      <Button onClick={() => (dialog.value = 'open')}>{t('open')}</Button>
    </div>
  );
}

async function share(): Promise<void> {
  try {
    await navigator.clipboard.writeText(shareableAddress());
    notify(t(modelSource.peek()?.kind === 'files' ? 'share.files' : 'share.done'));
  } catch {
    notify(t('share.failed'));
  }
}
