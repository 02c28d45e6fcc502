/**
 * How many steps a run with a time limit will make. Schedules are functions of the step, so a limit in minutes has to
 * become a number of steps: it is estimated from the speed at a few moments of the run, and each time a snapshot is
 * saved with the new number in it. Hence no learning rate depends on anything that a snapshot does not hold: a run that is
 * killed between two snapshots repeats its steps exactly. (How many steps fit into the limit depends on the clock, killed
 * or not.) The run ends when the planned steps are done or the time is over; the late revisions make the two meet.
 */
const MOMENTS: readonly number[] = [1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 3 / 4, 7 / 8, 15 / 16];

/** How many of the moments are over after `seconds` of `limit`. */
export function revisionsDue(seconds: number, limit: number): number {
  return MOMENTS.filter((share) => seconds >= share * limit).length;
}

export interface Pace {
  /** Steps done. */
  readonly step: number;
  /** `train.steps`, never exceeded. */
  readonly steps: number;
  readonly seconds: number;
  readonly limit: number;
  readonly secondsPerStep: number;
}

export function planSteps({ step, steps, seconds, limit, secondsPerStep }: Pace): number {
  const more = Math.floor(Math.max(0, limit - seconds) / secondsPerStep);
  return Math.min(steps, step + Math.max(1, more));
}
