import { expose, type ProxyMarked, type Remote, releaseProxy, transfer } from 'comlink';
import type { Backend } from '../../../../src/runtime/web/ort.ts';
import { createEngine } from './engine.ts';
import { engineErrorOf } from './engineError.ts';
import type { Places } from './openSource.ts';
import { buffersIn, type RemoteService, type Services } from './wire.ts';

/* A thread that computes: one service, called through comlink. */

/** A function of the page, such as one that hears of progress. */
type Callback = Remote<((...given: unknown[]) => void) & ProxyMarked>;

let service: object | undefined;

const services: { readonly [Name in keyof Services]: (places: Places, backend: Backend) => Promise<Services[Name]> } = {
  engine: async (places, backend) => createEngine(places, backend),
  training: async ({ baseUrl }) => (await import('../training/training.ts')).createTraining(baseUrl),
};

const remote: RemoteService = {
  async start(name, places, backend) {
    service ??= await services[name](places, backend);
  },
  async call(name, ...args) {
    const callbacks = args.filter((arg): arg is Callback => typeof arg === 'function');
    let heard: Promise<unknown> = Promise.resolve();
    const given = args.map((arg) =>
      typeof arg === 'function' ? (...values: unknown[]) => void (heard = (arg as Callback)(...values)) : arg,
    );
    try {
      const method = Reflect.get(service!, name) as (...all: unknown[]) => Promise<unknown>;
      const value = await method(...given);
      // callbacks come on ports of their own: the result must not overtake them
      await heard;
      return transfer({ value }, [...buffersIn(value)]);
    } catch (thrown) {
      return { error: engineErrorOf(thrown) };
    } finally {
      for (const callback of callbacks) callback[releaseProxy]();
    }
  },
};

expose(remote);
