import { QkvError } from '../../../src/base/errors.ts';
import type { TrainedRun, TrainRecipeOptions } from '../../../src/train/trainRecipe.node.ts';
import { WatchedAttention } from '../../web/src/watch/watchedAttention.ts';
import { addPage } from '../page/addPage.ts';
import { pageState } from '../page/pageState.ts';
import { addModels } from '../page/servedModels.ts';
import { serveSite } from '../page/serveSite.ts';
import type { Site } from '../page/site.ts';
import { TrainingWatch } from './trainingWatch.ts';

export interface ServedWatch extends AsyncDisposable, Required<Pick<TrainRecipeOptions, 'onEvent' | 'onWeights'>> {
  /** Waits for the run and tells the page how it ended. */
  during(run: Promise<TrainedRun>): Promise<TrainedRun>;
}

/** Serves the page for a run of this process, and says on stderr where. @throws QkvError `io` */
export async function serveWatch(
  task: string,
  { port, ...given }: { readonly text?: string; readonly target?: string; readonly port?: number | undefined },
): Promise<ServedWatch> {
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  const site: Site = new Map();
  await addPage(site, say);
  addModels(site, []);
  const watch = new TrainingWatch(site, task, new WatchedAttention(given));
  const running = await serveSite(site, { host: '127.0.0.1', port });
  say(`Watch it at ${running.url}${pageState({ view: 'train' })}`);
  return {
    onEvent: (event) => watch.onEvent(event),
    onWeights: (live) => watch.onWeights(live),
    async during(run) {
      try {
        const done = await run;
        await watch.end(done.reason);
        return done;
      } catch (error) {
        await watch.end('failed', error instanceof QkvError ? error.message : String(error));
        throw error;
      }
    },
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
}
