import type { ExperimentContext } from './experiment.ts';

/** An experiment that was asked to stop, and did. */
export class Stopped extends Error {
  override readonly name = 'Stopped';
}

/** Called between two pieces of work. @throws Stopped */
export function stopIfAsked({ stop }: Pick<ExperimentContext, 'stop'>): void {
  if (stop?.aborted) throw new Stopped('the experiment was stopped');
}
