import type { KeyMap } from '../checkpoint/keyMap.ts';
import { bartLayerRules, readBartLayers } from './bart.ts';
import { ConfigReader } from './configReader.ts';
import type { EncoderDecoderModel } from './model.ts';
import { encoderDecoder, type TransformerConfig } from './transformer.ts';

/**
 * Marian's Transformer (Junczys-Dowmunt et al. 2018, https://marian-nmt.github.io) as `MarianMTModel` of Hugging Face's
 * transformers has it: post-norm, sines in the first half of a position, a fixed bias on the logits, and a decoder that
 * starts from the padding token. `modeling_marian.py` is the reference.
 */
export function parseMarian(json: unknown, file = 'config.json'): EncoderDecoderModel {
  const read = new ConfigReader(json, file);
  read.architecture('MarianMTModel', 'MarianModel');
  read.only('static_position_embeddings', true, 'positions are sinusoidal');
  read.only('normalize_embedding', false, 'there is no norm after the embedding');
  const sourceVocabSize = read.int('vocab_size');
  const targetVocabSize = read.int('decoder_vocab_size', { otherwise: sourceVocabSize });
  const isShared = read.boolean('share_encoder_decoder_embeddings', true);
  const isTied = read.boolean('tie_word_embeddings', true);
  if (isShared && !isTied) throw read.error('tie_word_embeddings', 'true: share_encoder_decoder_embeddings is true');
  if (isShared && sourceVocabSize !== targetVocabSize) {
    throw read.error('decoder_vocab_size', `vocab_size ${sourceVocabSize}: share_encoder_decoder_embeddings is true`);
  }
  const padId = read.int('pad_token_id', { min: 0, otherwise: 58100 });
  const config: TransformerConfig = {
    sourceVocabSize,
    targetVocabSize,
    ...readBartLayers(read, 'Marian'),
    positions: 'split',
    positionOffset: 0,
    embeddingNorm: false,
    sharedEmbeddings: isShared ? 'all' : isTied ? 'decoder' : 'none',
    padId,
    eosIds: read.ids('eos_token_id', 0),
    startId: read.int('decoder_start_token_id', { min: 0, otherwise: padId }),
  };
  return encoderDecoder('marian', config, { ...(json as object), model_type: 'marian' }, keyMap(config));
}

function keyMap({ sharedEmbeddings }: TransformerConfig): KeyMap {
  const rules = bartLayerRules();
  const tables = ['model.encoder.embed_tokens.weight', 'model.decoder.embed_tokens.weight'] as const;
  const isShared = sharedEmbeddings === 'all';
  if (isShared) rules.push({ key: 'model.shared.weight', path: 'tokens.weight' });
  else rules.push({ key: tables[0], path: 'encoder.tokens.weight' }, { key: tables[1], path: 'decoder.tokens.weight' });
  const output = { key: 'lm_head.weight', sameAs: isShared ? 'model.shared.weight' : tables[1] };
  if (sharedEmbeddings === 'none') rules.push({ key: output.key, path: 'output.weight' });
  return {
    rules,
    buffers: [{ key: 'final_logits_bias', path: 'output.bias', whenAbsent: 0 }],
    ties: [
      ...(sharedEmbeddings === 'none' ? [] : [output]),
      ...(isShared ? tables.map((key) => ({ key, sameAs: 'model.shared.weight' })) : []),
    ],
    ignore: [{ key: 'model.{side}.embed_positions.weight', reason: 'sinusoidal positions are computed, not loaded' }],
  };
}
