import type { Bindings } from '../base/dim.ts';
import type { JsonObject } from '../checkpoint/checkpoint.ts';
import type { BatchPosition } from '../data/bucketBatches.ts';
import type { Corpus } from '../data/corpus.ts';
import type { Model } from '../models/model.ts';
import type { ParameterDeclaration } from '../nn/scope.ts';
import type { Tensors } from '../runtime/runtime.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { TokenizerFiles } from '../tokenizer/tokenizerFiles.ts';
import type { LossOptions } from './objectives.ts';
import type { StartingPoint } from './recipeModel.ts';

/** One batch as the loss takes it. */
export interface Micro {
  readonly inputs: Tensors;
  /** Labels that count. */
  readonly targetTokens: number;
  /** Tokens that are not padding, of both sides: what the speed counts. */
  readonly tokens: number;
}

/** A score and translations, or a text: what a validation shows besides the loss. */
export interface Examination {
  /** The one that the recipe names: `bleu` or `chrf`, 0 to 100, of heads as their metrics have it; absent for a language model. */
  readonly score?: number;
  readonly scoreName?: string;
  /** Of heads all of them, by name. */
  readonly scores?: Readonly<Record<string, number>>;
  readonly signature?: string;
  readonly sentences?: number;
  readonly samples: readonly Sample[];
}

export interface Sample {
  /** The source sentence, or the prompt. */
  readonly input: string;
  readonly output: string;
  /** What a person wrote, of a translation. */
  readonly reference?: string;
}

/** What is trained, on what: everything of a recipe but the steps themselves. */
export interface TrainingTask {
  readonly model: Model;
  /** The model's parameters with the recipe's initial values. */
  readonly declarations: readonly ParameterDeclaration[];
  readonly tokenizer: Tokenizer;
  readonly tokenizerFiles: TokenizerFiles;
  /** Absent of a model that does not write. */
  readonly generationConfig: JsonObject | undefined;
  readonly loss: Omit<LossOptions, 'training'>;
  /** Shapes that are compiled for; without them one program serves all. */
  readonly bindings: Bindings | undefined;
  /** Changes when the training data change. */
  readonly fingerprint: string;
  /** Sentences about the data that the user should know. */
  readonly notices: readonly string[];
  batchAt(position: BatchPosition): Micro;
  after(position: BatchPosition): BatchPosition;
  /** The validation part in batches; `bindings` do not apply to them. */
  validation(): Iterable<Micro>;
  /** With the weights as they are now; undefined when `stop` was set meanwhile. */
  examine: ((part: 'validation' | 'test', stop: StopSignal) => Promise<Examination | undefined>) | undefined;
  readonly hasTest: boolean;
  /** Whom the model learns from: weights that stay as they are, by their names in the graph, and a hash of them. */
  readonly teacher?: { readonly parameters: Tensors; readonly fingerprint: string };
  /** Batches of an epoch, of tasks whose recipes may count in epochs. */
  readonly batchesPerEpoch?: number;
  /** Whether the loss compares the rows of a batch with each other, so that none may be cut. */
  readonly isWhole?: boolean;
  /** Further files of the published model's folder, by their paths in it. */
  readonly modelFiles?: Readonly<Record<string, string>>;
}

/** What a task of running text is made of, besides its recipe. */
export interface TextTaskParts {
  readonly tokenizer: Tokenizer;
  readonly files: TokenizerFiles;
  readonly corpora: { readonly train: Corpus; readonly validation: Corpus };
  /** The model that is trained further. */
  readonly start: StartingPoint | undefined;
}

/** An `AbortSignal` is one. */
export interface StopSignal {
  readonly aborted: boolean;
}
