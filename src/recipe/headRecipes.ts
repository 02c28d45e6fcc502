import type { RecordsData } from './dataSource.ts';
import type { DistillRecipe } from './distillSchema.ts';
import type { ConfiguredRecipe, PretrainedRecipe, Recipe, RecipeHead, TokenizerRecipe, Training } from './recipe.ts';

/** Recipes that train a head on an encoder, with the encoder. */
export type HeadRecipe =
  | SequenceClassificationRecipe
  | TokenClassificationRecipe
  | QuestionAnsweringRecipe
  | MultipleChoiceRecipe
  | SentenceEmbeddingRecipe;

/** The name of a field, or the number of a column from 1. */
type FieldName = string | number;

interface HeadRecipeBase extends RecipeHead {
  tokenizer: TokenizerRecipe;
  model: ConfiguredRecipe<'bert' | 'roberta' | 'albert' | 'distilbert'> | PretrainedRecipe;
  train: HeadTraining;
}

export interface SequenceClassificationRecipe extends HeadRecipeBase {
  task: 'sequence-classification';
  distill: DistillRecipe | null;
  data: RecordsData<{ text: FieldName; pair?: FieldName | undefined; label: FieldName }>;
  objective: {
    problem: 'single-label' | 'multi-label' | 'regression';
    labels: string[] | null;
    labelSmoothing: number;
  };
  evaluate: { metric: ClassificationMetric | null };
}

export type ClassificationMetric = 'accuracy' | 'f1' | 'macro-f1' | 'micro-f1' | 'matthews' | 'pearson' | 'spearman';

/** One of `steps` and `epochs` is given. */
export interface HeadTraining extends Omit<Training, 'steps'> {
  steps: number | null;
  epochs: number | null;
  batchSize: number;
  maxLength: number | null;
  best: 'loss' | 'score';
}

export interface TokenClassificationRecipe extends HeadRecipeBase {
  task: 'token-classification';
  distill: DistillRecipe | null;
  data: RecordsData<{ tokens: FieldName; tags: FieldName }> | ConllData;
  objective: { labels: string[] | null; labelSmoothing: number; pieces: 'first' | 'all' };
  evaluate: { metric: 'entity-f1' | 'accuracy'; scheme: 'conll' | 'iob2' | 'iobes' };
}

/** A word a line with its tag, a blank line between sentences. */
export interface ConllData {
  format: 'conll';
  train: string;
  validation: string;
  test: string | null;
  word: number;
  tag: number | null;
}

export interface QuestionAnsweringRecipe extends HeadRecipeBase {
  task: 'question-answering';
  data: RecordsData<{ question: FieldName; context: FieldName; answers: FieldName }> | SquadData;
  objective: { stride: number | null; labelSmoothing: number };
  evaluate: { metric: 'f1' | 'exact-match'; rules: 'squad' | 'cmrc'; maxAnswerLength: number };
}

export interface SquadData {
  format: 'squad';
  train: string;
  validation: string;
  test: string | null;
}

export interface MultipleChoiceRecipe extends HeadRecipeBase {
  task: 'multiple-choice';
  data: RecordsData<{ text: FieldName; choices: FieldName | FieldName[]; label: FieldName }>;
  objective: { labelSmoothing: number };
  evaluate: { metric: 'accuracy' };
}

export interface SentenceEmbeddingRecipe extends HeadRecipeBase {
  task: 'sentence-embedding';
  data: RecordsData<{ text: FieldName; pair: FieldName; score?: FieldName | undefined }>;
  objective: { loss: 'contrastive' | 'cosine'; scale: number; pooling: 'mean' | 'cls' | null };
  evaluate: { metric: 'spearman' | 'pearson' | 'accuracy' | null };
}

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
