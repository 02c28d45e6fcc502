import type { DocumentsData, RecordsData } from './dataSource.ts';
import type { DistillRecipe } from './distillSchema.ts';
import type { HeadRecipe } from './headRecipes.ts';

/**
 * A training recipe as the trainer gets it: checked, defaults filled in. What each key means, its unit and its default
 * stand in `recipeSchema.ts`, which is also the source of `recipes/recipe.schema.json`.
 */
export type Recipe =
  | TranslationRecipe
  | LanguageModelRecipe
  | MaskedLanguageModelRecipe
  | DenoisingRecipe
  | InstructionRecipe
  | HeadRecipe;

export interface RecipeHead {
  name: string;
  seed: number;
  output: string;
}

export interface TranslationRecipe extends RecipeHead {
  task: 'translation';
  data: TsvPairsData | ParallelData;
  tokenizer: TokenizerRecipe;
  model: MarianRecipe | TransformerRecipe | ConfiguredRecipe<'t5' | 'bart'> | PretrainedRecipe;
  objective: { labelSmoothing: number };
  train: TranslationTraining;
  evaluate: TranslationEvaluation;
}

export interface LanguageModelRecipe extends RecipeHead {
  task: 'language-model';
  data: TextData | DocumentsData;
  tokenizer: TokenizerRecipe;
  model: Gpt2Recipe | ConfiguredRecipe<'llama'> | PretrainedRecipe;
  objective: { prefix: boolean };
  distill: DistillRecipe | null;
  train: LanguageModelTraining;
  evaluate: LanguageModelEvaluation;
}

export interface MaskedLanguageModelRecipe extends RecipeHead {
  task: 'masked-language-model';
  data: TextData | DocumentsData;
  tokenizer: TokenizerRecipe;
  model: ConfiguredRecipe<'bert' | 'roberta' | 'albert' | 'distilbert'> | PretrainedRecipe;
  objective: MaskedLanguageModelObjective;
  distill: DistillRecipe | null;
  train: MaskedLanguageModelTraining;
  evaluate: MaskedLanguageModelEvaluation;
}

export interface DenoisingRecipe extends RecipeHead {
  task: 'denoising';
  data: TextData | DocumentsData;
  tokenizer: TokenizerRecipe;
  model: ConfiguredRecipe<'t5' | 'bart'> | PretrainedRecipe;
  objective:
    | { kind: 'span-corruption'; density: number; meanLength: number }
    | { kind: 'denoising'; noise: NoiseRecipe[] };
  train: DenoisingTraining;
  evaluate: MaskedLanguageModelEvaluation;
}

export interface InstructionRecipe extends RecipeHead {
  task: 'instruction';
  data: Omit<RecordsData<InstructionFields>, 'test'>;
  tokenizer: TokenizerRecipe;
  model: Gpt2Recipe | ConfiguredRecipe<'llama'> | PretrainedRecipe;
  objective: { format: { kind: 'chat'; system: string | null } | { kind: 'text'; prompt: string } };
  train: InstructionTraining;
  evaluate: { examples: number | null; samples: number; maxLength: number };
}

export type InstructionFields =
  | { prompt: string | number; completion: string | number }
  | { messages: string | number };

/** One way to damage a text; `probability` is that of doing it to a text, `rate` the share of its tokens. */
export type NoiseRecipe = { probability: number } & (
  | { kind: 'sentence-permutation' }
  | { kind: 'text-infilling'; rate: number; meanLength: number }
  | { kind: 'token-masking'; rate: number }
  | { kind: 'token-deletion'; rate: number }
  | { kind: 'document-rotation' }
);

export interface TsvPairsData {
  format: 'tsv';
  train: string;
  validation: string;
  test: string | null;
  columns: ('source' | 'target' | 'ignore')[];
}

export interface ParallelData {
  format: 'parallel';
  train: [source: string, target: string];
  validation: [source: string, target: string];
  test: [source: string, target: string] | null;
}

export interface TextData {
  format: 'text';
  file: string;
  validationFraction: number;
}

export type TokenizerRecipe =
  | { kind: 'bpe'; vocabSize: number; minFrequency: number; limitAlphabet: number | null }
  | { kind: 'byte-bpe'; vocabSize: number; minFrequency: number }
  | { kind: 'char'; minFrequency: number; limitAlphabet: number | null }
  | { kind: 'file'; path: string }
  | { kind: 'model' };

export type Activation = 'relu' | 'gelu' | 'gelu_new' | 'silu';

export type InitRecipe = { kind: 'normal'; std: number } | { kind: 'xavier-uniform' };

interface EncoderDecoderRecipe {
  width: number;
  encoderLayers: number;
  decoderLayers: number;
  heads: number;
  hidden: number;
  activation: Activation;
  dropout: number;
  attentionDropout: number;
  activationDropout: number;
  maxLength: number;
}

export interface MarianRecipe extends EncoderDecoderRecipe {
  family: 'marian';
  sharedEmbeddings: 'all' | 'decoder';
  init: { std: number };
}

export interface TransformerRecipe extends EncoderDecoderRecipe {
  family: 'transformer';
  normPlacement: 'post' | 'pre';
  positions: 'interleaved' | 'split' | 'learned';
  sharedEmbeddings: 'all' | 'decoder' | 'none';
  bias: boolean;
  init: InitRecipe;
}

export interface Gpt2Recipe {
  family: 'gpt2';
  width: number;
  layers: number;
  heads: number;
  hidden: number | null;
  activation: Activation;
  dropout: number;
  embeddingDropout: number;
  attentionDropout: number;
  maxLength: number;
  sharedEmbeddings: boolean;
  bias: boolean;
  init: { std: number; scaleResidual: boolean };
}

/** A family by the fields of its `config.json`, as Hugging Face's transformers names them. */
export interface ConfiguredRecipe<Family extends string> {
  family: Family;
  config: Record<string, unknown>;
}

/** A model that exists, to be trained further. */
export interface PretrainedRecipe {
  family: 'pretrained';
  from: string;
  /** Those that are kept, or how many. */
  layers: number | number[] | null;
  /** Rates in place of those in its config.json, by their names there. */
  dropout: Record<string, number>;
}

export type OptimizerRecipe =
  | { name: 'adamw'; beta1: number; beta2: number; eps: number; weightDecay: number }
  | { name: 'adam'; beta1: number; beta2: number; eps: number }
  | { name: 'sgd'; momentum: number; weightDecay: number };

export type ScheduleRecipe =
  | { name: 'constant'; peak: number; warmup: number }
  | { name: 'linear'; peak: number; warmup: number; final: number }
  | { name: 'cosine'; peak: number; warmup: number; final: number }
  | { name: 'inverse-sqrt'; peak: number; warmup: number };

/** Low-rank updates that are trained in place of a model's weights. */
export interface AdapterRecipe {
  kind: 'lora';
  rank: number;
  alpha: number;
  dropout: number;
  targets: string[];
  alsoTrain: string[];
}

export interface Training {
  steps: number;
  minutes: number | null;
  accumulate: number;
  optimizer: OptimizerRecipe;
  schedule: ScheduleRecipe;
  clipNorm: number | null;
  saveEvery: number;
  validateEvery: number;
  logEvery: number;
  keep: number;
  earlyStopping: { patience: number } | null;
  adapter: AdapterRecipe | null;
  freeze: string[];
  layerDecay: number;
  ema: { decay: number } | null;
  saveDtype: 'float32' | 'bfloat16' | 'float16';
}

export interface TranslationTraining extends Training {
  batchTokens: number;
  maxLength: number | null;
  lengthMultiple: number;
  sortWindow: number;
  best: 'loss' | 'score';
}

export interface LanguageModelTraining extends Training {
  batchSize: number;
  blockSize: number;
  packing: 'continuous' | 'separate-documents';
}

export interface MaskedLanguageModelObjective {
  rate: number;
  maskShare: number;
  randomShare: number;
  words: 'none' | 'pieces' | 'chinese';
  maxNgram: number;
  copies: number | null;
  sentences: 'none' | 'next-sentence' | 'sentence-order';
}

export interface MaskedLanguageModelTraining extends Training {
  batchSize: number;
  maxLength: number;
}

export interface DenoisingTraining extends Training {
  batchTokens: number;
  maxLength: number;
}

export interface InstructionTraining extends Training {
  batchTokens: number;
  maxLength: number;
}

export interface MaskedLanguageModelEvaluation {
  sequences: number | null;
  fill: string[];
}

interface Decoding {
  beam: number;
  lengthPenalty: number;
  maxLength: number;
  sentences: number | null;
}

export type TranslationEvaluation = Decoding &
  ({ metric: 'bleu'; tokenize: '13a' | 'zh' | 'char' } | { metric: 'chrf' });

export interface LanguageModelEvaluation {
  blocks: number | null;
  prompt: string;
  sampleTokens: number;
  temperature: number;
  topK: number | null;
}
