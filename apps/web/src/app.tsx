import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { t } from './i18n/shell.ts';
import { DropTarget } from './shell/DropTarget.tsx';
import { dialog } from './shell/dialog.ts';
import { EditList } from './shell/EditList.tsx';
import { Header } from './shell/Header.tsx';
import { HelpDialog } from './shell/HelpDialog.tsx';
import { InputFields } from './shell/InputFields.tsx';
import { useGlobalKeys } from './shell/keys.ts';
import { OpenDialog } from './shell/OpenDialog.tsx';
import { openFirst } from './shell/openFirst.ts';
import { ViewPanel } from './shell/ViewPanel.tsx';
import { notice } from './state/notice.ts';
import { view } from './state/scene.ts';
import { views } from './views/registry.ts';
import './app.css';

export function App() {
  const shown = views.find((one) => one.name === view.value) ?? views[0]!;
  const isDropping = useSignal(false);
  useGlobalKeys();
  useEffect(() => void openFirst(), []);
  useEffect(() => {
    document.title = t('app.title');
  });
  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById('panel')?.focus()}>
        {t('skip')}
      </button>
      <Header shown={shown} />
      <main>
        {shown.needsModel && <InputFields />}
        {shown.needsModel && <EditList />}
        <ViewPanel shown={shown} />
      </main>
      <p class="notice" role="status">
        {notice.value}
      </p>
      {dialog.value === 'open' && <OpenDialog />}
      {dialog.value === 'help' && <HelpDialog shown={shown} />}
      <DropTarget isDropping={isDropping} />
    </>
  );
}
