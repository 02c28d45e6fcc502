import type { ValidationLine } from '../../../../../src/train/events.ts';
import type { WatchEvent, WatchedEnd, WatchedRun, WatchedStep } from '../../watch/events.ts';

/** A run as it is drawn: what its events say so far. */
export interface RunView {
  readonly run: WatchedRun | null;
  readonly steps: readonly WatchedStep[];
  /** The last step, logged or not. */
  readonly now: WatchedStep | null;
  readonly validations: readonly ValidationLine[];
  /** Steps whose attention can be had, rising. */
  readonly frames: readonly number[];
  /** Step of the last snapshot. */
  readonly saved: number | null;
  readonly notices: readonly string[];
  readonly end: { readonly reason: WatchedEnd; readonly message?: string } | null;
}

export const emptyRun: RunView = {
  run: null,
  steps: [],
  now: null,
  validations: [],
  frames: [],
  saved: null,
  notices: [],
  end: null,
};

/** The view after further events. */
export function withEvents(view: RunView, events: readonly WatchEvent[]): RunView {
  let next = { ...view };
  const steps = [...view.steps];
  const validations = [...view.validations];
  const frames = new Set(view.frames);
  for (const event of events) {
    switch (event.kind) {
      case 'run': {
        const { kind: _, ...run } = event;
        next = { ...emptyRun, run };
        steps.length = 0;
        validations.length = 0;
        frames.clear();
        break;
      }
      case 'step':
        if (event.isLogged) steps.push(event);
        next = { ...next, now: event, end: null };
        break;
      case 'validation':
        validations.push(event);
        break;
      case 'attention':
        frames.add(event.step);
        break;
      case 'notice':
        next = { ...next, notices: [...next.notices, event.text] };
        break;
      case 'end':
        next = {
          ...next,
          end: { reason: event.reason, ...(event.message !== undefined && { message: event.message }) },
        };
        break;
      case 'saved':
        next = { ...next, saved: event.step };
        break;
      case 'test':
        break;
    }
  }
  return { ...next, steps, validations, frames: [...frames].sort((a, b) => a - b) };
}
