import type { JsonObject } from '../checkpoint/checkpoint.ts';
import { BucketBatches, type TokenPair } from '../data/bucketBatches.ts';
import type { TextPair } from '../data/pairs.ts';
import { bleu } from '../eval/bleu.ts';
import { chrf } from '../eval/chrf.ts';
import type { EncoderDecoderModel } from '../models/model.ts';
import type { TranslationEvaluation, TranslationRecipe } from '../recipe/recipe.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { TokenizerFiles } from '../tokenizer/tokenizerFiles.ts';
import { Fingerprint } from './fingerprint.ts';
import { pairMicro } from './pairMicro.ts';
import { checkedLength, recipeModel, type StartingPoint } from './recipeModel.ts';
import { openRecipeTokenizer } from './recipeTokenizer.ts';
import type { Examination, StopSignal, TrainingTask } from './task.ts';

export interface PairParts {
  readonly train: readonly TextPair[];
  readonly validation: readonly TextPair[];
  /** None: no score at the end. */
  readonly test: readonly TextPair[];
}

/** Translates with the weights that the model has now; undefined when `stop` was set meanwhile. */
export type Translate = (sentences: readonly string[], stop: StopSignal) => Promise<string[] | undefined>;

/** Without gradients a batch needs less memory, and larger ones are faster. */
const VALIDATION_TOKENS = 2048;

/** Sequence to sequence: batches of pairs under a token budget, and translations scored against the references. */
export function translationTask(
  recipe: TranslationRecipe,
  parts: PairParts,
  files: TokenizerFiles,
  start: StartingPoint | undefined,
  translator: ((model: EncoderDecoderModel, tokenizer: Tokenizer) => Translate) | undefined,
): TrainingTask {
  const tokenizer = openRecipeTokenizer(recipe, files);
  const { model, declarations } = recipeModel(recipe, 'encoder-decoder', tokenizer, start);
  const train = tokenPairs(tokenizer, parts.train);
  const validation = tokenPairs(tokenizer, parts.validation);
  const shared = { seed: recipe.seed, padId: model.padId!, startId: model.startId };
  const { batchTokens, lengthMultiple, sortWindow } = recipe.train;
  const maxLength = checkedLength('train.maxLength', recipe.train.maxLength ?? model.maxLength, model);
  const batches = new BucketBatches(train, { ...shared, batchTokens, maxLength, lengthMultiple, sortWindow });
  // Validation takes every pair that the model can take, whatever training leaves out.
  const validationBatches = new BucketBatches(validation, {
    ...shared,
    batchTokens: Math.max(batchTokens, VALIDATION_TOKENS, 2 * model.maxLength),
    maxLength: model.maxLength,
    lengthMultiple,
  });
  const fingerprint = new Fingerprint();
  for (const { source, target } of train) fingerprint.add(source).add(target);
  const translate = translator?.(model, tokenizer);
  return {
    model,
    declarations,
    tokenizer,
    tokenizerFiles: files,
    generationConfig: { ...start?.generationConfig, ...generationConfig(model, recipe.evaluate) },
    loss: { smoothing: recipe.objective.labelSmoothing, padded: true },
    bindings: undefined,
    fingerprint: fingerprint.text,
    notices: [
      ...droppedNotice(batches, 'training', train.length, maxLength),
      ...droppedNotice(validationBatches, 'validation', validation.length, model.maxLength),
    ],
    batchAt: (position) => pairMicro(batches.at(position)),
    after: (position) => batches.after(position),
    *validation() {
      for (let batchIndex = 0; batchIndex < validationBatches.count(0); batchIndex++) {
        yield pairMicro(validationBatches.at({ epoch: 0, batchIndex }));
      }
    },
    examine:
      translate &&
      ((part, stop) => examine(recipe, part === 'test' ? parts.test : parts.validation, part, translate, stop)),
    hasTest: parts.test.length > 0,
    modelFiles: { 'examples.json': JSON.stringify(examples(parts.validation, validation), null, 2) },
  };
}

const EXAMPLES = 6;
/** Tokens of a sentence that is easy to look at. */
const SHORT = 12;

/** What a page shows of the model first: sentences that it did not learn from, short ones where there are some. */
function examples(pairs: readonly TextPair[], ids: readonly TokenPair[]): { readonly text: string }[] {
  const short = pairs.filter((_, i) => ids[i]!.source.length <= SHORT);
  const texts = new Set([...short, ...pairs].map(({ source }) => source));
  return [...texts].slice(0, EXAMPLES).map((text) => ({ text }));
}

function tokenPairs(tokenizer: Tokenizer, pairs: readonly TextPair[]): TokenPair[] {
  const ids = (text: string): Int32Array => Int32Array.from(tokenizer.encode(text).ids);
  return pairs.map(({ source, target }) => ({ source: ids(source), target: ids(target) }));
}

function droppedNotice({ dropped }: BucketBatches, part: string, count: number, maxLength: number): string[] {
  if (dropped.count === 0) return [];
  return [
    `${dropped.count} of ${count} ${part} pairs are left out: a side has more than ${maxLength} tokens (up to ${dropped.longest})`,
  ];
}

/** How the model translates when nothing else is said; Marian must not write its padding token. */
function generationConfig(model: EncoderDecoderModel, evaluate: TranslationEvaluation): JsonObject {
  return {
    ...(model.family === 'marian' && { bad_words_ids: [[model.padId]], forced_eos_token_id: model.eosIds[0]! }),
    decoder_start_token_id: model.startId,
    eos_token_id: model.eosIds[0]!,
    pad_token_id: model.padId,
    num_beams: evaluate.beam,
    ...(evaluate.beam > 1 && { length_penalty: evaluate.lengthPenalty }),
    max_length: Math.min(evaluate.maxLength, model.maxLength) + 1, // the start token counts
  };
}

const SAMPLES = 3;

async function examine(
  { evaluate }: TranslationRecipe,
  pairs: readonly TextPair[],
  part: 'validation' | 'test',
  translate: Translate,
  stop: StopSignal,
): Promise<Examination | undefined> {
  const chosen = part === 'test' || evaluate.sentences === null ? pairs : pairs.slice(0, evaluate.sentences);
  const outputs = await translate(
    chosen.map(({ source }) => source),
    stop,
  );
  if (outputs === undefined) return undefined;
  const references = chosen.map(({ target }) => target);
  const { score, signature } =
    evaluate.metric === 'bleu' ? bleu(outputs, references, { tokenize: evaluate.tokenize }) : chrf(outputs, references);
  return {
    score,
    scoreName: evaluate.metric,
    signature,
    sentences: chosen.length,
    samples: chosen
      .slice(0, SAMPLES)
      .map(({ source, target }, i) => ({ input: source, output: outputs[i]!, reference: target })),
  };
}
