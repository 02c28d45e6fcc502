import { IGNORED_LABEL } from '../data/bucketBatches.ts';
import { fetch, type Graph } from '../graph/graph.ts';
import type { Tensors } from '../runtime/runtime.ts';
import type { ExperimentContext } from './experiment.ts';
import { stopIfAsked } from './stopIfAsked.ts';

/**
 * Outputs or named values of a graph on these feeds, of which it takes what it needs.
 *
 * @throws Stopped
 */
export async function measure(
  context: Pick<ExperimentContext, 'runtime' | 'stop'>,
  graph: Graph,
  names: readonly string[],
  feeds: Tensors,
): Promise<Tensors> {
  stopIfAsked(context);
  using program = await context.runtime.compile(fetch(graph, names), { label: 'measure' });
  const own = Object.fromEntries(program.feeds.map((name) => [name, feeds[name]!]));
  const [outputs] = await context.runtime.run([{ program, feeds: own }]);
  return outputs!;
}

/** The share of labels that are predicted, of those whose index in the batch's labels `counts` holds for. */
export function accuracy(
  { predicted, labels }: { readonly predicted: ArrayLike<number>; readonly labels: ArrayLike<number> },
  counts: (index: number) => boolean = () => true,
): number {
  let [right, all] = [0, 0];
  for (let i = 0; i < labels.length; i++) {
    if (labels[i] === IGNORED_LABEL || !counts(i)) continue;
    all++;
    if (predicted[i] === labels[i]) right++;
  }
  return right / all;
}
