import * as z from 'zod/mini';
import { QkvError } from '../base/errors.ts';
import { schemaMessages } from '../base/schemaMessages.ts';

const count = z.int().check(z.minimum(0));

/** What goes on from a snapshot besides weights and moments: `state.json`. */
export interface RunState {
  format: 1;
  seed: number;
  /** Optimizer steps done. */
  step: number;
  /** The batch that comes next. */
  position: { epoch: number; batchIndex: number };
  /** Steps of the whole run as they are planned: `train.steps`, or fewer where `train.minutes` will end it. */
  plannedSteps: number;
  /** How many of the moments at which the plan is revised are over. */
  revisions: number;
  /** Tokens that the steps have had, padding left out. */
  tokens: number;
  /** Seconds that the run has taken. */
  seconds: number;
  /** The step of the last validation that was completed, 0 before the first. */
  validated: number;
  /** `snapshot` is null where it is the one that this is part of. */
  best: { step: number; value: number; snapshot: string | null } | null;
  /** Validations since the best one. */
  stale: number;
  /** Of the training data. */
  fingerprint: string;
  /** Of the teacher's weights; null without one. */
  teacher: string | null;
  /** Lanes of the engine: with another number sums are rounded otherwise. */
  lanes: number;
}

const schema = z.strictObject({
  format: z.literal(1),
  seed: count,
  step: count,
  position: z.strictObject({ epoch: count, batchIndex: count }),
  plannedSteps: count,
  revisions: count,
  tokens: z._default(count, 0), // a snapshot of before they were counted: from here on
  seconds: z.number().check(z.minimum(0)),
  validated: count,
  best: z.nullable(z.strictObject({ step: count, value: z.number(), snapshot: z.nullable(z.string()) })),
  stale: count,
  fingerprint: z.string(),
  teacher: z._default(z.nullable(z.string()), null),
  lanes: z.int().check(z.minimum(1)),
});

export function parseRunState(text: string, where: string): RunState {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new QkvError('run', { where, got: String(cause), expected: 'JSON', cause });
  }
  const result = schema.safeParse(json, schemaMessages);
  if (result.success) return result.data;
  throw new QkvError('run', {
    where,
    got: z.prettifyError(result.error),
    expected: 'the state of a run of this version of qkv',
  });
}

export function newRunState(
  start: Pick<RunState, 'seed' | 'plannedSteps' | 'fingerprint' | 'teacher' | 'lanes'>,
): RunState {
  return {
    ...start,
    format: 1,
    step: 0,
    position: { epoch: 0, batchIndex: 0 },
    revisions: 0,
    tokens: 0,
    seconds: 0,
    validated: 0,
    best: null,
    stale: 0,
  };
}
