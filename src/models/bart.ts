import type { KeyMap, KeyRule } from '../checkpoint/keyMap.ts';
import { parseActivation } from '../nn/feedForward.ts';
import { ConfigReader } from './configReader.ts';
import type { EncoderDecoderModel } from './model.ts';
import { encoderDecoder, type TransformerConfig } from './transformer.ts';

/**
 * BART (Lewis et al. 2020, "BART: Denoising Sequence-to-Sequence Pre-training for Natural Language Generation, Translation,
 * and Comprehension"): post-norm, learned positions, a norm after the embedding, one table for all words.
 * `modeling_bart.py` of Hugging Face's transformers is the reference.
 */
export function parseBart(json: unknown, file = 'config.json'): EncoderDecoderModel {
  const read = new ConfigReader(json, file);
  read.architecture('BartForConditionalGeneration', 'BartModel');
  read.only('normalize_embedding', true, 'a norm follows the embedding');
  read.only('static_position_embeddings', false, 'positions are learned');
  const vocabSize = read.int('vocab_size', { otherwise: 50265 });
  const config: TransformerConfig = {
    sourceVocabSize: vocabSize,
    targetVocabSize: vocabSize,
    ...readBartLayers(read, 'BART'),
    positions: 'learned',
    positionOffset: 2, // a leftover of fairseq, where positions began after the padding id
    embeddingNorm: true,
    sharedEmbeddings: read.boolean('tie_word_embeddings', true) ? 'all' : 'none',
    padId: read.int('pad_token_id', { min: 0, otherwise: 1 }),
    eosIds: read.ids('eos_token_id', 2),
    startId: read.int('decoder_start_token_id', { min: 0, otherwise: 2 }),
  };
  return encoderDecoder('bart', config, { ...(json as object), model_type: 'bart' }, keyMap(config));
}

/** What the configurations of BART and Marian, who took it over, have in common. */
export function readBartLayers(
  read: ConfigReader,
  family: string,
): Omit<
  TransformerConfig,
  | 'sourceVocabSize'
  | 'targetVocabSize'
  | 'positions'
  | 'positionOffset'
  | 'embeddingNorm'
  | 'sharedEmbeddings'
  | 'padId'
  | 'eosIds'
  | 'startId'
> {
  read.only('normalize_before', false, `${family} models are post-norm`);
  read.only('add_final_layer_norm', false, 'there is no norm after the last layer');
  read.only('is_encoder_decoder', true, `${family} here is both encoder and decoder`);
  read.only('is_decoder', false, `${family} here is both encoder and decoder`);
  read.only('encoder_layerdrop', 0, 'layer drop is not implemented');
  read.only('decoder_layerdrop', 0, 'layer drop is not implemented');
  const width = read.int('d_model', { otherwise: 1024 });
  return {
    width,
    encoderLayers: read.layers('encoder_layers', 12),
    decoderLayers: read.layers('decoder_layers', 12),
    encoderHeads: read.heads('encoder_attention_heads', 'd_model', width, 16),
    decoderHeads: read.heads('decoder_attention_heads', 'd_model', width, 16),
    encoderHidden: read.int('encoder_ffn_dim', { otherwise: 4096 }),
    decoderHidden: read.int('decoder_ffn_dim', { otherwise: 4096 }),
    activation: parseActivation(read.where('activation_function'), read.raw('activation_function') ?? 'gelu'),
    normEpsilon: 1e-5, // torch.nn.LayerNorm's own: the reference has no field for it
    normPlacement: 'post',
    scaleEmbedding: read.boolean('scale_embedding', false),
    attentionBias: true,
    outputBias: 'fixed',
    maxLength: read.int('max_position_embeddings', { otherwise: 1024 }),
    dropout: read.rate('dropout', 0.1),
    attentionDropout: read.rate('attention_dropout', 0),
    activationDropout: read.rate('activation_dropout', 0),
  };
}

function keyMap({ sharedEmbeddings }: TransformerConfig): KeyMap {
  const rules = bartLayerRules();
  for (const side of ['encoder', 'decoder'] as const) {
    rules.push({ key: `model.${side}.embed_positions.weight`, path: `${side}.positions.weight` });
    for (const part of ['weight', 'bias']) {
      rules.push({ key: `model.${side}.layernorm_embedding.${part}`, path: `${side}.embeddingNorm.${part}` });
    }
  }
  const buffers = [{ key: 'final_logits_bias', path: 'output.bias', whenAbsent: 0 }];
  const tables = ['encoder', 'decoder'].map((side) => ({
    key: `model.${side}.embed_tokens.weight`,
    path: `${side}.tokens.weight`,
  }));
  if (sharedEmbeddings === 'none') {
    return {
      rules: [...rules, ...tables, { key: 'lm_head.weight', path: 'output.weight' }],
      buffers,
      basePrefix: 'model.',
      ignore: [{ key: 'model.shared.weight', reason: 'a table that nobody reads where tie_word_embeddings is false' }],
    };
  }
  return {
    rules: [...rules, { key: 'model.shared.weight', path: 'tokens.weight' }],
    buffers,
    basePrefix: 'model.',
    ties: [...tables.map(({ key }) => key), 'lm_head.weight'].map((key) => ({ key, sameAs: 'model.shared.weight' })),
  };
}

/** The layers of both sides, under the names that BART and those who took them over have. */
export function bartLayerRules(): KeyRule[] {
  const rules: KeyRule[] = [];
  const pair = (key: string, path: string, move: 'none' | 'transpose'): void => {
    rules.push({ key: `${key}.weight`, path: `${path}.weight`, move }, { key: `${key}.bias`, path: `${path}.bias` });
  };
  for (const side of ['encoder', 'decoder'] as const) {
    const [key, path] = [`model.${side}.layers.{i}`, `${side}.layers.{i}`];
    const attentions: [string, string][] = [['self_attn', 'attention']];
    if (side === 'decoder') attentions.push(['encoder_attn', 'crossAttention']);
    for (const [stored, own] of attentions) {
      for (const [projection, name] of [
        ['q_proj', 'q'],
        ['k_proj', 'k'],
        ['v_proj', 'v'],
        ['out_proj', 'out'],
      ]) {
        pair(`${key}.${stored}.${projection}`, `${path}.${own}.${name}`, 'transpose');
      }
      pair(`${key}.${stored}_layer_norm`, `${path}.${own}Norm`, 'none');
    }
    pair(`${key}.fc1`, `${path}.mlp.up`, 'transpose');
    pair(`${key}.fc2`, `${path}.mlp.down`, 'transpose');
    pair(`${key}.final_layer_norm`, `${path}.mlpNorm`, 'none');
  }
  return rules;
}
