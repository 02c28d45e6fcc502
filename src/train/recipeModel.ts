import { QkvError } from '../base/errors.ts';
import type { JsonObject } from '../checkpoint/checkpoint.ts';
import type { StoredTensor } from '../checkpoint/safetensors.ts';
import { declarationsOf } from '../models/declarations.ts';
import type { HeadName } from '../models/encoderHead.ts';
import type { Model } from '../models/model.ts';
import { parseModel } from '../models/registry.ts';
import type { ParameterDeclaration } from '../nn/scope.ts';
import type { Recipe } from '../recipe/recipe.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { modelConfig, withInit } from './modelConfig.ts';
import { trainedParts } from './trainedParts.ts';

/** A model that exists and is trained further. */
export interface StartingPoint {
  readonly location: string;
  readonly config: JsonObject;
  readonly generationConfig: JsonObject | undefined;
  /** Of its checkpoint, by key. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

type ModelOfKind<Kind extends Model['kind']> = Extract<Model, { readonly kind: Kind }>;

/**
 * The model that a recipe trains, `start` where that exists already, and its parameters with the recipe's initial values;
 * of an encoder with the head that the task needs.
 *
 * @throws QkvError `config` for what a family cannot honour, `recipe` for a model that cannot do the task
 */
export function recipeModel<Kind extends Model['kind']>(
  recipe: Recipe,
  kind: Kind,
  tokenizer: Tokenizer,
  start: StartingPoint | undefined,
  head?: HeadName,
): { readonly model: ModelOfKind<Kind>; readonly declarations: readonly ParameterDeclaration[] } {
  const { pad, bos, eos } = tokenizer.specialIds;
  if (recipe.model.family !== 'pretrained') {
    const facts = { size: tokenizer.vocabSize, padId: pad, bosId: bos, eosId: eos };
    const model = parseModel(modelConfig(recipe.model, facts), 'model.config', undefined, head) as ModelOfKind<Kind>;
    return trainedParts(recipe, model, withInit(recipe.model, declarationsOf(model)), undefined);
  }
  const model = parseStart(start!, head);
  if (model.kind !== kind) {
    throw new QkvError('recipe', {
      where: 'model.from',
      got: `a ${model.family} model (${model.kind})`,
      expected: `a model for the task ${recipe.task} (${kind})`,
    });
  }
  if (tokenizer.vocabSize > model.vocabSize) {
    throw new QkvError('recipe', {
      where: 'tokenizer',
      got: `${tokenizer.vocabSize} tokens`,
      expected: `at most ${model.vocabSize}, those that the model has embeddings for`,
      hint: 'tokenizer: { kind: model } takes its own',
    });
  }
  return trainedParts(recipe, model as ModelOfKind<Kind>, declarationsOf(model), start);
}

/**
 * The longest sequence of the model that a recipe trains, in tokens.
 *
 * @throws QkvError `config` for what the family cannot honour
 */
export function maxLengthOf({ model }: Recipe, start: StartingPoint | undefined): number {
  if (model.family === 'pretrained') return parseStart(start!).maxLength;
  if ('maxLength' in model) return model.maxLength;
  return parseModel(modelConfig(model, { size: 1, padId: 0, bosId: 0, eosId: 0 }), 'model.config').maxLength;
}

/** @throws QkvError `recipe` where sequences of a recipe are longer than its model takes. */
export function checkedLength(where: string, length: number, { maxLength }: Model): number {
  if (length <= maxLength) return length;
  throw new QkvError('recipe', { where, got: String(length), expected: `at most ${maxLength}, what the model takes` });
}

function parseStart({ config, location, tensors }: StartingPoint, head?: HeadName): Model {
  return parseModel(config, `${location}/config.json`, new Set(tensors.keys()), head);
}
