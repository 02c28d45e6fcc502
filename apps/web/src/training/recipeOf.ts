import type { LanguageModelRecipe, Training, TranslationRecipe } from '../../../../src/recipe/recipe.ts';
import type { TrainingSettings } from './contract.ts';

/** Lines of the curve at most. */
const LINES = 500;
const VALIDATIONS = 20;

/** The recipe of a run in the page. What it reads is given beside it: its paths only name that. */
export function recipeOf(settings: TrainingSettings): LanguageModelRecipe | TranslationRecipe {
  const { data, seed, width, layers, heads, block, batch, ownText } = settings;
  const head = { name: data, seed, output: data };
  const train = training(settings);
  if (data === 'translation') {
    return {
      ...head,
      task: 'translation',
      data: { format: 'tsv', train: data, validation: data, test: null, columns: ['source', 'target'] },
      tokenizer: { kind: 'bpe', vocabSize: 1500, minFrequency: 2, limitAlphabet: 1000 },
      model: {
        family: 'transformer',
        normPlacement: 'pre',
        positions: 'interleaved',
        sharedEmbeddings: 'all',
        bias: true,
        init: { kind: 'xavier-uniform' },
        width,
        encoderLayers: layers,
        decoderLayers: layers,
        heads,
        hidden: 4 * width,
        activation: 'relu',
        dropout: 0,
        attentionDropout: 0,
        activationDropout: 0,
        maxLength: block,
      },
      objective: { labelSmoothing: 0 },
      train: {
        ...train,
        batchTokens: batch * block,
        maxLength: null,
        lengthMultiple: 4,
        sortWindow: 4096,
        best: 'loss',
      },
      evaluate: { metric: 'bleu', tokenize: 'zh', beam: 1, lengthPenalty: 1, maxLength: block, sentences: 8 },
    };
  }
  return {
    ...head,
    task: 'language-model',
    data: { format: 'text', file: data, validationFraction: 0.1 },
    tokenizer: { kind: 'char', minFrequency: 2, limitAlphabet: null },
    model: {
      family: 'gpt2',
      width,
      layers,
      heads,
      hidden: null,
      activation: 'gelu',
      dropout: 0,
      embeddingDropout: 0,
      attentionDropout: 0,
      maxLength: block,
      sharedEmbeddings: true,
      bias: true,
      init: { std: 0.02, scaleResidual: true },
    },
    objective: { prefix: false },
    distill: null,
    train: { ...train, batchSize: batch, blockSize: block, packing: 'continuous' },
    evaluate: {
      blocks: 24,
      prompt: data === 'poems' ? '五言绝句：' : data === 'own' ? [...ownText][0]! : '\n',
      sampleTokens: data === 'poems' ? 60 : 160,
      temperature: 0.8,
      topK: 40,
    },
  };
}

function training({ steps, rate }: TrainingSettings): Training {
  return {
    steps,
    minutes: null,
    accumulate: 1,
    optimizer: { name: 'adamw', beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.1 },
    schedule: { name: 'constant', peak: rate, warmup: Math.min(50, Math.ceil(steps / 10)) },
    clipNorm: 1,
    saveEvery: steps, // what is saved in between follows the clock
    validateEvery: Math.max(10, Math.ceil(steps / VALIDATIONS)),
    logEvery: Math.ceil(steps / LINES),
    keep: 1,
    earlyStopping: null,
    adapter: null,
    freeze: [],
    layerDecay: 1,
    ema: null,
    saveDtype: 'float32',
  };
}
