import { useEffect } from 'preact/hooks';
import { t } from '../i18n/embed.ts';
import { PageSettings } from '../shell/PageSettings.tsx';
import { notice } from '../state/notice.ts';
import { opened } from '../state/open.ts';
import { ErrorBox } from '../ui/ErrorBox.tsx';
import AttentionView from '../views/attention/AttentionView.tsx';
import type { EmbeddedScene } from './scene.ts';
import './embed.css';

/** The attention view alone, over the text of the file. */
export function EmbedApp({ scene }: { readonly scene: EmbeddedScene }) {
  const { error } = opened.value;
  const { text, target, pair } = scene.input;
  useEffect(() => {
    document.title = t('title', { model: scene.card.name });
  });
  return (
    <>
      <header class="header">
        <h1>qkv</h1>
        <div class="model-name">
          <strong title={scene.card.name}>
            <bdi>{scene.card.name}</bdi>
          </strong>
        </div>
        <div class="header-tools">
          <PageSettings />
        </div>
      </header>
      <main>
        <dl class="embedded-texts">
          <Text name={t(target === undefined ? 'text' : 'source')} text={text} />
          {target !== undefined && <Text name={t('target')} text={target} />}
          {pair !== undefined && <Text name={t('pair')} text={pair} />}
        </dl>
        <div class="panel">{error === null ? <AttentionView /> : <ErrorBox error={error} />}</div>
      </main>
      <p class="notice" role="status">
        {notice.value}
      </p>
    </>
  );
}

function Text({ name, text }: { readonly name: string; readonly text: string }) {
  return (
    <div>
      <dt class="muted small">{name}</dt>
      <dd dir="auto">{text}</dd>
    </div>
  );
}
