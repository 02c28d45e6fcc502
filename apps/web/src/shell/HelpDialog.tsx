import { useEffect, useState } from 'preact/hooks';
import { t } from '../i18n/shell.ts';
import { engine } from '../state/engine.ts';
import { backend, singleKeys } from '../state/settings.ts';
import { Dialog } from '../ui/Dialog.tsx';
import { Toggle } from '../ui/Toggle.tsx';
import type { View } from '../views/registry.ts';
import type { EngineInfo } from '../worker/contract.ts';
import { dialog } from './dialog.ts';

const hasGpu = 'gpu' in navigator;

/** The keys of the whole page and of the view that is shown. */
export function HelpDialog({ shown }: { readonly shown: View }) {
  const [info, setInfo] = useState<EngineInfo | null>(null);
  useEffect(() => void engine.then((connected) => connected.info()).then(setInfo, () => {}), []);
  return (
    <Dialog title={t('help.title')} onClose={() => (dialog.value = null)}>
      <Keys
        title={t('help.everywhere')}
        keys={[
          ['?', t('key.help')],
          ['o', t('key.open')],
          ['1 – 9', t('key.view')],
          ['Ctrl+Z  Ctrl+Y', t('key.undo')],
          ['Esc', t('key.escape')],
        ]}
      />
      {shown.keys && <Keys title={shown.label()} keys={shown.keys()} />}
      <div>
        <Toggle label={t('help.singleKeys')} isOn={singleKeys.value} onChange={(isOn) => (singleKeys.value = isOn)} />
        <p class="muted small">{t('help.singleKeys.hint')}</p>
      </div>
      <div>
        <Toggle
          label={t('help.gpu')}
          isOn={backend.value === 'webgpu'}
          isDisabled={!hasGpu}
          onChange={(isOn) => {
            backend.value = isOn ? 'webgpu' : 'wasm';
            location.reload();
          }}
        />
        <p class="muted small">{t(hasGpu ? 'help.gpu.hint' : 'help.gpu.none')}</p>
        {info !== null && info.refusal !== null && (
          <p role="alert">{t('help.gpu.refused', { reason: info.refusal })}</p>
        )}
      </div>
      <p>{t('help.private')}</p>
      {info && <p class="muted small">{t('help.version', { version: __VERSION__, ...info })}</p>}
    </Dialog>
  );
}

function Keys({ title, keys }: { readonly title: string; readonly keys: readonly (readonly [string, string])[] }) {
  return (
    <section>
      <h3>{title}</h3>
      <dl class="keys">
        {keys.map(([key, what]) => (
          <div key={key}>
            <dt>
              {key.split('  ').map((one) => (
                <kbd key={one}>{one}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
