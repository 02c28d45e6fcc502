import { QkvError } from '../base/errors.ts';
import { int32 } from '../base/tensor.ts';
import { LengthBatches } from '../data/lengthBatches.ts';
import type { DataRecord } from '../data/records.ts';
import type { HeadName } from '../models/encoderHead.ts';
import type { EncoderModel } from '../models/model.ts';
import type { EncoderSession, EncoderText } from '../predict/session.ts';
import type { HeadRecipe } from '../recipe/headRecipes.ts';
import type { Tensors } from '../runtime/runtime.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { TokenizerFiles } from '../tokenizer/tokenizerFiles.ts';
import { Fingerprint } from './fingerprint.ts';
import { checkedLength, recipeModel, type StartingPoint } from './recipeModel.ts';
import { openRecipeTokenizer } from './recipeTokenizer.ts';
import type { Examination, Micro, TrainingTask } from './task.ts';

/** The rows of a recipe's tables. */
export interface RecordParts {
  readonly train: readonly DataRecord[];
  readonly validation: readonly DataRecord[];
  /** None: no score at the end. */
  readonly test: readonly DataRecord[];
}

/** A session with the weights that a model has at that moment. */
export type Predictor = (model: EncoderModel) => () => EncoderSession;

/** What a head learns from: the text as the model reads it, or several that make one row of a batch. */
export interface HeadExample {
  readonly texts: readonly EncoderText[];
}

/** The model and the tokenizer of a recipe for a head. */
export interface HeadParts {
  readonly recipe: HeadRecipe;
  readonly model: EncoderModel;
  readonly declarations: TrainingTask['declarations'];
  readonly tokenizer: Tokenizer;
  readonly files: TokenizerFiles;
  /** Tokens of a text or pair at most. */
  readonly maxLength: number;
}

/**
 * Opens the tokenizer, and makes the model with the head: `fields` go into its config.json, such as the names of classes.
 *
 * @throws QkvError as `recipeModel`
 */
export function headParts(
  recipe: HeadRecipe,
  head: HeadName,
  fields: Readonly<Record<string, unknown>>,
  files: TokenizerFiles,
  start: StartingPoint | undefined,
): HeadParts {
  const tokenizer = openRecipeTokenizer(recipe, files);
  const { num_labels: _, ...config } = start?.config ?? {};
  const model = recipe.model;
  const configured = model.family === 'pretrained' ? model : { ...model, config: { ...model.config, ...fields } };
  const made = recipeModel(
    { ...recipe, model: configured },
    'encoder',
    tokenizer,
    start && { ...start, config: { ...config, ...fields } },
    head,
  );
  const maxLength = checkedLength('train.maxLength', recipe.train.maxLength ?? made.model.maxLength, made.model);
  return { recipe, ...made, tokenizer, files, maxLength };
}

/** What is particular to a task with a head. */
export interface HeadWork<E extends HeadExample, Q = E> {
  readonly train: readonly E[];
  readonly validation: readonly E[];
  /** What is answered for a score; of an empty test part there is none at the end. */
  readonly asked: Readonly<Record<'validation' | 'test', readonly Q[]>>;
  readonly labelSmoothing: number;
  /** The labels of a batch as the head's loss takes them; `length` of its rows, in tokens. */
  labels(examples: readonly E[], length: number): Tensors;
  /** The score of the answers with the weights that the model has now. */
  examine(asked: readonly Q[]): Promise<Examination>;
  /** Whether the loss compares the rows of a batch with each other. */
  readonly isWhole?: boolean;
  readonly modelFiles?: Readonly<Record<string, string>>;
}

/** Lengths are padded to a multiple of this, so that there are few shapes. */
const LENGTH_MULTIPLE = 8;
/** Without gradients a batch needs less memory, and larger ones are faster. */
const VALIDATION_SIZE = 32;

/** A head and its encoder learn from examples of similar length together. */
export function trainHead<E extends HeadExample, Q = E>(parts: HeadParts, work: HeadWork<E, Q>): TrainingTask {
  const { recipe, model, declarations, tokenizer, files } = parts;
  const { train, validation } = work;
  for (const [where, examples] of Object.entries({ train, validation })) {
    if (examples.length > 0) continue;
    throw new QkvError('data', { where: `data.${where}`, got: 'no records', expected: 'one or more' });
  }
  const { seed } = recipe;
  const { batchSize } = recipe.train;
  const batchesOf = (examples: readonly E[], size: number): LengthBatches =>
    new LengthBatches(
      examples.map(({ texts }) => Math.max(...texts.map(({ ids }) => ids.length))),
      { seed, batchSize: size },
    );
  const batches = batchesOf(train, batchSize);
  const validationBatches = batchesOf(validation, Math.max(batchSize, VALIDATION_SIZE));
  const segments =
    model.segments > 0 &&
    [...train, ...validation].some(({ texts }) => texts.some((text) => text.segments?.some((kind) => kind > 0)));
  const micro = (examples: readonly E[]): Micro => {
    const { inputs, tokens, length } = collate(examples, parts, segments);
    const labelled = { ...inputs, ...work.labels(examples, length) };
    const targets = Object.values(model.head.targets(labelled)).reduce((a, b) => a + b, 0);
    return { inputs: labelled, targetTokens: targets, tokens };
  };
  const fingerprint = new Fingerprint();
  for (const example of train) {
    for (const { ids } of example.texts) fingerprint.add(ids);
    for (const { data } of Object.values(work.labels([example], parts.maxLength))) {
      fingerprint.add(data instanceof Int32Array ? data : new Int32Array(Float32Array.from(data).buffer));
    }
  }
  return {
    model,
    declarations,
    tokenizer,
    tokenizerFiles: files,
    generationConfig: undefined,
    loss: { smoothing: work.labelSmoothing, padded: true, segments },
    bindings: undefined,
    fingerprint: fingerprint.text,
    notices: [],
    batchAt: (position) => micro([...batches.at(position)].map((i) => train[i]!)),
    after: (position) => batches.after(position),
    *validation() {
      for (let batchIndex = 0; batchIndex < validationBatches.count; batchIndex++) {
        yield micro([...validationBatches.at({ epoch: 0, batchIndex })].map((i) => validation[i]!));
      }
    },
    examine: async (part, stop) => (stop.aborted ? undefined : work.examine(work.asked[part])),
    hasTest: work.asked.test.length > 0,
    batchesPerEpoch: batches.count,
    ...(work.isWhole && { isWhole: true }),
    ...(work.modelFiles && { modelFiles: work.modelFiles }),
  };
}

/** The texts of a batch as the model takes them: [B, T], or [B, C, T]. */
function collate(
  examples: readonly HeadExample[],
  { model, maxLength }: HeadParts,
  hasSegments: boolean,
): { readonly inputs: Tensors; readonly tokens: number; readonly length: number } {
  const each = examples[0]!.texts.length;
  const texts = examples.flatMap((example) => example.texts);
  const longest = Math.max(...texts.map(({ ids }) => ids.length));
  const length = Math.min(Math.ceil(longest / LENGTH_MULTIPLE) * LENGTH_MULTIPLE, Math.max(maxLength, longest));
  const ids = new Int32Array(texts.length * length).fill(model.padId ?? 0);
  const mask = new Int32Array(texts.length * length);
  const segments = new Int32Array(texts.length * length);
  let tokens = 0;
  for (const [row, text] of texts.entries()) {
    ids.set(text.ids, row * length);
    mask.fill(1, row * length, row * length + text.ids.length);
    segments.set(text.segments ?? [], row * length);
    tokens += text.ids.length;
  }
  const shape = model.head.isGrouped ? [examples.length, each, length] : [texts.length, length];
  return {
    inputs: {
      inputIds: int32(shape, ids),
      attentionMask: int32(shape, mask),
      ...(hasSegments && { segments: int32(shape, segments) }),
    },
    tokens,
    length,
  };
}
