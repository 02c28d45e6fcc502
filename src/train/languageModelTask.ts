import type { CausalModel } from '../models/model.ts';
import type { LanguageModelRecipe } from '../recipe/recipe.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { TokenizerFiles } from '../tokenizer/tokenizerFiles.ts';
import { blockSource } from './blockSource.ts';
import { checkedLength, recipeModel, type StartingPoint } from './recipeModel.ts';
import { openRecipeTokenizer } from './recipeTokenizer.ts';
import type { StopSignal, TrainingTask } from './task.ts';

/** Continues the recipe's prompt with the weights that the model has now; undefined when `stop` was set meanwhile. */
export type Continue = (stop: StopSignal) => Promise<string | undefined>;

/**
 * The next token of text in blocks: random ones of running text for training, one after the other for validation; or packed
 * documents.
 */
export function languageModelTask(
  recipe: LanguageModelRecipe,
  parts: { readonly train: string; readonly validation: string },
  files: TokenizerFiles,
  start: StartingPoint | undefined,
  sampler: ((model: CausalModel, tokenizer: Tokenizer) => Continue) | undefined,
): TrainingTask {
  const tokenizer = openRecipeTokenizer(recipe, files);
  const { model, declarations } = recipeModel(recipe, 'causal', tokenizer, start);
  const { batchSize } = recipe.train;
  const blockSize = checkedLength('train.blockSize', recipe.train.blockSize, model);
  const { visible, validation, ...source } = blockSource(recipe, parts, tokenizer, blockSize);
  const sample = recipe.evaluate.sampleTokens > 0 ? sampler?.(model, tokenizer) : undefined;
  return {
    model,
    declarations,
    tokenizer,
    tokenizerFiles: files,
    generationConfig: start?.generationConfig ?? { bos_token_id: model.bosId, eos_token_id: model.eosIds[0] ?? null },
    loss: { smoothing: 0, padded: false, visible },
    bindings: { B: batchSize, T: blockSize },
    notices: [],
    ...source,
    validation: () => validation(recipe.evaluate.blocks ?? Number.POSITIVE_INFINITY),
    examine:
      sample &&
      (async (_, stop) => {
        const output = await sample(stop);
        return output === undefined ? undefined : { samples: [{ input: recipe.evaluate.prompt, output }] };
      }),
    hasTest: false,
  };
}
