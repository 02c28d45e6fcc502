import { QkvError } from '../base/errors.ts';
import type { Recipe } from '../recipe/recipe.ts';

/**
 * Keys that a resumed run may have otherwise: they say how far and how a run is watched, not what a step computes.
 * `train.steps` and `train.minutes` move the end of a schedule from here on. The paths of data and of a teacher are compared by
 * content.
 */
const FREE = [
  /^(name|output)$/,
  /^data\.(train|validation|test|file)(\.|$)/,
  /^distill\.teacher$/,
  /^train\.(steps|epochs|minutes|saveEvery|validateEvery|logEvery|keep|earlyStopping|saveDtype)(\.|$)/,
];

/** Free too, unless the score chooses the best snapshot: scores of two metrics cannot be compared. */
const EVALUATION = /^evaluate\./;

/** Keys whose values differ, such as `model.width`, in the order of the recipe; those that may change left out. */
export function changedKeys(before: Recipe, after: Recipe): string[] {
  const [a, b] = [flatten(before), flatten(after)];
  const free = a.get('train.best') === '"score"' ? FREE : [...FREE, EVALUATION];
  return [...new Set([...a.keys(), ...b.keys()])].filter(
    (key) => a.get(key) !== b.get(key) && !free.some((pattern) => pattern.test(key)),
  );
}

export function refuseChanges(before: Recipe, after: Recipe, folder: string): void {
  const changed = changedKeys(before, after);
  if (changed.length === 0) return;
  const [a, b] = [flatten(before), flatten(after)];
  throw new QkvError('run', {
    where: folder,
    got: changed.map((key) => `${key} ${b.get(key) ?? 'left out'} (the run has ${a.get(key) ?? 'none'})`).join(', '),
    expected: 'the recipe that the run was started with',
    hint: 'Undo the change, or start a new run in another output folder',
  });
}

function flatten(value: unknown, path = '', into: Map<string, string> = new Map()): Map<string, string> {
  if (typeof value === 'object' && value !== null) {
    for (const [key, child] of Object.entries(value)) flatten(child, path === '' ? key : `${path}.${key}`, into);
  } else into.set(path, JSON.stringify(value) ?? 'null');
  return into;
}
