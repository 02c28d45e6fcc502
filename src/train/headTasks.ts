import { fieldText } from '../data/records.ts';
import type { HeadRecipe } from '../recipe/headRecipes.ts';
import type { Recipe } from '../recipe/recipe.ts';
import type { TokenizerFiles } from '../tokenizer/tokenizerFiles.ts';
import type { Predictor, RecordParts } from './headTask.ts';
import type { StartingPoint } from './recipeModel.ts';
import { sequenceClassificationTask } from './sequenceClassificationTask.ts';
import type { TrainingTask } from './task.ts';

export function isHeadRecipe(recipe: Recipe): recipe is HeadRecipe {
  return recipe.task === 'sequence-classification';
}

/** The task of a recipe for a head. @throws QkvError `data`, `recipe` */
export function headTask(
  recipe: HeadRecipe,
  records: RecordParts,
  files: TokenizerFiles,
  start: StartingPoint | undefined,
  predictor: Predictor,
): TrainingTask {
  return sequenceClassificationTask(recipe, records, files, start, predictor);
}

/** What a tokenizer learns from. */
export function* trainingTexts({ data }: HeadRecipe, { train }: RecordParts): Iterable<string> {
  const { text, pair } = data.fields;
  for (const record of train) {
    yield fieldText(record, text);
    if (pair !== undefined) yield fieldText(record, pair);
  }
}
