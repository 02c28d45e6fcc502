import { unreachable } from '../base/errors.ts';
import { type DataRecord, type FieldName, fieldText } from '../data/records.ts';
import type { SentenceEncoder } from '../pretrained/sentenceEncoder.ts';
import type { HeadRecipe } from '../recipe/headRecipes.ts';
import type { Recipe } from '../recipe/recipe.ts';
import type { TokenizerFiles } from '../tokenizer/tokenizerFiles.ts';
import type { Predictor, RecordParts } from './headTask.ts';
import { choicesOf, multipleChoiceTask } from './multipleChoiceTask.ts';
import { questionAnsweringTask } from './questionAnsweringTask.ts';
import type { StartingPoint } from './recipeModel.ts';
import { sentenceEmbeddingTask } from './sentenceEmbeddingTask.ts';
import { sequenceClassificationTask } from './sequenceClassificationTask.ts';
import type { TrainingTask } from './task.ts';
import { tokenClassificationTask, wordsOf } from './tokenClassificationTask.ts';

/** `sentenceEncoder`: how a model that is trained further makes vectors of texts, where it says so. */
export type HeadStart = StartingPoint & { readonly sentenceEncoder?: SentenceEncoder | undefined };

const tasks: readonly Recipe['task'][] = [
  'sequence-classification',
  'token-classification',
  'question-answering',
  'multiple-choice',
  'sentence-embedding',
] satisfies HeadRecipe['task'][];

export function isHeadRecipe(recipe: Recipe): recipe is HeadRecipe {
  return tasks.includes(recipe.task);
}

/** The task of a recipe for a head. @throws QkvError `data`, `recipe` */
export function headTask(
  recipe: HeadRecipe,
  records: RecordParts,
  files: TokenizerFiles,
  start: HeadStart | undefined,
  predictor: Predictor,
): TrainingTask {
  switch (recipe.task) {
    case 'sequence-classification':
      return sequenceClassificationTask(recipe, records, files, start, predictor);
    case 'token-classification':
      return tokenClassificationTask(recipe, records, files, start, predictor);
    case 'question-answering':
      return questionAnsweringTask(recipe, records, files, start, predictor);
    case 'multiple-choice':
      return multipleChoiceTask(recipe, records, files, start, predictor);
    case 'sentence-embedding':
      return sentenceEmbeddingTask(recipe, records, files, start, predictor);
    default:
      return unreachable(recipe);
  }
}

/** What a tokenizer learns from. */
export function* trainingTexts(recipe: HeadRecipe, { train }: RecordParts): Iterable<string> {
  for (const record of train) yield* textsOf(recipe, record);
}

function textsOf(recipe: HeadRecipe, record: DataRecord): readonly string[] {
  const texts = (...fields: (FieldName | undefined)[]): string[] =>
    fields.flatMap((field) => (field === undefined ? [] : fieldText(record, field)));
  switch (recipe.task) {
    case 'token-classification':
      return [wordsOf(recipe, record).words.join(' ')];
    case 'question-answering': {
      const { question, context } =
        recipe.data.format === 'squad' ? { question: 'question', context: 'context' } : recipe.data.fields;
      return texts(question, context);
    }
    case 'multiple-choice':
      return [...texts(recipe.data.fields.text), ...choicesOf(recipe, record)];
    default:
      return texts(recipe.data.fields.text, recipe.data.fields.pair);
  }
}
