import { connect } from '../worker/client.ts';
import type { Engine, EngineError } from '../worker/contract.ts';
import { backend } from './settings.ts';

/** The worker that computes. */
export const engine: Promise<Engine> = connect({ backend: backend.value });

// What is asked makes the worker prepare its runtime while the model is still being fetched. Who opens a model hears of a failure.
engine.then((connected) => connected.info()).catch(() => {});

/** What was thrown, as an error that can be shown. */
export function asEngineError(thrown: unknown): EngineError {
  if (typeof thrown === 'object' && thrown !== null && 'message' in thrown) {
    const code = 'code' in thrown ? String(thrown.code) : 'defect';
    return { ...(thrown as EngineError), code, message: String(thrown.message) };
  }
  return { code: 'defect', message: String(thrown) };
}
