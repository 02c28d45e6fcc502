import { useEffect, useState } from 'preact/hooks';
import { t } from '../../i18n/train.ts';
import { notify } from '../../state/notice.ts';
import { replaceInput, setModel, view } from '../../state/scene.ts';
import { Button } from '../../ui/Button.tsx';
import { ErrorBox } from '../../ui/ErrorBox.tsx';
import {
  begin,
  discard,
  failure,
  lookForKept,
  modelFiles,
  pageFeed,
  pause,
  resume,
  settings,
  stage,
  storage,
} from './pageTraining.ts';
import { RunPanels } from './RunPanels.tsx';
import { SettingsForm } from './SettingsForm.tsx';

/** A model that is trained here. */
export function PageRunPanel() {
  useEffect(() => void lookForKept(), []);
  const now = stage.value;
  const isFree = now === 'none';
  return (
    <div class="page-run">
      {now === 'looking' && <p class="muted">{t('looking')}</p>}
      {isFree && <SettingsForm />}
      {!isFree && now !== 'looking' && <Chosen />}
      <Controls />
      {!globalThis.crossOriginIsolated && <p class="warning small">{t('slow')}</p>}
      {!isFree && storage.value !== 'kept' && <p class="warning small">{t(`storage.${storage.value}`)}</p>}
      {failure.value !== null && <ErrorBox error={failure.value} />}
      {!isFree && <h2 class="hidden-text">{t('run')}</h2>}
      <RunPanels feed={pageFeed} />
    </div>
  );
}

function Chosen() {
  const { data, layers, heads, width, block, batch, rate } = settings.value;
  return (
    <p class="muted small">
      {t(`data.${data}`)} · {t('chosen', { layers, heads, width, block, batch })} · {t('size.rate')} {rate}
    </p>
  );
}

function Controls() {
  const now = stage.value;
  const [isSure, setSure] = useState(false);
  const step = pageFeed.view.value.now?.step ?? 0;
  const hasModel = now !== 'starting' && (pageFeed.view.value.saved !== null || now === 'kept' || now === 'over');
  const status = now === 'looking' || now === 'none' ? '' : t(`stage.${now}`, { step });
  return (
    <div class="controls">
      {now === 'none' && (
        <Button kind="main" onClick={() => void begin()}>
          {t('start')}
        </Button>
      )}
      {(now === 'running' || now === 'starting' || now === 'pausing') && (
        <Button kind="main" isDisabled={now !== 'running'} onClick={() => void pause()}>
          {t('pause')}
        </Button>
      )}
      {(now === 'paused' || now === 'kept') && (
        <Button kind="main" onClick={() => void resume()}>
          {t('resume')}
        </Button>
      )}
      {hasModel && now !== 'none' && <Button onClick={() => void openTrained()}>{t('inside')}</Button>}
      {(now === 'paused' || now === 'kept' || now === 'over') &&
        (isSure ? (
          <>
            <Button
              onClick={() => {
                setSure(false);
                void discard();
              }}
            >
              {t('discard.sure')}
            </Button>
            <Button kind="plain" onClick={() => setSure(false)}>
              {t('discard.not')}
            </Button>
          </>
        ) : (
          <Button kind="plain" onClick={() => setSure(true)}>
            {t('discard')}
          </Button>
        ))}
      <p class="run-stage" role="status">
        {status}
      </p>
    </div>
  );
}

/** Opens the last snapshot in the attention view, with the text that was watched. */
async function openTrained(): Promise<void> {
  const found = await modelFiles();
  if (found === null) {
    notify(t('inside.none'));
    return;
  }
  const { run } = pageFeed.view.peek();
  const { source = [], target = [] } = run?.text ?? {};
  const textOf = (tokens: typeof source): string =>
    tokens
      .filter(({ isSpecial }) => !isSpecial)
      .map(({ text }) => text)
      .join('');
  setModel({ kind: 'files', name: `${run?.name ?? 'trained'}-step-${found.step}`, files: found.files });
  replaceInput({ text: textOf(source.length > 0 ? source : target) });
  view.value = 'attention';
}
