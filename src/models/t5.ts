import { type Dim, dimAdd, dimMul } from '../base/dim.ts';
import type { KeyMap, KeyRule } from '../checkpoint/keyMap.ts';
import type { Value } from '../graph/value.ts';
import { type AttentionInputs, attention, type KeyValue } from '../nn/attention.ts';
import { embeddingTable, lookup } from '../nn/embedding.ts';
import { type ActivationName, feedForward, gatedFeedForward, parseActivation } from '../nn/feedForward.ts';
import { normalInit } from '../nn/init.ts';
import { decodingBias, maskBias, paddingMask, positionsFrom } from '../nn/masks.ts';
import { rmsNorm } from '../nn/norm.ts';
import { relativeBias } from '../nn/relativePositions.ts';
import type { Scope } from '../nn/scope.ts';
import { named, type Sequences, withRows } from '../nn/sequences.ts';
import { add, mul } from '../ops/elementwise.ts';
import { iota, scalarConstant } from '../ops/leaf.ts';
import { linearCrossEntropy } from '../ops/loss.ts';
import { matmul } from '../ops/matmul.ts';
import { expand, reshape } from '../ops/shape.ts';
import { ConfigReader } from './configReader.ts';
import type { DecoderInputs, DecoderOutputs, EncoderDecoderModel, SourceInputs } from './model.ts';

/**
 * T5 (Raffel et al. 2020, "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer"): an
 * encoder-decoder with RMS norm before each block, scores that are not scaled, and a learned bias for each distance in place
 * of positions. Version 1.1 and Flan-T5 have gated feed-forward layers and an output table of their own.
 * `modeling_t5.py` of Hugging Face's transformers is the reference.
 */
export interface T5Config {
  readonly vocabSize: number;
  readonly width: number;
  /** d_kv: free, so that heads · headSize may differ from the width. */
  readonly headSize: number;
  readonly heads: number;
  readonly hidden: number;
  readonly encoderLayers: number;
  readonly decoderLayers: number;
  readonly buckets: number;
  readonly maxDistance: number;
  readonly activation: ActivationName;
  readonly isGated: boolean;
  readonly normEpsilon: number;
  /** Whether the output table is the embedding. */
  readonly tied: boolean;
  /** Whether the decoder's output is multiplied by width^−½ before the output table. */
  readonly scaleOutput: boolean;
  readonly dropout: number;
  /** Factor on the spread of the initial weights. */
  readonly initFactor: number;
}

type Side = 'encoder' | 'decoder';

function encode(root: Scope, config: T5Config, { ids, mask, positions }: SourceInputs): Sequences {
  const scope = root.at('encoder');
  const places = positions ?? iota(ids.shape[1]!);
  const scoreBias = plus(distanceBias(scope, config, 'encoder', places, places), mask && maskBias(paddingMask(mask)));
  let x = embed(root, scope, config, ids);
  for (let i = 0; i < config.encoderLayers; i++) {
    const layer = scope.at('layers').at(i);
    named(layer, 'residualPre', x);
    x = attend(layer, config, 'attention', x, { scoreBias }).x;
    x = mlp(layer, config, named(layer, 'residualMid', x));
    named(layer, 'residualPost', x);
  }
  return finish(scope, config, x);
}

function decode(root: Scope, config: T5Config, inputs: DecoderInputs): DecoderOutputs {
  const { ids, memory, memoryMask, past, visible } = inputs;
  const scope = root.at('decoder');
  const length = ids.shape[1]!;
  const pastLength = past?.length ?? 0;
  const queries = inputs.positions ?? positionsFrom(pastLength, length);
  const keys = inputs.keyPositions ?? iota(dimAdd(pastLength, length));
  const order = decodingBias(pastLength, length, { visible });
  const selfBias = plus(distanceBias(scope, config, 'decoder', queries, keys), order);
  const crossBias = memoryMask && maskBias(paddingMask(memoryMask));
  let x = embed(root, scope, config, ids);
  const self: KeyValue[] = [];
  const cross: KeyValue[] = [];
  for (let i = 0; i < config.decoderLayers; i++) {
    const layer = scope.at('layers').at(i);
    const source = isSequences(memory) ? { memory } : { past: { ...memory[i]!, isComplete: true as const } };
    named(layer, 'residualPre', x);
    const own = attend(layer, config, 'attention', x, {
      ...(past && { past: past.layers[i]! }),
      scoreBias: selfBias,
    });
    const other = attend(layer, config, 'crossAttention', own.x, {
      ...source,
      ...(crossBias && { scoreBias: crossBias }),
    });
    x = mlp(layer, config, named(layer, 'residualMid', other.x));
    named(layer, 'residualPost', x);
    self.push(own.present);
    cross.push(other.present);
  }
  return { ...finish(scope, config, x), self, cross };
}

/** embedding(id), then dropout: positions come in with the scores. */
function embed(root: Scope, scope: Scope, config: T5Config, ids: Value): Sequences {
  const [batch, length] = ids.shape as [Dim, Dim];
  const rows = lookup(tokenTable(root, config), reshape(ids, [dimMul(batch, length)]), null);
  const x = named(scope, 'embedding', { rows, batch, length });
  return withRows(x, scope.dropout('embedding', rows, config.dropout));
}

/** The last norm, `output`, then dropout. */
function finish(scope: Scope, config: T5Config, x: Sequences): Sequences {
  const out = named(scope, 'output', withRows(x, norm(scope.at('norm'), config, x.rows)));
  return withRows(out, scope.dropout('output', out.rows, config.dropout));
}

/** x + dropout(attention(norm(x))) */
function attend(
  layer: Scope,
  config: T5Config,
  name: 'attention' | 'crossAttention',
  x: Sequences,
  inputs: Omit<AttentionInputs, 'query'>,
): { readonly x: Sequences; readonly present: KeyValue } {
  const { width, heads, headSize, dropout, initFactor } = config;
  const query = withRows(x, norm(layer.at(`${name}Norm`), config, x.rows));
  const { rows, present } = attention(
    layer.at(name),
    { query, ...inputs },
    {
      width,
      heads,
      headSize,
      bias: false,
      scale: 1,
      dropout,
      // the missing 1/√K is in the initial queries
      queryInit: normalInit(initFactor * (width * headSize) ** -0.5),
      init: normalInit(initFactor * width ** -0.5),
      outInit: normalInit(initFactor * (heads * headSize) ** -0.5),
    },
  );
  return { x: withRows(x, add(x.rows, layer.dropout(`${name}.residual`, rows, dropout))), present };
}

/** x + dropout(mlp(norm(x))) */
function mlp(layer: Scope, config: T5Config, x: Sequences): Sequences {
  const { width, hidden, activation, dropout, initFactor } = config;
  const layerOf = config.isGated ? gatedFeedForward : feedForward;
  const rows = layerOf(layer.at('mlp'), norm(layer.at('mlpNorm'), config, x.rows), {
    width,
    hidden,
    activation,
    bias: false,
    dropout,
    init: normalInit(initFactor * width ** -0.5),
    outInit: normalInit(initFactor * hidden ** -0.5),
  });
  return withRows(x, add(x.rows, layer.dropout('mlp.residual', rows, dropout)));
}

/** One bias for all layers of a side: [1 or B, H, T, S]. */
function distanceBias(scope: Scope, config: T5Config, side: Side, queries: Value, keys: Value): Value {
  const { buckets, maxDistance, heads, width, initFactor } = config;
  return relativeBias(scope.at('relativePositions'), queries, keys, {
    bidirectional: side === 'encoder',
    buckets,
    maxDistance,
    heads,
    init: normalInit(initFactor * width ** -0.5),
  });
}

function plus(a: Value, b: Value | undefined): Value {
  return b ? add(a, b) : a;
}

function norm(scope: Scope, { width, normEpsilon }: T5Config, x: Value): Value {
  return rmsNorm(scope, x, { width, epsilon: normEpsilon });
}

function tokenTable(root: Scope, { vocabSize, width, initFactor }: T5Config): Value {
  return embeddingTable(root.at('tokens'), { count: vocabSize, width, init: normalInit(initFactor) });
}

function outputTable(root: Scope, config: T5Config): Value {
  const { vocabSize, width, initFactor } = config;
  if (config.tied) return tokenTable(root, config);
  return embeddingTable(root.at('output'), { count: vocabSize, width, init: normalInit(initFactor) });
}

function outputRows({ scaleOutput, width }: T5Config, rows: Value): Value {
  return scaleOutput ? mul(rows, scalarConstant(width ** -0.5)) : rows;
}

function isSequences(memory: DecoderInputs['memory']): memory is Sequences {
  return !Array.isArray(memory);
}

/**
 * `stored` are the keys of the checkpoint, where there is one: of newer configurations these alone say whether the output
 * table is the embedding.
 */
export function parseT5(json: unknown, file = 'config.json', stored?: ReadonlySet<string>): EncoderDecoderModel {
  const read = new ConfigReader(json, file);
  read.architecture('T5ForConditionalGeneration', 'T5WithLMHeadModel');
  read.only('is_encoder_decoder', true, 'T5 here is both encoder and decoder');
  read.only('is_decoder', false, 'T5 here is both encoder and decoder');
  const encoderLayers = read.layers('num_layers', 6);
  const isTied = read.boolean('tie_word_embeddings', true);
  const { activation, isGated } = readFeedForward(read);
  const buckets = read.int('relative_attention_num_buckets', { min: 4, otherwise: 32 });
  if (buckets % 2 !== 0) throw read.error('relative_attention_num_buckets', 'an even number: keys before and after');
  const config: T5Config = {
    vocabSize: read.int('vocab_size', { otherwise: 32128 }),
    width: read.int('d_model', { otherwise: 512 }),
    headSize: read.int('d_kv', { otherwise: 64 }),
    heads: read.int('num_heads', { otherwise: 8 }),
    hidden: read.int('d_ff', { otherwise: 2048 }),
    encoderLayers,
    decoderLayers: read.layers('num_decoder_layers', encoderLayers),
    buckets,
    // at half the buckets of the decoder the logarithm's base would be 1
    maxDistance: read.int('relative_attention_max_distance', { min: buckets / 2 + 1, otherwise: 128 }),
    activation,
    isGated,
    normEpsilon: read.positive('layer_norm_epsilon', 1e-6),
    tied: stored ? !stored.has('lm_head.weight') || (isTied && scalesOutput(read)) : isTied,
    scaleOutput: scalesOutput(read),
    dropout: read.rate('dropout_rate', 0.1),
    initFactor: read.positive('initializer_factor', 1),
  };
  const padId = read.int('pad_token_id', { min: 0, otherwise: 0 });
  return {
    kind: 'encoder-decoder',
    family: 't5',
    config: { ...(json as object), model_type: 't5' },
    keyMap: keyMap(config),
    sourceVocabSize: config.vocabSize,
    vocabSize: config.vocabSize,
    // distances are not limited; 512 is what T5 was trained on, older configurations say it
    maxLength: read.int('n_positions', { otherwise: 512 }),
    padId,
    eosIds: read.ids('eos_token_id', 1),
    startId: read.int('decoder_start_token_id', { min: 0, otherwise: padId }),
    cache: { layers: config.decoderLayers, heads: config.heads, headSize: config.headSize },
    encode: (root, inputs) => encode(root, config, inputs),
    decode: (root, inputs) => decode(root, config, inputs),
    logits: (root, rows) => matmul(outputRows(config, rows), outputTable(root, config), { transposeB: true }),
    labelLoss: (root, rows, labels, smoothing) => {
      const bias = expand(scalarConstant(0), [config.vocabSize]);
      return linearCrossEntropy(outputRows(config, rows), outputTable(root, config), bias, labels, { smoothing });
    },
  };
}

/** Once `tie_word_embeddings` said this too; newer configurations have a field for it. */
function scalesOutput(read: ConfigReader): boolean {
  return read.boolean('scale_decoder_outputs', read.boolean('tie_word_embeddings', true));
}

/** `relu`, `gated-gelu`, …; what was derived from it is stored in some configurations, and then counts. */
function readFeedForward(read: ConfigReader): { readonly activation: ActivationName; readonly isGated: boolean } {
  const name = read.raw('feed_forward_proj') ?? 'relu';
  const parts = typeof name === 'string' ? name.split('-') : [];
  if (parts.length === 0 || parts.length > 2 || (parts.length === 2 && parts[0] !== 'gated')) {
    throw read.error('feed_forward_proj', 'an activation, or gated- and an activation');
  }
  const derived = name === 'gated-gelu' ? 'gelu_new' : parts.at(-1); // the released models have the tanh form of GELU
  const field = read.has('dense_act_fn') ? 'dense_act_fn' : 'feed_forward_proj';
  return {
    activation: parseActivation(read.where(field), read.raw('dense_act_fn') ?? derived),
    isGated: read.boolean('is_gated_act', parts.length === 2),
  };
}

function keyMap({ tied, isGated }: T5Config): KeyMap {
  const rules: KeyRule[] = [{ key: 'shared.weight', path: 'tokens.weight' }];
  for (const side of ['encoder', 'decoder'] as const) {
    const [stored, own] = [`${side}.block.{i}.layer`, `${side}.layers.{i}`];
    const linear = (key: string, path: string): void => {
      rules.push({ key: `${stored}.${key}.weight`, path: `${own}.${path}.weight`, move: 'transpose' });
    };
    const blocks = side === 'encoder' ? ['attention', 'mlp'] : ['attention', 'crossAttention', 'mlp'];
    blocks.forEach((block, i) => {
      rules.push({ key: `${stored}.${i}.layer_norm.weight`, path: `${own}.${block}Norm.weight` });
      if (block === 'mlp') {
        if (isGated) linear(`${i}.DenseReluDense.wi_0`, 'mlp.gate');
        linear(`${i}.DenseReluDense.${isGated ? 'wi_1' : 'wi'}`, 'mlp.up');
        linear(`${i}.DenseReluDense.wo`, 'mlp.down');
        return;
      }
      const key = `${i}.${block === 'attention' ? 'SelfAttention' : 'EncDecAttention'}`;
      for (const [projection, name] of [
        ['q', 'q'],
        ['k', 'k'],
        ['v', 'v'],
        ['o', 'out'],
      ]) {
        linear(`${key}.${projection}`, `${block}.${name}`);
      }
    });
    rules.push(
      {
        key: `${side}.block.0.layer.0.SelfAttention.relative_attention_bias.weight`,
        path: `${side}.relativePositions.weight`,
      },
      { key: `${side}.final_layer_norm.weight`, path: `${side}.norm.weight` },
    );
  }
  if (!tied) rules.push({ key: 'lm_head.weight', path: 'output.weight' });
  const tables = ['encoder.embed_tokens.weight', 'decoder.embed_tokens.weight', ...(tied ? ['lm_head.weight'] : [])];
  return {
    rules,
    ties: tables.map((key) => ({ key, sameAs: 'shared.weight' })),
    ignore: [
      {
        key: 'decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight',
        reason: 'cross-attention has no bias for distances; the first checkpoints stored one that nobody read',
      },
    ],
  };
}
