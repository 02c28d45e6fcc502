import { wrap } from 'comlink';
import { connect } from '../../../apps/web/src/worker/client.ts';
import { makeEngineSuite } from './engineSuite.ts';
import { runtimeSuite } from './runtimeSuite.ts';
import { storageSuite } from './storageSuite.ts';

/** What tests call: `suites.page.conformance(…)` in the page itself, `suites.worker.…` in a worker of it, `suites.engine.…` and `suites.storage.…`. */
const worker = wrap<typeof runtimeSuite>(
  new Worker(new URL('./suiteWorker.ts', import.meta.url), { type: 'module', name: 'suite' }),
);
Object.assign(globalThis, {
  suites: { page: runtimeSuite, worker, engine: makeEngineSuite(connect), storage: storageSuite },
});
