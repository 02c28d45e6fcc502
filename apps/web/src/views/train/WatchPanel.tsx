import { t } from '../../i18n/train.ts';
import { RunPanels } from './RunPanels.tsx';
import { connection, watchFeed } from './watchedRun.ts';

/** The run of the command line that serves this page. */
export function WatchPanel() {
  const { run, end } = watchFeed.view.value;
  const state = end !== null ? t(`end.${end.reason}`) : t(`connection.${connection.value}`);
  return (
    <div class="page-run">
      <div class="controls">
        <h2>
          <bdi>{run?.name ?? t('watch.waiting')}</bdi>
        </h2>
        {run !== null && (
          <span class="muted small">
            <bdi>
              {run.task} · {run.family} · {run.folder}
            </bdi>
          </span>
        )}
        <p class="run-stage" role="status">
          {state}
        </p>
      </div>
      {end?.message !== undefined && (
        <p class="warning" lang="en">
          <bdi>{end.message}</bdi>
        </p>
      )}
      <RunPanels feed={watchFeed} />
    </div>
  );
}
