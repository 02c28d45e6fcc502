import type { FieldName } from '../data/records.ts';
import type { RecordsData } from './dataSource.ts';
import type { ConfiguredRecipe, PretrainedRecipe, RecipeHead, TokenizerRecipe, Training } from './recipe.ts';

/** Recipes that train a head on an encoder, with the encoder. */
export type HeadRecipe = SequenceClassificationRecipe;

interface HeadRecipeBase extends RecipeHead {
  tokenizer: TokenizerRecipe;
  model: ConfiguredRecipe<'bert' | 'roberta' | 'albert' | 'distilbert'> | PretrainedRecipe;
  train: HeadTraining;
}

export interface SequenceClassificationRecipe extends HeadRecipeBase {
  task: 'sequence-classification';
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
