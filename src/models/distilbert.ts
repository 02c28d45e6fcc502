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
 * DistilBERT (Sanh et al. 2019, "DistilBERT, a distilled version of BERT: smaller, faster, cheaper and lighter"): BERT without
 * segments and pooler. `modeling_distilbert.py` of Hugging Face's transformers is the reference; `sinusoidal_pos_embds` is
 * there what its positions start from, and they are trained.
 */
export function parseDistilbert(json: unknown, file = 'config.json', context: EncoderContext = {}): EncoderModel {
  const read = new ConfigReader(json, file);
  const head = readHead(read, keys.classPrefix, sharedHeads, context);
  const config = readConfig(read);
  const classes = readClasses(read);
  const classification = read.rate('seq_classif_dropout', 0.2);
  const dropouts: Readonly<Record<string, number>> = {
    'sequence-classification': classification,
    'multiple-choice': classification,
    'token-classification': config.mlpOutDropout,
    'question-answering': read.rate('qa_dropout', 0.1),
  };
  return encoderModel({
    read,
    json: json as object,
    family: 'distilbert',
    config,
    keys,
    context,
    head: {
      name: head,
      classes,
      problem: readProblem(read, classes.length),
      poolerDropout: 0,
      poolerActivation: 'relu',
      dropout: dropouts[head] ?? 0,
      transformActivation: config.activation,
    },
    bosId: read.id('bos_token_id', null),
    eosIds: read.ids('eos_token_id', null),
  });
}

function readConfig(read: ConfigReader): EncoderConfig {
  refuseDecoders(read);
  const width = read.int('dim', { otherwise: 768 });
  const dropout = read.rate('dropout', 0.1);
  return {
    vocabSize: read.int('vocab_size', { otherwise: 30522 }),
    width,
    embeddingWidth: width,
    projectsEmbedding: false,
    layers: read.layers('n_layers', 6),
    heads: read.heads('n_heads', 'dim', width, 12),
    hidden: read.int('hidden_dim', { otherwise: 3072 }),
    activation: parseActivation(read.where('activation'), read.raw('activation') ?? 'gelu'),
    normEpsilon: 1e-12, // the reference has no field for it
    segments: 0,
    positionRows: read.int('max_position_embeddings', { otherwise: 512 }),
    positions: 'fromZero',
    positionInit: read.boolean('sinusoidal_pos_embds', false) ? 'sinusoidal' : 'normal',
    embeddingDropout: dropout,
    attentionOutDropout: 0, // the reference has none here
    mlpOutDropout: dropout,
    attentionDropout: read.rate('attention_dropout', 0.1),
    padId: read.id('pad_token_id', 0),
    initStd: read.positive('initializer_range', 0.02),
  };
}

const keys: EncoderKeys = {
  prefix: 'distilbert.',
  classPrefix: 'DistilBert',
  words: 'embeddings.word_embeddings',
  positions: 'embeddings.position_embeddings',
  positionIds: 'embeddings.position_ids',
  embeddingNorm: 'embeddings.LayerNorm',
  layer: 'transformer.layer.{i}',
  layerPath: 'layers.{i}',
  linears: {
    'attention.q': 'attention.q_lin',
    'attention.k': 'attention.k_lin',
    'attention.v': 'attention.v_lin',
    'attention.out': 'attention.out_lin',
    'mlp.up': 'ffn.lin1',
    'mlp.down': 'ffn.lin2',
  },
  norms: { attentionNorm: 'sa_layer_norm', mlpNorm: 'output_layer_norm' },
  pooler: undefined,
  classifierPooler: 'pre_classifier',
  classifier: {
    'sequence-classification': 'classifier',
    'token-classification': 'classifier',
    'question-answering': 'qa_outputs',
    'multiple-choice': 'classifier',
  },
  mlm: {
    dense: 'vocab_transform',
    norm: 'vocab_layer_norm',
    bias: 'vocab_projector.bias',
    decoder: 'vocab_projector',
  },
};
