import { parseActivation } from '../nn/feedForward.ts';
import { ConfigReader, maxLayers } from './configReader.ts';
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
 * ALBERT (Lan et al. 2020, "ALBERT: A Lite BERT for Self-supervised Learning of Language Representations"): narrow embeddings
 * that are projected, and layers that share their weights. `modeling_albert.py` of Hugging Face's transformers is the
 * reference: its layers are `num_hidden_layers` times `inner_group_num`.
 */
export function parseAlbert(json: unknown, file = 'config.json', context: EncoderContext = {}): EncoderModel {
  const read = new ConfigReader(json, file);
  const head = readHead(read, keys.classPrefix, [...sharedHeads, 'pretraining'], context);
  const config = readConfig(read);
  const classes = head === 'pretraining' ? ['in order', 'swapped'] : readClasses(read);
  const classifierDropout = read.rate('classifier_dropout_prob', 0.1);
  return encoderModel({
    read,
    json: json as object,
    family: 'albert',
    config,
    keys,
    context,
    head: {
      name: head,
      classes,
      problem: readProblem(read, classes.length),
      poolerDropout: 0,
      poolerActivation: 'tanh',
      dropout: head === 'question-answering' ? 0 : classifierDropout,
      transformActivation: config.activation,
    },
    bosId: read.id('bos_token_id', 2),
    eosIds: read.ids('eos_token_id', 3),
  });
}

function readConfig(read: ConfigReader): EncoderConfig {
  refuseDecoders(read);
  const width = read.int('hidden_size', { otherwise: 4096 });
  const dropout = read.rate('hidden_dropout_prob', 0);
  const outer = read.layers('num_hidden_layers', 12);
  const groups = read.layers('num_hidden_groups', 1);
  const inner = read.layers('inner_group_num', 1, Math.floor(maxLayers / outer));
  if (groups > outer) throw read.error('num_hidden_groups', `at most num_hidden_layers ${outer}`);
  return {
    vocabSize: read.int('vocab_size', { otherwise: 30000 }),
    width,
    embeddingWidth: read.int('embedding_size', { otherwise: 128 }),
    projectsEmbedding: true,
    layers: outer * inner,
    heads: read.heads('num_attention_heads', 'hidden_size', width, 64),
    hidden: read.int('intermediate_size', { otherwise: 16384 }),
    activation: parseActivation(read.where('hidden_act'), read.raw('hidden_act') ?? 'gelu_new'),
    normEpsilon: read.positive('layer_norm_eps', 1e-12),
    segments: read.int('type_vocab_size', { otherwise: 2 }),
    positionRows: read.int('max_position_embeddings', { otherwise: 512 }),
    positions: 'fromZero',
    positionInit: 'normal',
    layerParameters: (layer) => {
      const group = Math.trunc(Math.trunc(layer / inner) / (outer / groups));
      return ['groups', group, layer % inner];
    },
    embeddingDropout: dropout,
    attentionOutDropout: dropout,
    mlpOutDropout: 0, // the reference has none here
    attentionDropout: read.rate('attention_probs_dropout_prob', 0),
    padId: read.id('pad_token_id', 0),
    initStd: read.positive('initializer_range', 0.02),
  };
}

const keys: EncoderKeys = {
  prefix: 'albert.',
  classPrefix: 'Albert',
  words: 'embeddings.word_embeddings',
  segments: 'embeddings.token_type_embeddings',
  positions: 'embeddings.position_embeddings',
  positionIds: 'embeddings.position_ids',
  embeddingNorm: 'embeddings.LayerNorm',
  embeddingProjection: 'encoder.embedding_hidden_mapping_in',
  layer: 'encoder.albert_layer_groups.{g}.albert_layers.{k}',
  layerPath: 'groups.{g}.{k}',
  linears: {
    'attention.q': 'attention.query',
    'attention.k': 'attention.key',
    'attention.v': 'attention.value',
    'attention.out': 'attention.dense',
    'mlp.up': 'ffn',
    'mlp.down': 'ffn_output',
  },
  norms: { attentionNorm: 'attention.LayerNorm', mlpNorm: 'full_layer_layer_norm' },
  pooler: 'pooler',
  classifierPooler: undefined,
  classifier: {
    pretraining: 'sop_classifier.classifier',
    'sequence-classification': 'classifier',
    'token-classification': 'classifier',
    'question-answering': 'qa_outputs',
    'multiple-choice': 'classifier',
  },
  mlm: {
    dense: 'predictions.dense',
    norm: 'predictions.LayerNorm',
    bias: 'predictions.bias',
    decoder: 'predictions.decoder',
  },
};
