/**
 * qkv: Transformers in TypeScript. What is here runs anywhere: it names neither Node's modules nor the page's.
 * `qkv/node` has the runtime on ONNX Runtime, files and PNG; `qkv/web` is for pages.
 */

export { checkGradients, type GradientCheck, type GradientCheckOptions } from './autodiff/checkGradients.ts';
export { gradients } from './autodiff/gradients.ts';
export { type Bindings, type Dim, type Shape, symbol } from './base/dim.ts';
export { type ErrorCode, type ErrorParts, QkvError } from './base/errors.ts';
export { deriveSeed, type Key, permutation, RandomStream, type Seed } from './base/random.ts';
export { bool, type DType, float32, type HostTensor, int32, scalar, type TensorData } from './base/tensor.ts';
export { type CheckOptions, type CheckReport, checkModel } from './check/checkModel.ts';
export type { Comparison } from './check/comparison.ts';
export {
  type Checkpoint,
  type CheckpointToSave,
  type JsonObject,
  openCheckpoint,
  saveCheckpoint,
} from './checkpoint/checkpoint.ts';
export { type Gguf, openGguf } from './checkpoint/gguf.ts';
export { openSafetensors, readHostTensor, type Safetensors, type StoredTensor } from './checkpoint/safetensors.ts';
export type { Storage } from './checkpoint/storage.ts';
export { type BlockBatch, consecutiveBlocks, randomBlocks } from './data/blockBatches.ts';
export { BucketBatches, type BucketBatchesOptions, type PairBatch, type TokenPair } from './data/bucketBatches.ts';
export { type Line, type LineSource, linesOf, readText, splitText } from './data/lines.ts';
export { type PairColumn, readPairsTsv, readParallel, type TextPair } from './data/pairs.ts';
export type { AttentionMap } from './draw/attention-map.ts';
export type { Curve, CurvesOptions } from './draw/curves.ts';
export { drawCurvesSvg } from './draw/curves-svg.ts';
export { drawCurvesTerminal } from './draw/curves-terminal.ts';
export { drawSvg, type SvgOptions } from './draw/svg.ts';
export { drawTerminal, type TerminalOptions } from './draw/terminal.ts';
export { type BleuOptions, type BleuScore, bleu } from './eval/bleu.ts';
export { type ChrfOptions, type ChrfScore, chrf } from './eval/chrf.ts';
export {
  type ClassificationOptions,
  type ClassificationScores,
  classificationScores,
  type Label,
  type MultiLabelScores,
  multiLabelScores,
} from './eval/classification.ts';
export { pearson, spearman } from './eval/correlation.ts';
export {
  type Entity,
  type EntityOptions,
  type EntityScheme,
  type EntityScores,
  entitiesOf,
  entityScores,
} from './eval/entities.ts';
export { cmrc2018, type QaScores, type SquadOptions, squad } from './eval/extractiveQa.ts';
export { minimalPairsAccuracy } from './eval/minimalPairs.ts';
export {
  bitsPerByte,
  perplexity,
  type StridedWindow,
  type StridedWindowsOptions,
  stridedWindows,
} from './eval/perplexity.ts';
export type { AveragedScores, LabelScores, PrecisionRecallF1 } from './eval/precisionRecall.ts';
export { type MaskedRow, type PseudoLikelihoodOptions, pseudoLikelihoodRows } from './eval/pseudoLikelihood.ts';
export { type RougeOptions, type RougeScores, rouge } from './eval/rouge.ts';
export type { References } from './eval/segments.ts';
export { evaluateModel } from './evaluate/evaluateModel.ts';
export type {
  EvaluateOptions,
  Evaluation,
  MetricValue,
  Prediction,
  Subject,
} from './evaluate/evaluation.ts';
export type { KindName } from './evaluate/kindNames.ts';
export { exportGraphs } from './export/exportGraphs.ts';
export { type GenerateCallbacks, generate } from './generate/generate.ts';
export type { Cancellation, GenerateOptions } from './generate/options.ts';
export type { GenerationResult } from './generate/result.ts';
export { GenerationSession } from './generate/session.ts';
export { fetch, findValue, type Graph } from './graph/graph.ts';
export { printGraph } from './graph/print.ts';
export { bind, dedupe, mapGraph, substitute } from './graph/rewrite.ts';
export type { Value } from './graph/value.ts';
export {
  type ActivationPatching,
  type ActivationPatchingOptions,
  activationPatching,
  type PatchedCell,
  type PatchUnit,
} from './inspect/activationPatching.ts';
export {
  type AttentionPlace,
  attentionMaps,
  attentionPlaces,
  captureAttention,
  headWeights,
  type LayerAttention,
} from './inspect/attention.ts';
export {
  type AttributionOptions,
  gradientTimesInput,
  type IntegratedGradients,
  type IntegratedGradientsOptions,
  integratedGradients,
  type TokenAttribution,
} from './inspect/attribution.ts';
export { type CaptureOptions, capture, captureEach, type NamePattern, valueNames } from './inspect/capture.ts';
export { type ContinueEditedOptions, continueEdited } from './inspect/continueEdited.ts';
export { type DirectLogit, directLogitAttribution, type LogitPart } from './inspect/directLogit.ts';
export type { EditedReading, Edits, HeadEdit, HiddenKey, ValueEdit } from './inspect/edits.ts';
export { type HeadStatistics, headStatistics } from './inspect/headStatistics.ts';
export { type HeadQuery, type HeadSteps, headSteps, type Sublayer } from './inspect/headSteps.ts';
export { type Inspected, Inspection, type PassTask } from './inspect/inspection.ts';
export { type Lens, type LensOptions, lens } from './inspect/lens.ts';
export { type Pass, type Stack, stacksOf } from './inspect/pass.ts';
export {
  type PredictionOptions,
  type Predictions,
  predictions,
  targetsOf,
  tokenLosses,
} from './inspect/predictions.ts';
export { type Reading, readingOf, type Side } from './inspect/reading.ts';
export { type ResidualNorms, residualNorms } from './inspect/residualNorms.ts';
export { attentionRollout, type Rollout } from './inspect/rollout.ts';
export type { Score } from './inspect/score.ts';
export {
  loadTunedLens,
  saveTunedLens,
  type TrainTunedLensOptions,
  type Translator,
  type TunedLens,
  trainTunedLens,
} from './inspect/tunedLens.ts';
export type { TokenChoice, WordScores } from './inspect/wordHead.ts';
export { declarationsOf } from './models/declarations.ts';
export type { CausalModel, EncoderDecoderModel, EncoderModel, Model } from './models/model.ts';
export { isKnownFamily, parseModel } from './models/registry.ts';
export { ParameterArena, type Placement } from './nn/parameterArena.ts';
export { type ParameterDeclaration, Scope, Trace } from './nn/scope.ts';
export { bartNoise, type DenoisingOptions, denoising, type Noise } from './objectives/denoising.ts';
export { type MaskedLmOptions, type MaskedText, maskedLm, maskingEpoch } from './objectives/maskedLm.ts';
export {
  documentMask,
  type PackDocumentsOptions,
  type PackedBlock,
  packDocuments,
} from './objectives/packDocuments.ts';
export { type PackSentencesOptions, packSentences } from './objectives/packSentences.ts';
export { type PrefixText, prefixLm, prefixMask } from './objectives/prefixLm.ts';
export { type SentencePair, type SentencePairsOptions, sentencePairs } from './objectives/sentencePairs.ts';
export type { Sentences } from './objectives/sentences.ts';
export {
  type CorruptedText,
  type SpanCorruptionOptions,
  type SpanOptions,
  spanCorruption,
  spanCorruptionLengths,
} from './objectives/spanCorruption.ts';
export { type Infilling, infill, type TextSpan } from './objectives/textInfilling.ts';
export { type WordRule, type WordStarts, wordStarts } from './objectives/wordStarts.ts';
export { type LoweredModel, lower } from './onnx/lower.ts';
export { gelu, relu, silu } from './ops/activation.ts';
export {
  abs,
  add,
  and,
  bitXor,
  cast,
  cos,
  div,
  equal,
  erf,
  exp,
  greater,
  greaterEqual,
  less,
  lessEqual,
  log,
  maximum,
  minimum,
  mul,
  neg,
  not,
  or,
  pow,
  reciprocal,
  sigmoid,
  sin,
  sqrt,
  stopGradient,
  sub,
  tanh,
  where,
} from './ops/elementwise.ts';
export { gather, scatterAdd, takeAlong, zeros } from './ops/gather.ts';
export { constant, dimSize, input, intConstant, iota, parameter, scalarConstant } from './ops/leaf.ts';
export { crossEntropy, linearCrossEntropy } from './ops/loss.ts';
export { type MatmulOptions, matmul } from './ops/matmul.ts';
export { layerNorm, rmsNorm } from './ops/norm.ts';
export { dropoutMask } from './ops/random.ts';
export { argmax, cumsum, max, mean, sum } from './ops/reduce.ts';
export { concat, expand, pad, reshape, slice, split, transpose } from './ops/shape.ts';
export { logSoftmax, softmax } from './ops/softmax.ts';
export { topIndices, topValues } from './ops/topK.ts';
export {
  type EmbeddingOptions,
  type EmbeddingStep,
  embeddingTask,
  type Pooling,
} from './predict/embedding.ts';
export { headTask, maskedWordsTask } from './predict/headTasks.ts';
export {
  type EncoderRunOptions,
  EncoderSession,
  type EncoderTask,
  type EncoderText,
  type TaskInputs,
} from './predict/session.ts';
export { type Answer, type AnswerOptions, answer, type Question } from './pretrained/answer.ts';
export { type ChatMessage, chatPrompt } from './pretrained/chat.ts';
export {
  type ChoiceQuestion,
  type Classification,
  type ClassifyOptions,
  type ClassScore,
  choose,
  classify,
} from './pretrained/classify.ts';
export { type Continuation, continueText } from './pretrained/continueText.ts';
export { cosineSimilarities, type EmbedOptions, embed } from './pretrained/embed.ts';
export { type FilledText, type FillMaskOptions, fillMask, type MaskCandidate } from './pretrained/fillMask.ts';
export { forMode, generationDefaults } from './pretrained/generationDefaults.ts';
export {
  type LoadOptions,
  loadPretrained,
  type Pretrained,
  type PretrainedToSave,
  savePretrained,
} from './pretrained/pretrained.ts';
export { meanOfTokens, openSentenceEncoder, type SentenceEncoder } from './pretrained/sentenceEncoder.ts';
export { type TaggedWord, type TagOptions, tag } from './pretrained/tag.ts';
export { type TranslateOptions, type Translation, translate } from './pretrained/translate.ts';
export { formatRecipe } from './recipe/formatRecipe.ts';
export { parseRecipe } from './recipe/parseRecipe.ts';
export type { LanguageModelRecipe, Recipe, TranslationRecipe } from './recipe/recipe.ts';
export { RecipeError, type RecipeProblem } from './recipe/recipeError.ts';
export { recipeJsonSchema } from './recipe/recipeSchema.ts';
export { createReferenceRuntime, evaluate } from './runtime/reference/reference.ts';
export type { Call, Program, ProgramOptions, Runtime, Tensors } from './runtime/runtime.ts';
export type { AlignedEncoding, EncodeOptions, Encoding } from './tokenizer/encode.ts';
export {
  type DecodeOptions,
  loadTokenizer,
  type SpecialIds,
  type Tokenizer,
} from './tokenizer/tokenizer.ts';
export { type SpecialTokenRoles, type TokenizerFiles, tokenizerFiles } from './tokenizer/tokenizerFiles.ts';
export { type TrainBpeOptions, trainBpe } from './tokenizer/trainBpe.ts';
export { cosineLoss, hardTargetLoss, softTargetLoss } from './train/distillation.ts';
export type { MetricsLine, TrainingEvent } from './train/events.ts';
export {
  type Measured,
  type MeasuredLoss,
  type MeasureOptions,
  pairLoss,
} from './train/measureLoss.ts';
export { type LossOptions, type TracedLoss, traceLoss } from './train/objectives.ts';
export type { OptimizerConfig } from './train/optimizer.ts';
export { learningRate, type Schedule } from './train/schedule.ts';
export { type StepInputs, type StepResult, TrainStep, type TrainStepOptions } from './train/trainStep.ts';
export type {
  Both,
  Chart,
  Claim,
  Experiment,
  ExperimentContext,
  Findings,
  Matrix,
  Series,
  Table,
} from './why/experiment.ts';
export { formatFindings, type Language } from './why/format.ts';
export { drawChart, drawFindings, drawMatrices } from './why/picture.ts';
export { experimentNames, loadExperiment } from './why/registry.ts';
