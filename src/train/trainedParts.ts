import { QkvError } from '../base/errors.ts';
import { declarationsOf, traceParameters } from '../models/declarations.ts';
import type { Model } from '../models/model.ts';
import { type NamedParameter, namedParameters, namePattern, noMatch } from '../models/storedNames.ts';
import { withLoraPlan } from '../models/withLoraPlan.ts';
import { isLoraParameter, type LoraPlan } from '../nn/lora.ts';
import type { ParameterDeclaration } from '../nn/scope.ts';
import { linearModules } from '../pretrained/adapterFolder.ts';
import type { AdapterRecipe, Recipe } from '../recipe/recipe.ts';
import { isLastLayer, newHead } from './newHead.ts';
import type { StartingPoint } from './recipeModel.ts';

export interface TrainedModel<M extends Model> {
  readonly model: M;
  readonly declarations: readonly ParameterDeclaration[];
}

/**
 * What of a model is trained: all of it, all but `train.freeze`, or an adapter and, beside it, the last layer of a head
 * with classes and what else is not in the base, as PEFT has it. What is not trained has no gradient and no moments.
 *
 * @throws QkvError `recipe` for patterns that match nothing, and where nothing is left to train
 */
export function trainedParts<M extends Model>(
  { model: { family }, train: { adapter, freeze } }: Recipe,
  model: M,
  declarations: readonly ParameterDeclaration[],
  start: StartingPoint | undefined,
): TrainedModel<M> {
  if (adapter === null) {
    if (freeze.length === 0) return { model, declarations };
    const frozen = matchingParameters('train.freeze', freeze, namedParameters(model, declarations));
    const rest = declarations.map((one) => (frozen.has(one.path) ? { ...one, trainable: false } : one));
    if (!rest.some(({ trainable }) => trainable)) {
      throw new QkvError('recipe', { where: 'train.freeze', got: 'every parameter', expected: 'some left to train' });
    }
    return { model, declarations: rest };
  }
  if (family !== 'pretrained' || !start) {
    throw new QkvError('recipe', {
      where: 'train.adapter',
      got: `a new ${family} model`,
      expected: 'model.family: pretrained: an adapter is a change of weights that exist',
    });
  }
  if (freeze.length > 0) {
    throw new QkvError('recipe', {
      where: 'train.freeze',
      got: 'patterns, beside train.adapter',
      expected: '[]: beside an adapter all weights are frozen but those of adapter.alsoTrain',
    });
  }
  const names = namedParameters(model, declarations);
  const also = new Set([
    ...matchingParameters('train.adapter.alsoTrain', adapter.alsoTrain, names),
    ...newHead(model, declarations, start),
    ...declarations.map(({ path }) => path).filter(isLastLayer),
  ]);
  const adapted = withLoraPlan(model, loraPlan(adapter, model, declarations, also));
  return {
    model: adapted,
    declarations: declarationsOf(adapted).map((one) => ({
      ...one,
      trainable: isLoraParameter(one.path) || (one.trainable && also.has(one.path)),
    })),
  };
}

/** The paths of the parameters that a pattern matches, by their own name or by that of a place that they are in. */
function matchingParameters(where: string, patterns: readonly string[], names: readonly NamedParameter[]): Set<string> {
  const found = new Set<string>();
  for (const pattern of patterns) {
    const regex = namePattern(pattern);
    const hits = names.filter(({ path, key }) =>
      [path, key].some((name) => places(name).some((one) => regex.test(one))),
    );
    if (hits.length === 0)
      throw noMatch(
        where,
        pattern,
        names.flatMap(({ path, key }) => [path, key]),
      );
    for (const { path } of hits) found.add(path);
  }
  return found;
}

/** `a.b.c` → `a.b.c`, `a.b`, `a` */
function places(name: string): string[] {
  return name.split('.').map((_, i, parts) => parts.slice(0, parts.length - i).join('.'));
}

/** Targets are matched as PEFT matches them: a name, or the end of one. */
function loraPlan(
  { rank, alpha, dropout, targets }: AdapterRecipe,
  model: Model,
  declarations: readonly ParameterDeclaration[],
  also: ReadonlySet<string>,
): LoraPlan {
  const where = 'train.adapter.targets';
  const { linears } = traceParameters(model);
  const modules = linearModules(model, {
    placements: declarations.map((one) => ({ ...one, offset: 0, size: 0 })),
  }).filter(({ paths }) => paths.every((path) => linears.has(path) && !also.has(`${path}.weight`)));
  const layers = new Map<string, string>();
  for (const target of targets) {
    const regex = target === 'all-linear' ? /^/ : new RegExp(namePattern(target).source.replace('^', '^(?:.*\\.)?'));
    const hits = modules.filter(({ module, paths }) => [module, ...paths].some((name) => regex.test(name)));
    if (hits.length === 0)
      throw noMatch(
        where,
        target,
        modules.flatMap(({ module, paths }) => [moduleEnd(module), ...paths]),
      );
    for (const { module, paths } of hits) {
      if (!regex.test(module) && !paths.every((path) => regex.test(path))) {
        throw new QkvError('recipe', {
          where,
          got: JSON.stringify(target),
          expected: `${moduleEnd(module)}: the checkpoint keeps ${paths.join(', ')} as one layer, which has one adapter`,
        });
      }
      for (const path of paths) layers.set(path, paths[0]!);
    }
  }
  return { rank, scale: alpha / rank, dropout, layers };
}

function moduleEnd(module: string): string {
  return module.slice(module.lastIndexOf('.') + 1);
}
