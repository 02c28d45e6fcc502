import { int32 } from '../base/tensor.ts';
import { type BlockBatch, consecutiveBlocks, randomBlocks } from '../data/blockBatches.ts';
import type { CausalModel } from '../models/model.ts';
import type { LanguageModelRecipe } from '../recipe/recipe.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { TokenizerFiles } from '../tokenizer/tokenizerFiles.ts';
import { Fingerprint } from './fingerprint.ts';
import { checkedLength, recipeModel, type StartingPoint } from './recipeModel.ts';
import { openRecipeTokenizer } from './recipeTokenizer.ts';
import type { Micro, StopSignal, TrainingTask } from './task.ts';

/** Continues the recipe's prompt with the weights that the model has now; undefined when `stop` was set meanwhile. */
export type Continue = (stop: StopSignal) => Promise<string | undefined>;

/** The next token of running text: random blocks for training, the blocks one after the other for validation. */
export function languageModelTask(
  recipe: LanguageModelRecipe,
  parts: { readonly train: string; readonly validation: string },
  files: TokenizerFiles,
  start: StartingPoint | undefined,
  sampler: ((model: CausalModel, tokenizer: Tokenizer) => Continue) | undefined,
): TrainingTask {
  const tokenizer = openRecipeTokenizer(recipe, files);
  const { model, declarations } = recipeModel(recipe, 'causal', tokenizer, start);
  const encode = (text: string): Int32Array => Int32Array.from(tokenizer.encode(text, { addSpecialTokens: false }).ids);
  const train = encode(parts.train);
  const validation = encode(parts.validation);
  const { seed } = recipe;
  const { batchSize, accumulate } = recipe.train;
  const blockSize = checkedLength('train.blockSize', recipe.train.blockSize, model);
  const sample = recipe.evaluate.sampleTokens > 0 ? sampler?.(model, tokenizer) : undefined;
  return {
    model,
    declarations,
    tokenizer,
    tokenizerFiles: files,
    generationConfig: start?.generationConfig ?? { bos_token_id: model.bosId, eos_token_id: model.eosIds[0] ?? null },
    loss: { smoothing: 0, padded: false },
    bindings: { B: batchSize, T: blockSize },
    fingerprint: new Fingerprint().add(train).text,
    notices: [],
    // A run is one epoch without end: batch n is micro-batch n mod `accumulate` of step ⌊n / accumulate⌋.
    batchAt: ({ batchIndex }) =>
      toMicro(
        randomBlocks(train, {
          seed,
          step: Math.floor(batchIndex / accumulate),
          microBatch: batchIndex % accumulate,
          batchSize,
          blockSize,
        }),
      ),
    after: ({ epoch, batchIndex }) => ({ epoch, batchIndex: batchIndex + 1 }),
    *validation() {
      let left = recipe.evaluate.blocks ?? Number.POSITIVE_INFINITY;
      for (const batch of consecutiveBlocks(validation, { batchSize, blockSize })) {
        const size = Math.min(batch.size, left);
        if (size === 0) return;
        yield toMicro(firstRows(batch, size));
        left -= size;
      }
    },
    examine:
      sample &&
      (async (_, stop) => {
        const output = await sample(stop);
        return output === undefined ? undefined : { samples: [{ input: recipe.evaluate.prompt, output }] };
      }),
    hasTest: false,
  };
}

function firstRows(batch: BlockBatch, size: number): BlockBatch {
  if (size === batch.size) return batch;
  const end = size * batch.blockSize;
  return { ...batch, size, inputs: batch.inputs.slice(0, end), labels: batch.labels.slice(0, end) };
}

function toMicro({ size, blockSize, inputs, labels }: BlockBatch): Micro {
  const shape = [size, blockSize];
  return {
    inputs: { inputIds: int32(shape, inputs), labels: int32(shape, labels) },
    targetTokens: size * blockSize,
    tokens: size * blockSize,
  };
}
