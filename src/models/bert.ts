import { parseActivation } from '../nn/feedForward.ts';
import { ConfigReader } from './configReader.ts';
import type { EncoderConfig } from './encoder.ts';
import {
  type EncoderContext,
  type EncoderKeys,
  encoderModel,
  readClasses,
  readHead,
  readProblem,
  refuseDecoders,
  sharedHeads,
} from './encoderFamily.ts';
import type { EncoderModel } from './model.ts';

/**
 * BERT (Devlin et al. 2019, "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding").
 * `modeling_bert.py` of Hugging Face's transformers is the reference.
 */
export function parseBert(json: unknown, file = 'config.json', context: EncoderContext = {}): EncoderModel {
  const read = new ConfigReader(json, file);
  const head = readHead(read, keys.classPrefix, [...sharedHeads, 'pretraining', 'next-sentence'], context);
  const isAboutPairs = head === 'pretraining' || head === 'next-sentence';
  const config = readBertConfig(read);
  const classes = isAboutPairs ? ['the next sentence', 'another sentence'] : readClasses(read);
  const classifierDropout = read.rate('classifier_dropout', config.attentionOutDropout);
  return encoderModel({
    read,
    json: json as object,
    family: 'bert',
    config,
    keys,
    context,
    head: {
      name: head,
      classes,
      problem: isAboutPairs ? 'single_label_classification' : readProblem(read, classes.length),
      poolerDropout: 0,
      poolerActivation: 'tanh',
      dropout: isAboutPairs || head === 'question-answering' ? 0 : classifierDropout,
      transformActivation: config.activation,
    },
    bosId: read.id('bos_token_id', null),
    eosIds: read.ids('eos_token_id', null),
  });
}

/** The fields that BERT and RoBERTa share, with BERT's defaults. */
export function readBertConfig(read: ConfigReader): EncoderConfig {
  refuseDecoders(read);
  const width = read.int('hidden_size', { otherwise: 768 });
  const dropout = read.rate('hidden_dropout_prob', 0.1);
  return {
    vocabSize: read.int('vocab_size', { otherwise: 30522 }),
    width,
    embeddingWidth: width,
    projectsEmbedding: false,
    layers: read.layers('num_hidden_layers', 12),
    heads: read.heads('num_attention_heads', 'hidden_size', width, 12),
    hidden: read.int('intermediate_size', { otherwise: 3072 }),
    activation: parseActivation(read.where('hidden_act'), read.raw('hidden_act') ?? 'gelu'),
    normEpsilon: read.positive('layer_norm_eps', 1e-12),
    segments: read.int('type_vocab_size', { otherwise: 2 }),
    positionRows: read.int('max_position_embeddings', { otherwise: 512 }),
    positions: 'fromZero',
    positionInit: 'normal',
    embeddingDropout: dropout,
    attentionOutDropout: dropout,
    mlpOutDropout: dropout,
    attentionDropout: read.rate('attention_probs_dropout_prob', 0.1),
    padId: read.id('pad_token_id', 0),
    initStd: read.positive('initializer_range', 0.02),
  };
}

/** The names of an encoder's own weights, which RoBERTa has as well. */
export const bertEncoderKeys = {
  words: 'embeddings.word_embeddings',
  segments: 'embeddings.token_type_embeddings',
  positions: 'embeddings.position_embeddings',
  positionIds: 'embeddings.position_ids',
  embeddingNorm: 'embeddings.LayerNorm',
  layer: 'encoder.layer.{i}',
  layerPath: 'layers.{i}',
  linears: {
    'attention.q': 'attention.self.query',
    'attention.k': 'attention.self.key',
    'attention.v': 'attention.self.value',
    'attention.out': 'attention.output.dense',
    'mlp.up': 'intermediate.dense',
    'mlp.down': 'output.dense',
  },
  norms: { attentionNorm: 'attention.output.LayerNorm', mlpNorm: 'output.LayerNorm' },
  pooler: 'pooler.dense',
} as const;

const keys: EncoderKeys = {
  ...bertEncoderKeys,
  prefix: 'bert.',
  classPrefix: 'Bert',
  classifierPooler: undefined,
  classifier: {
    pretraining: 'cls.seq_relationship',
    'next-sentence': 'cls.seq_relationship',
    'sequence-classification': 'classifier',
    'token-classification': 'classifier',
    'question-answering': 'qa_outputs',
    'multiple-choice': 'classifier',
  },
  mlm: {
    dense: 'cls.predictions.transform.dense',
    norm: 'cls.predictions.transform.LayerNorm',
    bias: 'cls.predictions.bias',
    decoder: 'cls.predictions.decoder',
  },
};
