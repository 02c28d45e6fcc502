import { QkvError } from '../base/errors.ts';
import { nearest } from '../recipe/nearest.ts';
import type { Experiment } from './experiment.ts';

/** Experiments by name, each loaded when it is asked for, in the order in which a reader meets them. */
const experiments: Readonly<Record<string, () => Promise<Experiment>>> = {
  scale: async () => (await import('./scale.ts')).scale,
  heads: async () => (await import('./heads.ts')).heads,
  positions: async () => (await import('./positions.ts')).positions,
  masks: async () => (await import('./masks.ts')).masks,
  parallel: async () => (await import('./parallel.ts')).parallel,
  distance: async () => (await import('./distance.ts')).distance,
  complexity: async () => (await import('./complexity.ts')).complexity,
  masking: async () => (await import('./masking.ts')).masking,
  sentences: async () => (await import('./sentences.ts')).sentences,
  sharing: async () => (await import('./sharing.ts')).sharing,
  distillation: async () => (await import('./distillation.ts')).distillation,
};

export const experimentNames: readonly string[] = Object.keys(experiments);

/** @throws QkvError `usage` for a name that no experiment has */
export function loadExperiment(name: string): Promise<Experiment> {
  const load = Object.hasOwn(experiments, name) ? experiments[name] : undefined;
  if (load) return load();
  const meant = nearest(name, experimentNames);
  throw new QkvError('usage', {
    where: 'experiment',
    got: name,
    expected: `one of ${experimentNames.join(', ')}`,
    ...(meant !== undefined && { hint: `Did you mean ${meant}?` }),
  });
}
