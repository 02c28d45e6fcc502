import type { CausalModel } from '../models/model.ts';
import type { LanguageModelRecipe } from '../recipe/recipe.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { blockSource } from './blockSource.ts';
import { checkedLength, recipeModel } from './recipeModel.ts';
import type { StopSignal, TextTaskParts, TrainingTask } from './task.ts';

/** Continues the recipe's prompt with the weights that the model has now; undefined when `stop` was set meanwhile. */
export type Continue = (stop: StopSignal) => Promise<string | undefined>;

/**
 * The next token of text in blocks: see `blockSource`.
 */
export function languageModelTask(
  recipe: LanguageModelRecipe,
  { tokenizer, files, corpora, start }: TextTaskParts,
  sampler: ((model: CausalModel, tokenizer: Tokenizer) => Continue) | undefined,
): TrainingTask {
  const { model, declarations } = recipeModel(recipe, 'causal', tokenizer, start);
  const { batchSize } = recipe.train;
  const blockSize = checkedLength('train.blockSize', recipe.train.blockSize, model);
  const { visible, validation, ...source } = blockSource(recipe, corpora, tokenizer, blockSize);
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
