import { startService } from '../worker/client.ts';
import type { Training } from './contract.ts';

/** Starts the worker that trains. */
export function connectTraining(): Promise<Training> {
  return startService('training', {
    kept: true,
    begin: true,
    resume: true,
    pause: true,
    discard: true,
    frame: true,
    modelFiles: true,
  });
}
