import { deriveSeed, RandomStream } from '../base/random.ts';
import { int32 } from '../base/tensor.ts';
import { type BlockBatch, randomBlocks } from '../data/blockBatches.ts';
import type { Corpus } from '../data/corpus.ts';
import { DocumentBlocks } from '../data/documentBlocks.ts';
import type { CausalModel } from '../models/model.ts';
import type { LanguageModelRecipe } from '../recipe/recipe.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { Epochs } from './epochs.ts';
import { checkedLength, recipeModel } from './recipeModel.ts';
import type { Micro, StopSignal, TextTaskParts, TrainingTask } from './task.ts';

/** Continues the recipe's prompt with the weights that the model has now; undefined when `stop` was set meanwhile. */
export type Continue = (stop: StopSignal) => Promise<string | undefined>;

/**
 * The next token of running text. Of one `text`: random blocks for training. Of documents: blocks that follow each other from a
 * random offset, in a new order in each epoch. For validation the blocks follow each other.
 */
export function languageModelTask(
  recipe: LanguageModelRecipe,
  { tokenizer, files, corpora, start }: TextTaskParts,
  sampler: ((model: CausalModel, tokenizer: Tokenizer) => Continue) | undefined,
): TrainingTask {
  const { model, declarations } = recipeModel(recipe, 'causal', tokenizer, start);
  const { batchSize } = recipe.train;
  const blockSize = checkedLength('train.blockSize', recipe.train.blockSize, model);
  const sample = recipe.evaluate.sampleTokens > 0 ? sampler?.(model, tokenizer) : undefined;
  const training =
    recipe.data.format === 'text'
      ? randomTraining(recipe, corpora.train, blockSize)
      : epochTraining(recipe, corpora.train, blockSize);
  const validation = new DocumentBlocks(corpora.validation.store, corpora.validation.draw(0), blockSize);
  return {
    model,
    declarations,
    tokenizer,
    tokenizerFiles: files,
    generationConfig: start?.generationConfig ?? { bos_token_id: model.bosId, eos_token_id: model.eosIds[0] ?? null },
    loss: { smoothing: 0, padded: false },
    bindings: { B: batchSize, T: blockSize },
    fingerprint: corpora.train.store.fingerprint,
    notices: [],
    ...training,
    *validation() {
      const count = Math.min(validation.count, recipe.evaluate.blocks ?? Number.POSITIVE_INFINITY);
      for (let first = 0; first < count; first += batchSize) {
        const size = Math.min(batchSize, count - first);
        yield toMicro(validation.batch(Array.from({ length: size }, (_, i) => first + i)));
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

type Training = Pick<TrainingTask, 'batchAt' | 'after'>;

function randomTraining({ seed, train }: LanguageModelRecipe, { store }: Corpus, blockSize: number): Training {
  const tokens = store.read(0, store.tokens);
  const { batchSize, accumulate } = train;
  return {
    // A run is one epoch without end: batch n is micro-batch n mod `accumulate` of step ⌊n / accumulate⌋.
    batchAt: ({ batchIndex }) =>
      toMicro(
        randomBlocks(tokens, {
          seed,
          step: Math.floor(batchIndex / accumulate),
          microBatch: batchIndex % accumulate,
          batchSize,
          blockSize,
        }),
      ),
    after: ({ epoch, batchIndex }) => ({ epoch, batchIndex: batchIndex + 1 }),
  };
}

function epochTraining({ seed, train, data }: LanguageModelRecipe, corpus: Corpus, blockSize: number): Training {
  const epochs = new Epochs({
    seed,
    batchSize: train.batchSize,
    buffer: (data.format === 'documents' && data.shuffle?.buffer) || null,
    make: (epoch) =>
      new DocumentBlocks(corpus.store, corpus.draw(epoch), blockSize, (tokens) =>
        new RandomStream(deriveSeed(seed, 'block offset', epoch)).below(
          Math.max(1, Math.min(blockSize, tokens - blockSize)),
        ),
      ),
  });
  return {
    batchAt: (position) => toMicro(epochs.examples(position.epoch).batch(epochs.rows(position))),
    after: (position) => epochs.after(position),
  };
}

function toMicro({ size, blockSize, inputs, labels }: BlockBatch): Micro {
  const shape = [size, blockSize];
  return {
    inputs: { inputIds: int32(shape, inputs), labels: int32(shape, labels) },
    targetTokens: size * blockSize,
    tokens: size * blockSize,
  };
}
