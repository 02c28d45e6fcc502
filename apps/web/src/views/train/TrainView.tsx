import { type Signal, signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { t } from '../../i18n/train.ts';
import { Tabs } from '../../ui/Tabs.tsx';
import { PageRunPanel } from './PageRunPanel.tsx';
import { WatchPanel } from './WatchPanel.tsx';
import { connection, lookForWatched } from './watchedRun.ts';
import './train.css';

const where: Signal<'watch' | 'page'> = signal('watch');

/** Models that learn: one in this page, and the run of the command line where one serves the page. */
export default function TrainView() {
  useEffect(() => void lookForWatched(), []);
  if (connection.value === 'looking') return <p class="muted">{t('looking')}</p>;
  if (connection.value === 'none') {
    return (
      <div class="train">
        <p>{t('intro')}</p>
        <PageRunPanel />
      </div>
    );
  }
  return (
    <div class="train">
      <Tabs
        label={t('where')}
        panel="train-run"
        value={where.value}
        tabs={[
          { value: 'watch', text: t('where.watch') },
          { value: 'page', text: t('where.page') },
        ]}
        onChange={(value) => (where.value = value)}
      />
      <div id="train-run" role="tabpanel" aria-labelledby={`train-run-tab-${where.value}`}>
        {where.value === 'watch' ? <WatchPanel /> : <PageRunPanel />}
      </div>
    </div>
  );
}
