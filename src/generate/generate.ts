import { QkvError } from '../base/errors.ts';
import { beamSearch } from './beam.ts';
import { greedy } from './greedy.ts';
import { independentPaths } from './independentPaths.ts';
import { type GenerateOptions, resolveOptions } from './options.ts';
import type { GenerationResult } from './result.ts';
import { sample } from './sample.ts';
import type { GenerationSession } from './session.ts';

export interface GenerateCallbacks {
  /** Called with each token of a single sequence as soon as it is chosen, and its log-probability under the model. */
  readonly onToken?: (token: number, tokenScore: number) => void;
}

/**
 * Continues prompts, or writes what an encoder-decoder model makes of sources. `inputs` are token ids without padding; they
 * are worked on as one batch, or as one for each lane of the runtime, with the same results as one by one. Gives for each input its results, the best first.
 *
 * @throws QkvError `usage` where an option is unknown, impossible, or of no effect in this mode or model.
 * @throws the signal's reason where it is aborted, between two steps.
 */
export async function generate(
  session: GenerationSession,
  inputs: readonly (readonly number[])[],
  options: GenerateOptions = {},
  { onToken }: GenerateCallbacks = {},
): Promise<GenerationResult[][]> {
  const { model } = session;
  const resolved = resolveOptions(model, inputs, options);
  if (onToken && (inputs.length > 1 || resolved.numReturn > 1 || resolved.mode === 'beam')) {
    throw new QkvError('usage', {
      where: 'onToken',
      got: resolved.mode === 'beam' ? 'a beam search' : `${inputs.length * resolved.numReturn} sequences`,
      expected: 'one sequence, greedy or sampled',
    });
  }
  const onLane = (lane: number, first: number, end: number): Promise<GenerationResult[][]> => {
    const part = inputs.slice(first, end);
    if (resolved.mode === 'beam') return beamSearch(session.onLane(lane), part, resolved);
    const { vocabSize } = model;
    const strategy = resolved.mode === 'greedy' ? greedy(resolved, vocabSize) : sample(resolved, vocabSize, first);
    return independentPaths(session.onLane(lane), part, resolved, strategy, onToken);
  };
  const lanes = Math.min(session.runtime.lanes, inputs.length);
  const bounds = Array.from({ length: lanes + 1 }, (_, lane) => Math.round((lane * inputs.length) / lanes));
  const parts = await Promise.all(bounds.slice(1).map((end, lane) => onLane(lane, bounds[lane]!, end)));
  return parts.flat();
}
