import { z } from 'zod';
import { documentsData, fieldName, recordSource, recordsData } from './dataSchema.ts';
import { distill, keptLayers } from './distillSchema.ts';
import type { Recipe } from './recipe.ts';
import { count, fraction, optional, path, positive } from './schemaParts.ts';

const pathPair = (what: string) => z.tuple([path('Source side.'), path('Target side.')]).describe(what);

const PAIRS = 'Names ending in .gz are unpacked.';

const tsvData = z.strictObject({
  format: z.literal('tsv').describe('One tab-separated file a part, UTF-8, a pair a line, no quoting.'),
  train: path(`Training pairs. ${PAIRS}`),
  validation: path('Pairs for the validation loss and score.'),
  test: optional(
    path('Pairs for the score at the end.').nullable(),
    null,
    'Pairs for the score at the end; null: none.',
  ),
  columns: z
    .array(z.enum(['source', 'target', 'ignore']))
    .min(2)
    .refine((c) => c.filter((x) => x === 'source').length === 1 && c.filter((x) => x === 'target').length === 1, {
      error: 'source once, target once, ignore any number of times',
    })
    .default(['source', 'target'])
    .describe('What the columns hold, from the left. Default: [source, target].'),
});

const parallelData = z.strictObject({
  format: z.literal('parallel').describe('Two files a part: line n of the one translates line n of the other.'),
  train: pathPair(`Training pairs: [source file, target file]. ${PAIRS}`),
  validation: pathPair('Pairs for the validation loss and score: [source file, target file].'),
  test: optional(
    pathPair('').nullable(),
    null,
    'Pairs for the score at the end: [source file, target file]; null: none.',
  ),
});

const textData = z.strictObject({
  format: z.literal('text').describe('One text file; its end is the validation part.'),
  file: path('The text, UTF-8. Names ending in .gz are unpacked.'),
  validationFraction: optional(
    positive.lt(1),
    0.1,
    'Share of the characters, at the end of the file, kept for validation.',
  ),
});

const vocabSize = z.int().min(2).describe('Entries of the vocabulary, special tokens included.');
const minFrequency = optional(count, 1, 'Characters and merges that occur less often get no token.');
const limitAlphabet = optional(
  count.nullable(),
  null,
  'Most characters that get a token, the frequent first; null: all.',
);
const tokenizer = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('bpe').describe('Byte-pair encoding over characters, inside words; a rare character is unknown.'),
      vocabSize,
      minFrequency,
      limitAlphabet,
    }),
    z.strictObject({
      kind: z.literal('byte-bpe').describe('Byte-pair encoding over bytes (GPT-2): nothing is unknown.'),
      vocabSize: z.int().min(257).describe('Entries of the vocabulary, the 256 bytes and special tokens included.'),
      minFrequency,
    }),
    z.strictObject({ kind: z.literal('char').describe('One token a character.'), minFrequency, limitAlphabet }),
    z.strictObject({ kind: z.literal('model').describe('That of the model which is trained further.') }),
    z.strictObject({ kind: z.literal('file').describe('A tokenizer that exists.'), path: path('A tokenizer.json.') }),
  ])
  .describe(
    'Trained on the training data (one vocabulary for source and target; of documents on the first 64 million characters, the sources alike), or loaded.',
  );

const activation = z.enum(['relu', 'gelu', 'gelu_new', 'silu']);
const heads = count.describe('Attention heads; must divide width.');
const width = count.describe('Size of embeddings and residual stream.');
const ACTIVATION = 'Of the feed-forward layers; gelu is exact (erf), gelu_new its tanh approximation.';

/** Refinements run although other keys are wrong, so that all problems are reported together. */
function allOf(...keys: string[]): (payload: { value: unknown }) => boolean {
  return ({ value }) => keys.every((key) => Number.isInteger((value as Record<string, unknown>)[key]));
}

const headsDivideWidth = {
  check: (model: { width: number; heads: number }): boolean => model.width % model.heads === 0,
  params: { path: ['heads'], error: 'a divisor of width', when: allOf('width', 'heads') },
};

const encoderDecoder = {
  width,
  encoderLayers: count.describe('Encoder layers.'),
  decoderLayers: count.describe('Decoder layers.'),
  heads,
  hidden: count.describe('Width of the feed-forward layers, often 4 · width.'),
  activation: optional(activation, 'relu', ACTIVATION),
  dropout: optional(
    fraction,
    0.1,
    'Probability, of embeddings and of what each sub-layer adds to the residual stream.',
  ),
  attentionDropout: optional(fraction, 0, 'Probability, of attention weights.'),
  activationDropout: optional(fraction, 0, 'Probability, behind the activation of the feed-forward layers.'),
  maxLength: optional(count, 256, 'Longest sequence, in tokens.'),
};
const std = optional(positive, 0.02, 'Standard deviation of all matrices and embeddings; biases start at 0.');

const marian = z
  .strictObject({
    family: z
      .literal('marian')
      .describe(
        "Marian's Transformer: norms behind the residual sum, sinusoidal positions in split layout, biases, embeddings times sqrt(width). Opens in Python as MarianMTModel.",
      ),
    ...encoderDecoder,
    sharedEmbeddings: optional(
      z.enum(['all', 'decoder']),
      'all',
      'all: source, target and output layer share one matrix; decoder: target and output layer share one.',
    ),
    init: z.strictObject({ std }).prefault({}).describe('Normal distribution. Default: std 0.02.'),
  })
  .refine(headsDivideWidth.check, headsDivideWidth.params);

const transformer = z
  .strictObject({
    family: z
      .literal('transformer')
      .describe('The original encoder-decoder Transformer (arXiv:1706.03762), with its options.'),
    ...encoderDecoder,
    normPlacement: optional(
      z.enum(['post', 'pre']),
      'post',
      'Layer norm behind the residual sum (the paper) or before each sub-layer.',
    ),
    positions: optional(
      z.enum(['interleaved', 'split', 'learned']),
      'interleaved',
      'Sinusoidal with sines and cosines in turn (the paper), sinusoidal with all sines first, or learned.',
    ),
    sharedEmbeddings: optional(
      z.enum(['all', 'decoder', 'none']),
      'all',
      'all: source, target and output layer share one matrix; decoder: target and output layer share one; none: three matrices.',
    ),
    bias: optional(z.boolean(), true, 'Biases in the linear layers of attention and feed-forward, and in norms.'),
    init: z
      .discriminatedUnion('kind', [
        z.strictObject({ kind: z.literal('normal').describe('Normal distribution.'), std }),
        z.strictObject({
          kind: z
            .literal('xavier-uniform')
            .describe('Uniform within sqrt(6 / (in + out)); embeddings normal, width^-0.5.'),
        }),
      ])
      .prefault({ kind: 'xavier-uniform' })
      .describe('How matrices start; biases start at 0. Default: xavier-uniform.'),
  })
  .refine(headsDivideWidth.check, headsDivideWidth.params)
  .refine((model) => model.positions === 'learned' || model.width % 2 === 0, {
    path: ['width'],
    error: 'an even number, since sines and cosines come in pairs',
    when: allOf('width'),
  });

const gpt2 = z
  .strictObject({
    family: z
      .literal('gpt2')
      .describe('GPT-2: norms before each sub-layer, learned positions. Opens in Python as GPT2LMHeadModel.'),
    width,
    layers: count.describe('Layers.'),
    heads,
    hidden: optional(count.nullable(), null, 'Width of the feed-forward layers; null: 4 · width.'),
    activation: optional(activation, 'gelu_new', ACTIVATION),
    dropout: optional(fraction, 0, 'Probability, of what each sub-layer adds to the residual stream.'),
    embeddingDropout: optional(fraction, 0, 'Probability, of the sum of token and position embeddings.'),
    attentionDropout: optional(fraction, 0, 'Probability, of attention weights.'),
    maxLength: count.describe('Number of positions, in tokens: the longest context.'),
    sharedEmbeddings: optional(z.boolean(), true, 'Whether the output layer is the token embedding.'),
    bias: optional(z.boolean(), true, 'Biases in linear layers and norms.'),
    init: z
      .strictObject({
        std,
        scaleResidual: optional(
          z.boolean(),
          true,
          'Divides std by sqrt(2 · layers) for the projections into the residual stream.',
        ),
      })
      .prefault({})
      .describe('Normal distribution. Default: std 0.02, scaleResidual true.'),
  })
  .refine(headsDivideWidth.check, headsDivideWidth.params);

const configured = <Family extends string>(family: Family, text: string) =>
  z.strictObject({
    family: z.literal(family).describe(text),
    config: z
      .record(z.string(), z.unknown())
      .describe(
        "Fields of its config.json, in the names of Hugging Face's transformers, where they are not the family's defaults; the size of the vocabulary and the special tokens come from the tokenizer.",
      ),
  });

const pretrained = z.strictObject({
  family: z.literal('pretrained').describe('A model that exists, to be trained further.'),
  from: z
    .string()
    .min(1)
    .describe(
      "Its folder (a relative path starts at the recipe's folder, one given by --set at the working folder), a .gguf file, or org/name[@revision] of the Hugging Face hub.",
    ),
  layers: keptLayers,
  dropout: optional(
    z.record(z.string(), fraction),
    {},
    'Dropout rates of its config.json by their names there, where training is to have others, such as { hidden_dropout_prob: 0 }.',
  ),
});

const beta = (text: string, value: number) => optional(fraction, value, text);
const eps = optional(positive, 1e-8, 'Added to the root of the second moment.');
const decay = z.number().min(0);
const DECAYED = 'of matrices and embeddings; biases and norms do not decay.';
const BETA1 = 'Decay of the mean of gradients.';
const BETA2 = 'Decay of the mean of squared gradients.';

const optimizer = z
  .discriminatedUnion('name', [
    z.strictObject({
      name: z.literal('adamw').describe('Adam with decoupled weight decay (arXiv:1711.05101).'),
      beta1: beta(BETA1, 0.9),
      beta2: beta(BETA2, 0.999),
      eps,
      weightDecay: optional(decay, 0.01, `Times the learning rate, subtracted from the weights: ${DECAYED}`),
    }),
    z.strictObject({
      name: z.literal('adam').describe('Adam (arXiv:1412.6980), no weight decay.'),
      beta1: beta(BETA1, 0.9),
      beta2: beta(BETA2, 0.999),
      eps,
    }),
    z.strictObject({
      name: z.literal('sgd').describe('Stochastic gradient descent.'),
      momentum: optional(fraction, 0, 'Share of the last update that is kept.'),
      weightDecay: optional(decay, 0, `Added to the gradient, times the weights: ${DECAYED}`),
    }),
  ])
  .prefault({ name: 'adamw' })
  .describe('Default: adamw with its defaults.');

const peak = positive.describe('Highest learning rate, reached after warmup.');
const warmup = optional(z.int().min(0), 0, 'Steps of linear rise; step t (from 0) has peak · (t + 1) / (warmup + 1).');
const final = optional(z.number().min(0), 0, 'Learning rate at `steps`.');
const schedule = z
  .discriminatedUnion('name', [
    z.strictObject({ name: z.literal('constant').describe('Stays at peak.'), peak, warmup }),
    z.strictObject({ name: z.literal('linear').describe('Falls on a line from peak to final.'), peak, warmup, final }),
    z.strictObject({
      name: z.literal('cosine').describe('Falls on half a cosine from peak to final.'),
      peak,
      warmup,
      final,
    }),
    z.strictObject({
      name: z.literal('inverse-sqrt').describe('peak · sqrt(warmup / t): the schedule of the paper.'),
      peak,
      warmup: count.describe('Steps of linear rise; step t (from 0) has peak · (t + 1) / (warmup + 1).'),
    }),
  ])
  .describe('Learning rate by step.');

const NAMES =
  "our parameter paths, or the checkpoint's names; * stands for anything, {a,b} for either, and the name of a place for all that is in it.";

const adapter = z
  .strictObject({
    kind: z
      .literal('lora')
      .describe('Low-rank updates of linear layers (arXiv:2106.09685): W x + alpha / rank · B A x.'),
    rank: optional(count, 8, 'Rows of A and columns of B.'),
    alpha: optional(positive, 16, 'The product is multiplied by alpha / rank.'),
    dropout: optional(fraction, 0, 'Probability, of the input of A.'),
    targets: z
      .array(z.string().min(1))
      .min(1)
      .default(['all-linear'])
      .describe(
        'Linear layers that get one: names or their ends (q_proj, attention.q), with * and {a,b}, or all-linear. Default: [all-linear].',
      ),
    alsoTrain: z
      .array(z.string().min(1))
      .default([])
      .describe(`Weights that are trained and saved whole, such as a new head: ${NAMES} Default: [].`),
  })
  .nullable();

const training = {
  steps: count.describe('Optimizer steps of the whole run.'),
  minutes: optional(
    positive.nullable(),
    null,
    'The run ends after this many minutes if `steps` are not done before; null: no limit.',
  ),
  accumulate: optional(count, 1, 'Batches whose gradients make one step.'),
  optimizer,
  schedule,
  clipNorm: optional(positive.nullable(), null, 'Highest global norm of the gradient; null: no clipping.'),
  saveEvery: optional(count, 500, 'Steps between snapshots.'),
  validateEvery: optional(count, 500, 'Steps between validations.'),
  logEvery: optional(count, 10, 'Steps between lines of metrics.jsonl.'),
  keep: optional(count, 2, 'Newest snapshots kept, beside the best one.'),
  earlyStopping: optional(
    z
      .strictObject({ patience: count.describe('Validations in a row without a new best value that end the run.') })
      .nullable(),
    null,
    'Ends the run when validation does not improve any more; null: never.',
  ),
  adapter: optional(adapter, null, "What is trained in place of the model's weights; null: the weights."),
  freeze: z.array(z.string().min(1)).default([]).describe(`Parameters that are not trained: ${NAMES} Default: [].`),
  layerDecay: optional(
    positive.max(1),
    1,
    'Times the learning rate for each layer down from the top: the head has 1, the last layer this, embeddings the lowest.',
  ),
  ema: optional(
    z.strictObject({ decay: fraction.describe('Share of the average that each step keeps; often 0.999.') }).nullable(),
    null,
    'Moving average of the weights, which is validated and published in place of them; null: none.',
  ),
  saveDtype: optional(
    z.enum(['float32', 'bfloat16', 'float16']),
    'float32',
    'What the weights of the published model are rounded to; snapshots stay float32.',
  ),
};

const decoding = {
  beam: optional(count, 4, 'Beams; 1: greedy.'),
  lengthPenalty: optional(z.number(), 1, 'Exponent of the length that a score is divided by.'),
  maxLength: optional(count, 128, 'Longest translation, in tokens.'),
  sentences: optional(
    count.nullable(),
    200,
    'First validation pairs that are translated for the score; null: all. The test part is always whole.',
  ),
};

const head = {
  name: z.string().min(1).describe('What the run is called.'),
  seed: optional(z.int().min(0), 1, 'All randomness (init, order, dropout) follows from it.'),
  output: z.string().min(1).describe('Folder of the run. A relative path starts at the working folder.'),
};

const translation = z
  .strictObject({
    task: z.literal('translation').describe('Sequence to sequence: text into text.'),
    ...head,
    data: z.discriminatedUnion('format', [tsvData, parallelData]).describe('Sentence pairs.'),
    tokenizer,
    model: z
      .discriminatedUnion('family', [
        marian,
        transformer,
        configured('t5', 'T5, by its config.json. Opens in Python as T5ForConditionalGeneration.'),
        configured('bart', 'BART, by its config.json. Opens in Python as BartForConditionalGeneration.'),
        pretrained,
      ])
      .describe('An encoder-decoder model.'),
    objective: z
      .strictObject({ labelSmoothing: optional(fraction, 0.1, 'Probability spread evenly over the vocabulary.') })
      .prefault({})
      .describe('Cross-entropy. Default: labelSmoothing 0.1.'),
    train: z
      .strictObject({
        ...training,
        batchTokens: count.describe('Tokens of a batch, source and target, padding included, at most.'),
        maxLength: optional(
          count.nullable(),
          null,
          'Pairs with a longer side, in tokens, are left out of training, and counted; null: model.maxLength.',
        ),
        lengthMultiple: optional(
          count,
          4,
          'Lengths are padded to a multiple of this: larger, fewer shapes; smaller, less padding.',
        ),
        sortWindow: optional(count, 8192, 'Pairs that are sorted by length together after shuffling.'),
        best: optional(
          z.enum(['loss', 'score']),
          'loss',
          'What chooses the best snapshot and stops early: validation loss or evaluate.metric.',
        ),
      })
      .describe('The training run.'),
    evaluate: z
      .discriminatedUnion('metric', [
        z.strictObject({
          metric: z.literal('bleu').describe('BLEU as sacreBLEU computes it.'),
          tokenize: optional(z.enum(['13a', 'zh', 'char']), '13a', "sacreBLEU's tokenisation; zh for Chinese."),
          ...decoding,
        }),
        z.strictObject({ metric: z.literal('chrf').describe('chrF2 as sacreBLEU computes it.'), ...decoding }),
      ])
      .prefault({ metric: 'bleu' })
      .describe('How translations are made and scored. Default: BLEU, 13a.'),
  })
  .refine(({ train, model }) => !('maxLength' in model) || (train.maxLength ?? 0) <= model.maxLength, {
    path: ['train', 'maxLength'],
    error: 'at most model.maxLength',
    when: ({ value }) =>
      Number.isInteger(at(value, 'train', 'maxLength')) && Number.isInteger(at(value, 'model', 'maxLength')),
  });

const languageModel = z
  .strictObject({
    task: z.literal('language-model').describe('Causal language model: the next token.'),
    ...head,
    data: z.discriminatedUnion('format', [textData, documentsData('text')]).describe('Running text.'),
    tokenizer,
    model: z
      .discriminatedUnion('family', [
        gpt2,
        configured('llama', 'Llama, by its config.json. Opens in Python as LlamaForCausalLM.'),
        pretrained,
      ])
      .describe('A decoder-only model.'),
    objective: z
      .strictObject({
        prefix: optional(
          z.boolean(),
          false,
          'Whether a beginning of random length of each block is given, and sees itself as a whole; only the rest is predicted.',
        ),
      })
      .prefault({})
      .describe('Cross-entropy of the next token. Default: of every token.'),
    distill,
    train: z
      .strictObject({
        ...training,
        batchSize: count.describe('Blocks of a batch.'),
        blockSize: count.describe('Tokens of a block; at most model.maxLength.'),
        packing: optional(
          z.enum(['continuous', 'separate-documents']),
          'continuous',
          'continuous: blocks of one text, of documents one behind the other, each with an end token; separate-documents: a document sees no other, and its positions begin at 0.',
        ),
      })
      .describe('The training run.'),
    evaluate: z
      .strictObject({
        blocks: optional(
          count.nullable(),
          null,
          'Blocks of the validation part, from its start, that a validation takes; null: all.',
        ),
        prompt: optional(z.string().min(1), '\n', 'Beginning of the sample that each validation shows.'),
        sampleTokens: optional(z.int().min(0), 200, 'Length of that sample; 0: none.'),
        temperature: optional(positive, 1, "Divides the sample's logits."),
        topK: optional(count.nullable(), null, 'The sample is drawn from so many likeliest tokens; null: all.'),
      })
      .prefault({})
      .describe('What a validation does. Default: loss over all blocks, and a sample.'),
  })
  .refine(({ train, model }) => !('maxLength' in model) || train.blockSize <= model.maxLength, {
    path: ['train', 'blockSize'],
    error: 'at most model.maxLength',
    when: ({ value }) =>
      Number.isInteger(at(value, 'train', 'blockSize')) && Number.isInteger(at(value, 'model', 'maxLength')),
  })
  .refine(({ objective, train }) => !objective.prefix || train.packing !== 'separate-documents', {
    path: ['train', 'packing'],
    error: 'continuous, with objective.prefix',
    when: ({ value }) => at(value, 'objective', 'prefix') === true && hasPacking(value),
  })
  .refine(({ data, train }) => data.format === 'documents' || train.packing !== 'separate-documents', {
    path: ['train', 'packing'],
    error: 'continuous, with data.format text',
    when: ({ value }) => at(value, 'data', 'format') === 'text' && hasPacking(value),
  });

function hasPacking(value: unknown): boolean {
  return at(value, 'train', 'packing') !== undefined;
}

const maskedLanguageModel = z.strictObject({
  task: z
    .literal('masked-language-model')
    .describe('Masked words, as BERT is pretrained, with or without a question about two sentences.'),
  ...head,
  data: z
    .discriminatedUnion('format', [textData, documentsData('sentences')])
    .describe('A sentence a line, a blank line between documents.'),
  tokenizer,
  model: z
    .discriminatedUnion('family', [
      configured('bert', 'BERT, by its config.json. Opens in Python as BertForMaskedLM or BertForPreTraining.'),
      configured('roberta', 'RoBERTa, by its config.json. Opens in Python as RobertaForMaskedLM.'),
      configured('albert', 'ALBERT, by its config.json. Opens in Python as AlbertForMaskedLM or AlbertForPreTraining.'),
      configured('distilbert', 'DistilBERT, by its config.json. Opens in Python as DistilBertForMaskedLM.'),
      pretrained,
    ])
    .describe('An encoder.'),
  objective: z
    .strictObject({
      rate: optional(positive.lt(1), 0.15, 'Share of the tokens of a sequence that are predicted.'),
      maskShare: optional(z.number().min(0).max(1), 0.8, 'Share of these that become the mask.'),
      randomShare: optional(
        z.number().min(0).max(1),
        0.1,
        'Share of these that become a random token; the rest stays as it is.',
      ),
      words: optional(
        z.enum(['none', 'pieces', 'chinese']),
        'none',
        'Whether whole words are chosen: none, words as the tokenizer marks them, or Chinese words as well.',
      ),
      maxNgram: optional(
        count,
        1,
        'Up to so many words in a row are chosen together, n with probability in 1/n (ALBERT: 3).',
      ),
      copies: optional(
        count.nullable(),
        null,
        'Versions of the masks, made once and taken in turn epoch by epoch (BERT: 10); null: new masks in every epoch (RoBERTa).',
      ),
      sentences: optional(
        z.enum(['none', 'next-sentence', 'sentence-order']),
        'none',
        'What is asked of two parts of a text: nothing, whether the second follows (BERT), or whether they are in order (ALBERT).',
      ),
    })
    .refine(({ maskShare, randomShare }) => maskShare + randomShare <= 1, {
      path: ['randomShare'],
      error: 'at most 1 - maskShare',
    })
    .prefault({})
    .describe(
      'Default: 15% of the tokens; of these 80% masks, 10% random, 10% kept; new masks in every epoch; one text a sequence.',
    ),
  distill,
  train: z
    .strictObject({
      ...training,
      batchSize: count.describe('Sequences of a batch.'),
      maxLength: z.int().min(8).describe('Tokens of a sequence, special ones included.'),
    })
    .describe('The training run.'),
  evaluate: z
    .strictObject({
      sequences: optional(
        count.nullable(),
        null,
        'Sequences of the validation part, from its start, that a validation takes; null: all.',
      ),
      fill: z
        .array(z.string().min(1))
        .default([])
        .describe('Texts with masks, as the tokenizer writes them, that each validation fills. Default: [].'),
    })
    .prefault({})
    .describe('What a validation does. Default: loss over all sequences.'),
});

const probability = optional(z.number().min(0).max(1), 1, 'How probably a text is damaged so.');
const rate = positive.lt(1).describe('Share of the tokens of a text.');
const noise = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z
        .literal('sentence-permutation')
        .describe('The sentences in random order; it comes first, while they are known.'),
      probability,
    }),
    z.strictObject({
      kind: z.literal('text-infilling').describe('Spans, each of which becomes one mask.'),
      probability,
      rate,
      meanLength: optional(positive.max(100), 3, 'Mean of the Poisson distribution of their lengths.'),
    }),
    z.strictObject({ kind: z.literal('token-masking').describe('Random tokens become masks.'), probability, rate }),
    z.strictObject({ kind: z.literal('token-deletion').describe('Random tokens are left out.'), probability, rate }),
    z.strictObject({
      kind: z.literal('document-rotation').describe('The text begins with one of its tokens chosen at random.'),
      probability,
    }),
  ])
  .describe('One way to damage a text.');

const denoising = z.strictObject({
  task: z
    .literal('denoising')
    .describe('Damaged text is made whole, as T5 and BART are pretrained; the damage is new in every epoch.'),
  ...head,
  data: z
    .discriminatedUnion('format', [textData, documentsData('sentences')])
    .describe('A sentence a line, a blank line between documents.'),
  tokenizer,
  model: z
    .discriminatedUnion('family', [
      configured('t5', 'T5, by its config.json. Opens in Python as T5ForConditionalGeneration.'),
      configured('bart', 'BART, by its config.json. Opens in Python as BartForConditionalGeneration.'),
      pretrained,
    ])
    .describe('An encoder-decoder model.'),
  objective: z
    .discriminatedUnion('kind', [
      z.strictObject({
        kind: z
          .literal('span-corruption')
          .describe('T5: spans are taken out, and written behind the sentinels that stand for them.'),
        density: optional(positive.lt(1), 0.15, 'Share of the tokens that are taken out.'),
        meanLength: optional(z.number().min(1), 3, 'Mean length of a span, in tokens.'),
      }),
      z.strictObject({
        kind: z.literal('denoising').describe('BART: the whole text is written as it was.'),
        noise: z
          .array(noise)
          .min(1)
          .refine((list) => list.every(({ kind }, i) => i === 0 || kind !== 'sentence-permutation'), {
            error: 'sentence-permutation first: later no sentences are left',
          })
          .default([
            { kind: 'sentence-permutation', probability: 1 },
            { kind: 'text-infilling', probability: 1, rate: 0.3, meanLength: 3 },
          ])
          .describe(
            'What is done to a text, in this order. Default: sentence-permutation, then text-infilling with rate 0.3.',
          ),
      }),
    ])
    .describe('What is damaged and what is written.'),
  train: z
    .strictObject({
      ...training,
      batchTokens: count.describe('Tokens of a batch, source and target, padding included, at most.'),
      maxLength: z
        .int()
        .min(8)
        .describe('Tokens of a source, special ones included: exactly as many with span-corruption, else at most.'),
    })
    .describe('The training run.'),
  evaluate: z
    .strictObject({
      sequences: optional(
        count.nullable(),
        null,
        'Texts of the validation part, from its start, that a validation takes; null: all.',
      ),
      fill: z
        .array(z.string().min(1))
        .default([])
        .describe('Damaged texts, as the tokenizer writes them, that each validation makes whole. Default: [].'),
    })
    .prefault({})
    .describe('What a validation does. Default: loss over all texts.'),
});

const instruction = z
  .strictObject({
    task: z
      .literal('instruction')
      .describe('A language model that answers: what is asked is given, and only answers are predicted.'),
    ...head,
    data: z
      .strictObject({
        format: z.literal('records').describe('Rows of tables: TSV, CSV, JSONL, parquet.'),
        train: recordSource,
        validation: recordSource,
        fields: z
          .union([
            z.strictObject({
              prompt: fieldName.describe('What is asked.'),
              completion: fieldName.describe('What is answered.'),
            }),
            z.strictObject({
              messages: fieldName.describe('A list of { role, content }; answers have the role assistant.'),
            }),
          ])
          .describe('Where the parts of an example stand.'),
      })
      .describe('A question and its answer a record, or a conversation.'),
    tokenizer,
    model: z
      .discriminatedUnion('family', [
        gpt2,
        configured('llama', 'Llama, by its config.json. Opens in Python as LlamaForCausalLM.'),
        pretrained,
      ])
      .describe('A decoder-only model.'),
    objective: z
      .strictObject({
        format: z
          .discriminatedUnion('kind', [
            z.strictObject({
              kind: z.literal('chat').describe("By the model's chat template; what it puts behind an answer counts."),
              system: optional(z.string().min(1).nullable(), null, 'What the model is told before; null: nothing.'),
            }),
            z.strictObject({
              kind: z.literal('text').describe('The prompt, the completion, the end token.'),
              prompt: optional(
                z.string().refine((text) => text.split('{prompt}').length === 2, { error: '{prompt}, once' }),
                '{prompt}\n',
                'What is made of the prompt.',
              ),
            }),
          ])
          .describe('How a text is made of a record.'),
      })
      .describe('Cross-entropy of the tokens of answers.'),
    train: z
      .strictObject({
        ...training,
        batchTokens: count.describe('Tokens of a batch, padding included, at most.'),
        maxLength: z.int().min(8).describe('Examples of more tokens are left out, and counted.'),
      })
      .describe('The training run.'),
    evaluate: z
      .strictObject({
        examples: optional(
          count.nullable(),
          null,
          'Examples of the validation part, from its start, that a validation takes; null: all.',
        ),
        samples: optional(z.int().min(0), 2, 'First validation examples that the model answers.'),
        maxLength: optional(count, 128, 'Longest answer, in tokens.'),
      })
      .prefault({})
      .describe('What a validation does. Default: loss over all examples, and two answers.'),
  })
  .refine(({ data, objective }) => objective.format.kind === 'chat' || 'prompt' in data.fields, {
    path: ['data', 'fields'],
    error: 'prompt and completion: messages need objective.format.kind chat',
    when: ({ value }) =>
      at(value, 'objective', 'format', 'kind') === 'text' && at(value, 'data', 'fields') !== undefined,
  });

const { steps: _, ...trainingBySteps } = training;
const headTraining = z
  .strictObject({
    ...trainingBySteps,
    steps: optional(count.nullable(), null, 'Optimizer steps of the whole run; null: as many as `epochs` have.'),
    epochs: optional(positive.nullable(), null, 'Times that all training examples are seen; null: `steps` says it.'),
    batchSize: count.describe('Examples of a batch.'),
    maxLength: optional(
      z.int().min(8).nullable(),
      null,
      'Tokens of a text or pair at most, special ones included: longer ones are cut; null: what the model takes.',
    ),
    best: optional(
      z.enum(['loss', 'score']),
      'score',
      'What chooses the best snapshot and stops early: validation loss or evaluate.metric.',
    ),
  })
  .refine(({ steps, epochs }) => (steps === null) !== (epochs === null), {
    path: ['steps'],
    error: 'either steps or epochs',
  })
  .describe('The training run.');

/** What the recipes of all heads share. */
const onEncoder = {
  ...head,
  tokenizer,
  model: z
    .discriminatedUnion('family', [
      configured('bert', 'BERT, by its config.json, with random weights.'),
      configured('roberta', 'RoBERTa, by its config.json, with random weights.'),
      configured('albert', 'ALBERT, by its config.json, with random weights.'),
      configured('distilbert', 'DistilBERT, by its config.json, with random weights.'),
      pretrained,
    ])
    .describe('An encoder. What a pretrained one lacks for the task starts from the seed.'),
  train: headTraining,
};
const labelNames = optional(
  z.array(z.string().min(1)).min(2).nullable(),
  null,
  'Names of the classes in their order; data may have them or, where no name is a number, their numbers from 0. null: those of the training data, sorted.',
);
const labelSmoothing = optional(fraction, 0, 'Probability spread evenly over the classes.');

const sequenceClassification = z.strictObject({
  task: z.literal('sequence-classification').describe('A class, several or a number for a text or a pair of texts.'),
  ...onEncoder,
  distill,
  data: recordsData(
    z.strictObject({ text: fieldName, pair: fieldName.optional().describe('A second text.'), label: fieldName }),
  ).describe('Texts and their labels.'),
  objective: z
    .strictObject({
      problem: optional(
        z.enum(['single-label', 'multi-label', 'regression']),
        'single-label',
        'One class a text; any number of them (a list, or names between commas); or a number.',
      ),
      labels: labelNames,
      labelSmoothing,
    })
    .prefault({})
    .describe(
      'Cross-entropy, of several labels for each of them; of a number the squared error. Default: single-label, names found in the data.',
    ),
  evaluate: z
    .strictObject({
      metric: optional(
        z.enum(['accuracy', 'f1', 'macro-f1', 'micro-f1', 'matthews', 'pearson', 'spearman']).nullable(),
        null,
        'The score; f1 is that of the last of two classes. null: accuracy, micro-f1 of several labels, pearson of numbers.',
      ),
    })
    .prefault({})
    .describe('What a validation does. Default: loss and score.'),
});

const partFiles = {
  train: path('Training data. Names ending in .gz are unpacked.'),
  validation: path('For the validation loss and score.'),
  test: optional(path('').nullable(), null, 'For the score at the end; null: none.'),
};

const tokenClassification = z.strictObject({
  task: z.literal('token-classification').describe('A tag for each word: names, parts of speech.'),
  ...onEncoder,
  distill,
  data: z
    .discriminatedUnion('format', [
      z.strictObject({
        format: z
          .literal('conll')
          .describe('A word a line, its columns between tabs or spaces, a blank line between sentences.'),
        ...partFiles,
        word: optional(count, 1, 'The column of the word, from 1.'),
        tag: optional(count.nullable(), null, 'The column of its tag; null: the last.'),
      }),
      recordsData(
        z.strictObject({ tokens: fieldName.describe('A list of words.'), tags: fieldName.describe('As many tags.') }),
      ),
    ])
    .describe('Words and their tags.'),
  objective: z
    .strictObject({
      labels: labelNames,
      labelSmoothing,
      pieces: optional(z.enum(['first', 'all']), 'first', 'Whether the first piece of a word learns its tag, or all.'),
    })
    .prefault({})
    .describe('Cross-entropy. Default: no label smoothing.'),
  evaluate: z
    .strictObject({
      metric: optional(
        z.enum(['entity-f1', 'accuracy']),
        'entity-f1',
        'The score: F1 of whole entities as seqeval counts them, or the share of right tags.',
      ),
      scheme: optional(z.enum(['conll', 'iob2', 'iobes']), 'conll', 'Which tags make an entity.'),
    })
    .prefault({})
    .describe('What a validation does. Default: loss and score.'),
});

const questionAnswering = z.strictObject({
  task: z.literal('question-answering').describe('An answer is cut from a text, or there is none.'),
  ...onEncoder,
  data: z
    .discriminatedUnion('format', [
      z.strictObject({ format: z.literal('squad').describe('A JSON file in the format of SQuAD.'), ...partFiles }),
      recordsData(
        z.strictObject({
          question: fieldName,
          context: fieldName,
          answers: fieldName.describe(
            'A list of {text, answer_start}, or {text: [..], answer_start: [..]}; empty: none.',
          ),
        }),
      ),
    ])
    .describe('Questions, texts, answers.'),
  objective: z
    .strictObject({
      stride: optional(
        z.int().min(0).nullable(),
        null,
        'Tokens that one piece of a long text has in common with the next; null: 128, or half of what fits.',
      ),
      labelSmoothing,
    })
    .prefault({})
    .describe(
      'Cross-entropy of start and end, each counting half. Default: pieces of long texts overlap by 128 tokens.',
    ),
  evaluate: z
    .strictObject({
      metric: optional(z.enum(['f1', 'exact-match']), 'f1', 'The score, 0 to 100.'),
      rules: optional(z.enum(['squad', 'cmrc']), 'squad', "SQuAD's, or those for Chinese of CMRC 2018."),
      maxAnswerLength: optional(count, 30, 'Tokens of an answer at most.'),
    })
    .prefault({})
    .describe('What a validation does. Default: loss and score.'),
});

const multipleChoice = z.strictObject({
  task: z.literal('multiple-choice').describe('One of several texts goes with a text.'),
  ...onEncoder,
  data: recordsData(
    z.strictObject({
      text: fieldName,
      choices: z.union([fieldName, z.array(fieldName).min(2)]).describe('A list in one field, or a field each.'),
      label: fieldName.describe('The number of the right one, from 0.'),
    }),
  ).describe('Texts, choices, and which is right.'),
  objective: z.strictObject({ labelSmoothing }).prefault({}).describe('Cross-entropy. Default: no label smoothing.'),
  evaluate: z
    .strictObject({ metric: optional(z.literal('accuracy'), 'accuracy', 'The share of right choices.') })
    .prefault({})
    .describe('What a validation does. Default: loss and score.'),
});

const sentenceEmbedding = z.strictObject({
  task: z.literal('sentence-embedding').describe('Texts that belong together get similar vectors.'),
  ...onEncoder,
  data: recordsData(
    z.strictObject({
      text: fieldName,
      pair: fieldName.describe('The text that belongs to it, or is compared with it.'),
      score: fieldName.optional().describe('How similar the two are, 0 to 1 or -1 to 1: for the cosine loss.'),
    }),
  ).describe('Pairs of texts.'),
  objective: z
    .strictObject({
      loss: optional(
        z.enum(['contrastive', 'cosine']),
        'contrastive',
        'contrastive: each text finds its pair among those of its batch (cross-entropy of scaled cosines); cosine: squared error of the cosine.',
      ),
      scale: optional(positive, 20, 'What the cosines are multiplied by, 1 / temperature; of the contrastive loss.'),
      pooling: optional(
        z.enum(['mean', 'cls']).nullable(),
        null,
        'The mean of the token vectors or the first; null: what the pretrained model has, else mean.',
      ),
    })
    .prefault({})
    .describe('How vectors are made and compared. Default: contrastive loss, scale 20.'),
  evaluate: z
    .strictObject({
      metric: optional(
        z.enum(['spearman', 'pearson', 'accuracy']).nullable(),
        null,
        'The score: correlation of cosines and scores, or how many texts find their pair among all. null: spearman where there are scores, else accuracy.',
      ),
    })
    .prefault({})
    .describe('What a validation does. Default: loss and score.'),
});

/** Only a model that exists has a tokenizer of its own. */
const tokenizerOfModel = {
  check: ({ tokenizer, model }: { tokenizer: { kind: string }; model: { family: string } }): boolean =>
    tokenizer.kind !== 'model' || model.family === 'pretrained',
  params: { path: ['tokenizer', 'kind'], error: 'bpe, byte-bpe, char or file: this model is made new' },
};

function at(value: unknown, ...keys: string[]): unknown {
  return keys.reduce<unknown>((node, key) => (node as Record<string, unknown> | undefined)?.[key], value);
}

const schema = z.discriminatedUnion('task', [
  translation.refine(tokenizerOfModel.check, tokenizerOfModel.params),
  languageModel.refine(tokenizerOfModel.check, tokenizerOfModel.params),
  maskedLanguageModel
    .refine(tokenizerOfModel.check, tokenizerOfModel.params)
    .refine(
      ({ objective, model }) => objective.sentences === 'none' || !['roberta', 'distilbert'].includes(model.family),
      {
        path: ['objective', 'sentences'],
        error: 'none: this family has no head for it',
      },
    ),
  denoising.refine(tokenizerOfModel.check, tokenizerOfModel.params),
  instruction.refine(tokenizerOfModel.check, tokenizerOfModel.params),
  sequenceClassification.refine(tokenizerOfModel.check, tokenizerOfModel.params),
  tokenClassification.refine(tokenizerOfModel.check, tokenizerOfModel.params),
  questionAnswering.refine(tokenizerOfModel.check, tokenizerOfModel.params),
  multipleChoice.refine(tokenizerOfModel.check, tokenizerOfModel.params),
  sentenceEmbedding
    .refine(tokenizerOfModel.check, tokenizerOfModel.params)
    .refine(({ objective, data }) => objective.loss !== 'cosine' || data.fields.score !== undefined, {
      path: ['data', 'fields', 'score'],
      error: 'a field, for the cosine loss',
    }),
]);

export const recipeSchema: z.ZodType<Recipe> = schema;

/** A recipe is also what its own schema reads: this does not compile when a type lacks a key or allows more. */
export function recipeInput(recipe: Recipe): unknown {
  const input: z.output<typeof schema> = recipe;
  return input;
}

/** JSON Schema (draft 2020-12) of a recipe file, for editors and for the texts of errors. */
export function recipeJsonSchema(): JsonSchema {
  made ??= { ...(z.toJSONSchema(schema, { io: 'input' }) as JsonSchema), title: 'qkv training recipe' };
  return made;
}
let made: JsonSchema | undefined;

/** The part of JSON Schema that a recipe's schema is made of. */
export interface JsonSchema {
  readonly title?: string;
  readonly description?: string;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly minLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema | boolean;
  readonly prefixItems?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
}
