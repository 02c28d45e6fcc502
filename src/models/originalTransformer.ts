import type { KeyMap, KeyRule } from '../checkpoint/keyMap.ts';
import { parseActivation } from '../nn/feedForward.ts';
import { ConfigReader } from './configReader.ts';
import type { EncoderDecoderModel } from './model.ts';
import { encoderDecoder, type TransformerConfig } from './transformer.ts';

/**
 * The original Transformer under its own names, `model_type: transformer`, with every option of `TransformerConfig`:
 *
 *     d_model, num_heads, num_encoder_layers, num_decoder_layers, d_ff, vocab_size (or source_vocab_size and
 *     target_vocab_size), activation, layer_norm_eps, attention_bias, norm_placement (post, pre), positions (interleaved,
 *     split, learned), shared_embeddings (all, decoder, none), scale_embedding, max_position_embeddings, dropout,
 *     attention_dropout, activation_dropout, pad_token_id, bos_token_id, eos_token_id
 */
export function parseTransformer(json: unknown, file = 'config.json'): EncoderDecoderModel {
  const read = new ConfigReader(json, file);
  const sharedEmbeddings = read.oneOf('shared_embeddings', ['all', 'decoder', 'none'], 'all');
  const common = read.has('vocab_size') ? read.int('vocab_size') : undefined;
  const sourceVocabSize = read.int('source_vocab_size', common === undefined ? {} : { otherwise: common });
  const targetVocabSize = read.int('target_vocab_size', common === undefined ? {} : { otherwise: common });
  if (sharedEmbeddings === 'all' && sourceVocabSize !== targetVocabSize) {
    throw read.error('source_vocab_size', `${targetVocabSize}, as target_vocab_size: shared_embeddings is all`);
  }
  const width = read.int('d_model');
  const heads = read.int('num_heads');
  if (width % heads !== 0) throw read.error('num_heads', `a divisor of d_model ${width}`);
  if (width % 2 !== 0) throw read.error('d_model', 'an even number: each position has as many sines as cosines');
  const hidden = read.int('d_ff');
  const config: TransformerConfig = {
    sourceVocabSize,
    targetVocabSize,
    width,
    encoderLayers: read.layers('num_encoder_layers'),
    decoderLayers: read.layers('num_decoder_layers'),
    encoderHeads: heads,
    decoderHeads: heads,
    encoderHidden: hidden,
    decoderHidden: hidden,
    activation: parseActivation(read.where('activation'), read.raw('activation') ?? 'relu'),
    normEpsilon: read.positive('layer_norm_eps', 1e-5),
    normPlacement: read.oneOf('norm_placement', ['post', 'pre'], 'post'),
    positions: read.oneOf('positions', ['interleaved', 'split', 'learned'], 'interleaved'),
    positionOffset: 0,
    embeddingNorm: false,
    sharedEmbeddings,
    scaleEmbedding: read.boolean('scale_embedding', true),
    attentionBias: read.boolean('attention_bias', true),
    outputBias: 'none',
    maxLength: read.int('max_position_embeddings', { otherwise: 512 }),
    dropout: read.rate('dropout', 0.1),
    attentionDropout: read.rate('attention_dropout', 0),
    activationDropout: read.rate('activation_dropout', 0),
    padId: read.int('pad_token_id', { min: 0 }),
    eosIds: [read.int('eos_token_id', { min: 0 })],
    startId: read.int('bos_token_id', { min: 0 }),
  };
  return encoderDecoder('transformer', config, { ...(json as object), model_type: 'transformer' }, keyMap(config));
}

function keyMap(config: TransformerConfig): KeyMap {
  const rules: KeyRule[] = [];
  const norm = (key: string, path: string): void => {
    for (const part of ['weight', 'bias']) rules.push({ key: `${key}.${part}`, path: `${path}.${part}` });
  };
  const linear = (key: string, path: string, bias = true): void => {
    rules.push({ key: `${key}.weight`, path: `${path}.weight`, move: 'transpose' });
    if (bias) rules.push({ key: `${key}.bias`, path: `${path}.bias` });
  };
  for (const side of ['encoder', 'decoder'] as const) {
    const blocks = side === 'encoder' ? ['attention', 'mlp'] : ['attention', 'crossAttention', 'mlp'];
    const layer = `${side}.layers.{i}`;
    blocks.forEach((block, i) => {
      norm(`${layer}.norm${i + 1}`, `${layer}.${block}Norm`);
      if (block === 'mlp') {
        linear(`${layer}.ffn.linear1`, `${layer}.mlp.up`);
        linear(`${layer}.ffn.linear2`, `${layer}.mlp.down`);
        return;
      }
      const key = `${layer}.${block === 'attention' ? 'self_attn' : 'cross_attn'}`;
      for (const [stored, own] of [
        ['q_proj', 'q'],
        ['k_proj', 'k'],
        ['v_proj', 'v'],
        ['out_proj', 'out'],
      ]) {
        linear(`${key}.${stored}`, `${layer}.${block}.${own}`, config.attentionBias);
      }
    });
    if (config.positions === 'learned')
      rules.push({ key: `${side}.positions.weight`, path: `${side}.positions.weight` });
    if (config.normPlacement === 'pre') norm(`${side}.norm`, `${side}.norm`);
  }
  const table = (key: string, path: string): void => {
    rules.push({ key: `${key}.weight`, path: `${path}.weight` });
  };
  if (config.sharedEmbeddings === 'all') table('embedding', 'tokens');
  else {
    table('encoder.embedding', 'encoder.tokens');
    table('decoder.embedding', 'decoder.tokens');
    if (config.sharedEmbeddings === 'none') table('output', 'output');
  }
  return { rules };
}
