import { existsSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { QkvError } from '../../../src/base/errors.ts';
import { watchEvents } from '../../web/src/watch/events.ts';
import { interruptSignal } from '../interrupt.ts';
import { followRun, runOf } from '../watch/followRun.ts';
import { WatchLog } from '../watch/watchLog.ts';
import { addPage } from './addPage.ts';
import { openBrowser } from './openBrowser.ts';
import { pageState } from './pageState.ts';
import { addModels, servedModels } from './servedModels.ts';
import { serveSite } from './serveSite.ts';
import type { Site } from './site.ts';

export interface PageOptions {
  readonly target?: string;
  readonly pair?: string;
  readonly port?: number;
  readonly host?: string;
  readonly open?: boolean;
  readonly watch?: boolean;
  readonly json?: boolean;
}

/** Serves the page with these models until Ctrl-C; with `watch` the run that the one of them is the folder of. */
export async function lookPage(
  models: readonly string[],
  text: string | undefined,
  { target, pair, port, host = '127.0.0.1', open = false, watch = false, json = false }: PageOptions,
): Promise<void> {
  if (target !== undefined && text === undefined) {
    throw new QkvError('usage', { where: '--target', got: 'no TEXT', expected: 'the text that it is the target of' });
  }
  if (pair !== undefined && text === undefined) {
    throw new QkvError('usage', { where: '--pair', got: 'no TEXT', expected: 'the first text of the pair' });
  }
  if (watch && (models.length !== 1 || text !== undefined)) {
    const got = text === undefined ? `${models.length} folders` : 'a TEXT';
    throw new QkvError('usage', { where: '--watch', got, expected: 'the folder of one run' });
  }
  const run = watch ? await runOf(models[0]!) : undefined;
  // a run that goes on may have no model yet
  const served = await servedModels(watch ? models.filter((folder) => existsSync(join(folder, 'model'))) : models);
  const site: Site = new Map();
  await addPage(site, say);
  addModels(site, served);

  const stop = interruptSignal();
  const log = new WatchLog();
  if (run) site.set(watchEvents, { kind: 'stream', open: (request, response) => log.open(request, response) });
  await using running = await serveSite(site, { host, port });
  warnOfOthers(host);
  const model = served[0] && `served:${served[0].name}`;
  const state = { view: watch ? 'train' : undefined, model, text, target, pair };
  const url = `${running.url}${pageState(state)}`;
  const names = served.map(({ name, from }) => ({ name, from }));
  process.stdout.write(`${json ? JSON.stringify({ url, models: names }) : url}\n`);
  if (!json) say('Ctrl-C ends it.');
  if (open) openBrowser(url);
  await (run ? followRun(run, log, stop) : aborted(stop));
}

/** Says what it means to listen to more than this machine. */
function warnOfOthers(host: string): void {
  const isOwn = host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
  if (isOwn) return;
  say(
    `note: whoever reaches ${host} can read what is served here. Browsers elsewhere compute on one thread, as threads need https.`,
  );
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) done();
    else signal.addEventListener('abort', () => done(), { once: true });
  });
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
