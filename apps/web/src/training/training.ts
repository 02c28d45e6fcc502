import { QkvError } from '../../../../src/base/errors.ts';
import { createWebRuntime } from '../../../../src/runtime/web/web.ts';
import { ortFiles } from '../worker/ortFiles.ts';
import type { Training } from './contract.ts';
import { PageRun } from './pageRun.ts';
import { RunStore } from './runStore.ts';

/** The trainer of the page, in this thread. `baseUrl`: where the page lies. */
export function createTraining(baseUrl: string): Training {
  let opened: Promise<RunStore | null> | undefined;
  const store = (): Promise<RunStore | null> => (opened ??= RunStore.open());
  /** The run that is here, under way or paused. */
  let run: PageRun | undefined;
  const runtime = () => createWebRuntime({ wasmPaths: ortFiles(baseUrl) });

  const close = async (): Promise<void> => {
    await run?.[Symbol.asyncDispose]();
    run = undefined;
  };

  return {
    async kept() {
      const stored = await (await store())?.read();
      return stored ? { settings: stored.settings, step: stored.state.step, events: stored.events } : null;
    },

    begin: (settings, tell) =>
      alone(async () => {
        await close();
        const kept = await store();
        await kept?.begin(settings).catch(() => {}); // whether there is space shows with the first snapshot
        run = await PageRun.open({ settings, runtime: await runtime(), baseUrl, store: kept });
        return run.run(tell);
      }),

    resume: (tell) =>
      alone(async () => {
        run ??= await again(await store());
        return run.run(tell);
      }),

    async pause() {
      run?.pause();
    },

    async discard() {
      await close();
      await (await store())?.clear();
    },

    frame: async (step) => run?.frame(step) ?? (await store())?.frame(step) ?? null,

    async modelFiles() {
      const files = run?.modelFiles;
      if (files) return files;
      const stored = await (await store())?.read();
      return stored ? { step: stored.state.step, files: await RunStore.modelFiles(stored) } : null;
    },
  };

  async function again(kept: RunStore | null): Promise<PageRun> {
    const stored = await kept?.read();
    if (stored) {
      return PageRun.open({ settings: stored.settings, runtime: await runtime(), baseUrl, store: kept, stored });
    }
    throw new QkvError('usage', { where: 'resume', got: 'no run that was kept', expected: 'one that began here' });
  }
}

/** Does the work unless another tab of the page trains: there is one place to keep a run. */
async function alone<T>(work: () => Promise<T>): Promise<T> {
  return navigator.locks.request('qkv training', { ifAvailable: true }, (lock) => {
    if (lock) return work();
    const got = 'a run that is under way, in another tab perhaps';
    throw new QkvError('usage', { where: 'training', got, expected: 'one at a time' });
  });
}
