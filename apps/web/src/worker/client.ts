import { proxy, type Remote, wrap } from 'comlink';
import type { Backend } from '../../../../src/runtime/web/ort.ts';
import type { Engine } from './contract.ts';
import { EngineFailure } from './engineError.ts';
import type { RemoteService, Services } from './wire.ts';

/** All methods of a service. */
export type Names<Service> = { readonly [Name in keyof Service]: true };

const engine: Names<Engine> = {
  info: true,
  open: true,
  close: true,
  read: true,
  attention: true,
  steps: true,
  predictions: true,
  lens: true,
  statistics: true,
  norms: true,
  attribution: true,
  generate: true,
  stop: true,
};

export interface ConnectOptions {
  /** The address of another hub than Hugging Face's. */
  readonly hub?: string;
  /** What the engine shall compute on: `wasm` when left out. Where `webgpu` cannot be had it is `wasm`, and `info` says why. */
  readonly backend?: Backend;
}

/** Starts the worker that computes for the views: see `startService`. */
export function connect(options: ConnectOptions = {}): Promise<Engine> {
  return startService('engine', engine, options);
}

/**
 * Starts a worker. What it reads lies beside the page: models (`models/`, `served/`), texts and ONNX Runtime's files (`ort/`).
 * Calls that fail reject with an `EngineError`; a worker that cannot be started rejects here.
 */
export async function startService<Name extends keyof Services>(
  name: Name,
  names: Names<Services[Name]>,
  { hub, backend = 'wasm' }: ConnectOptions = {},
): Promise<Services[Name]> {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  const failed = new Promise<never>((_, reject) => {
    worker.addEventListener('error', ({ message }) => {
      reject(new EngineFailure({ code: 'runtime', message: message || 'its script does not load', where: 'worker' }));
    });
  });
  failed.catch(() => {});
  const remote = wrap<RemoteService>(worker);
  const places = { baseUrl: document.baseURI, ...(hub !== undefined && { hub }) };
  await Promise.race([remote.start(name, places, backend), failed]);
  const methods = Object.keys(names).map((method) => [
    method,
    async (...args: unknown[]) => Promise.race([call(remote, method, args), failed]),
  ]);
  return Object.fromEntries(methods) as Services[Name];
}

async function call(remote: Remote<RemoteService>, name: string, args: readonly unknown[]): Promise<unknown> {
  const sent = args.map((arg) => (typeof arg === 'function' ? proxy(arg) : arg));
  const outcome = await remote.call(name, ...sent);
  if ('error' in outcome) throw new EngineFailure(outcome.error);
  return outcome.value;
}
