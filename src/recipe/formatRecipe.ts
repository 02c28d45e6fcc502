import { stringify } from 'yaml';
import type { Recipe } from './recipe.ts';
import { recipeInput } from './recipeSchema.ts';

/** The recipe as YAML with every default written out; `parseRecipe` reads it back as the same recipe. */
export function formatRecipe(recipe: Recipe): string {
  return stringify(recipeInput(recipe));
}
