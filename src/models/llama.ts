import { type Dim, dimMul } from '../base/dim.ts';
import type { KeyMap, KeyRule } from '../checkpoint/keyMap.ts';
import type { Value } from '../graph/value.ts';
import { attention, type KeyValue, type PastKeyValue } from '../nn/attention.ts';
import { embeddingTable, lookup } from '../nn/embedding.ts';
import { type ActivationName, gatedFeedForward, parseActivation } from '../nn/feedForward.ts';
import { normalInit } from '../nn/init.ts';
import { decodingBias, positionsFrom } from '../nn/masks.ts';
import { rmsNorm } from '../nn/norm.ts';
import { type RopeOptions, type RopeScaling, type Rotation, rotation } from '../nn/rope.ts';
import type { Scope } from '../nn/scope.ts';
import { named, type Sequences, withRows } from '../nn/sequences.ts';
import { add } from '../ops/elementwise.ts';
import { scalarConstant } from '../ops/leaf.ts';
import { linearCrossEntropy } from '../ops/loss.ts';
import { matmul } from '../ops/matmul.ts';
import { expand, reshape } from '../ops/shape.ts';
import { ConfigReader } from './configReader.ts';
import type { CausalInputs, CausalModel } from './model.ts';

/**
 * Llama (Touvron et al. 2023, "LLaMA: Open and Efficient Foundation Language Models"; versions 1 to 3 and those who build as
 * they do): a decoder with RMS norm before each block, rotary positions, grouped-query attention and a gated feed-forward
 * layer. `modeling_llama.py` of Hugging Face's transformers is the reference.
 */
export interface LlamaConfig {
  readonly vocabSize: number;
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headSize: number;
  readonly hidden: number;
  readonly activation: ActivationName;
  readonly normEpsilon: number;
  readonly rope: RopeOptions;
  readonly attentionBias: boolean;
  readonly mlpBias: boolean;
  readonly tied: boolean;
  readonly attentionDropout: number;
  readonly padId: number | null;
  /** Standard deviation of the initial weights. */
  readonly initStd: number;
}

/** Far beyond any model's; a head's frequencies are made while tracing, before the weights say what there is. */
const maxHeadSize = 65536;

/** ids int32 [B, T] → rows [B·T, D] after the last norm, and each layer's keys and values. */
function forward(
  root: Scope,
  config: LlamaConfig,
  { ids, mask, visible, positions, past }: CausalInputs,
): Sequences & { readonly self: readonly KeyValue[] } {
  const [batch, length] = ids.shape as [Dim, Dim];
  const pastLength = past?.length ?? 0;
  const scoreBias = decodingBias(pastLength, length, { mask, visible });
  const turns = rotation(positions ?? positionsFrom(pastLength, length), config.rope);
  const rows = lookup(tokenTable(root, config), reshape(ids, [dimMul(batch, length)]), config.padId);
  let x = named(root, 'embedding', { rows, batch, length });
  const self: KeyValue[] = [];
  for (let i = 0; i < config.layers; i++) {
    const out = block(root.at('layers').at(i), config, x, { past: past?.layers[i], scoreBias, rotation: turns });
    x = out.x;
    self.push(out.present);
  }
  x = withRows(x, norm(root.at('norm'), config, x.rows));
  return { ...named(root, 'output', x), self };
}

/** x + attention(norm(x)), then x + mlp(norm(x)) */
function block(
  scope: Scope,
  config: LlamaConfig,
  x: Sequences,
  side: { readonly past: PastKeyValue | undefined; readonly scoreBias: Value | undefined; readonly rotation: Rotation },
): { readonly x: Sequences; readonly present: KeyValue } {
  const { width, heads, keyValueHeads, headSize, hidden, activation } = config;
  const init = normalInit(config.initStd);
  named(scope, 'residualPre', x);
  const { rows, present } = attention(
    scope.at('attention'),
    {
      query: withRows(x, norm(scope.at('attentionNorm'), config, x.rows)),
      rotation: side.rotation,
      ...(side.past && { past: side.past }),
      ...(side.scoreBias && { scoreBias: side.scoreBias }),
    },
    { width, heads, keyValueHeads, headSize, bias: config.attentionBias, dropout: config.attentionDropout, init },
  );
  const mid = named(scope, 'residualMid', withRows(x, add(x.rows, rows)));
  const mlp = gatedFeedForward(scope.at('mlp'), norm(scope.at('mlpNorm'), config, mid.rows), {
    width,
    hidden,
    activation,
    bias: config.mlpBias,
    dropout: 0,
    init,
  });
  return { x: named(scope, 'residualPost', withRows(x, add(mid.rows, mlp))), present };
}

function norm(scope: Scope, { width, normEpsilon }: LlamaConfig, x: Value): Value {
  return rmsNorm(scope, x, { width, epsilon: normEpsilon });
}

function tokenTable(root: Scope, { vocabSize, width, initStd }: LlamaConfig): Value {
  return embeddingTable(root.at('tokens'), { count: vocabSize, width, init: normalInit(initStd) });
}

function outputTable(root: Scope, config: LlamaConfig): Value {
  const { vocabSize, width, initStd } = config;
  if (config.tied) return tokenTable(root, config);
  return embeddingTable(root.at('output'), { count: vocabSize, width, init: normalInit(initStd) });
}

export function parseLlama(json: unknown, file = 'config.json'): CausalModel {
  const read = new ConfigReader(json, file);
  read.architecture('LlamaForCausalLM', 'LLaMAForCausalLM');
  read.only('is_encoder_decoder', false, 'Llama continues a text');
  if (read.has('pretraining_tp')) {
    read.only('pretraining_tp', 1, 'products cut into slices round in another order, which is not imitated');
  }
  read.only('rope_interleaved', false, 'a dimension rotates with the one half a head further');
  const width = read.int('hidden_size', { otherwise: 4096 });
  const heads = read.int('num_attention_heads', { otherwise: 32 });
  const keyValueHeads = read.int('num_key_value_heads', { otherwise: heads });
  if (heads % keyValueHeads !== 0) {
    throw read.error('num_key_value_heads', `a divisor of num_attention_heads ${heads}`);
  }
  if (!read.has('head_dim') && width % heads !== 0) {
    throw read.error('num_attention_heads', `a divisor of hidden_size ${width}, where head_dim is not given`);
  }
  const headSize = read.int('head_dim', { max: maxHeadSize, otherwise: width / heads });
  if (headSize % 2 !== 0) {
    throw read.error(
      read.has('head_dim') ? 'head_dim' : 'hidden_size',
      'heads of even width: dimensions rotate in pairs',
    );
  }
  const trainedLength = read.int('max_position_embeddings', { otherwise: 2048 });
  const rope = readRope(read, headSize, trainedLength);
  const config: LlamaConfig = {
    vocabSize: read.int('vocab_size', { otherwise: 32000 }),
    width,
    layers: read.layers('num_hidden_layers', 32),
    heads,
    keyValueHeads,
    headSize,
    hidden: read.int('intermediate_size', { otherwise: 11008 }),
    activation: parseActivation(read.where('hidden_act'), read.raw('hidden_act') ?? 'silu'),
    normEpsilon: read.positive('rms_norm_eps', 1e-6),
    rope,
    attentionBias: read.boolean('attention_bias', false),
    mlpBias: read.boolean('mlp_bias', false),
    tied: read.boolean('tie_word_embeddings', false),
    attentionDropout: read.rate('attention_dropout', 0),
    padId: read.id('pad_token_id', null),
    initStd: read.positive('initializer_range', 0.02),
  };
  // these two were made for texts longer than `max_position_embeddings`, which stays that of the training
  const { scaling } = rope;
  const reach = scaling.kind === 'linear' || scaling.kind === 'dynamic' ? Math.max(1, scaling.factor) : 1;
  return {
    kind: 'causal',
    family: 'llama',
    config: { ...(json as object), model_type: 'llama' },
    keyMap: keyMap(config),
    vocabSize: config.vocabSize,
    maxLength: Math.floor(trainedLength * reach),
    bosId: read.id('bos_token_id', 1),
    eosIds: read.ids('eos_token_id', 2),
    padId: config.padId,
    cache: { layers: config.layers, heads: keyValueHeads, headSize },
    forward: (root, inputs) => forward(root, config, inputs),
    logits: (root, rows) => matmul(rows, outputTable(root, config), { transposeB: true }),
    labelLoss: (root, rows, labels, smoothing) =>
      linearCrossEntropy(rows, outputTable(root, config), expand(scalarConstant(0), [config.vocabSize]), labels, {
        smoothing,
      }),
  };
}

/**
 * Three spellings: `rope_theta` and `rope_scaling` with `type`; the same with `rope_type`; and `rope_parameters` with all of
 * it. The reference takes `rope_scaling` where both are there, and for θ what is in the same object first.
 */
function readRope(read: ConfigReader, headSize: number, maxLength: number): RopeOptions {
  const where = read.has('rope_scaling') ? 'rope_scaling' : 'rope_parameters';
  const inner = new ConfigReader(read.raw(where) ?? {}, read.where(where));
  for (const one of [read, inner]) one.only('partial_rotary_factor', 1, 'the whole of a head rotates');
  const theta = inner.positive('rope_theta', read.positive('rope_theta', 10000));
  const typeField = inner.has('rope_type') ? 'rope_type' : 'type';
  const type = inner.oneOf(typeField, ['default', 'linear', 'dynamic', 'llama3'], 'default');
  return { headSize, theta, scaling: scaling() };

  function scaling(): RopeScaling {
    if (type === 'default') return { kind: 'none' };
    const factor = inner.positive('factor');
    if (type === 'linear') return { kind: 'linear', factor };
    if (type === 'dynamic') {
      if (headSize === 2) throw read.error('head_dim', 'from 4 on: with dynamic scaling θ^(K/(K−2)) is needed');
      return { kind: 'dynamic', factor, trainedLength: maxLength };
    }
    const owner = read.has('original_max_position_embeddings') ? read : inner;
    const lowFrequencyFactor = inner.positive('low_freq_factor');
    const highFrequencyFactor = inner.positive('high_freq_factor');
    if (highFrequencyFactor <= lowFrequencyFactor) {
      throw inner.error('high_freq_factor', `more than low_freq_factor ${lowFrequencyFactor}`);
    }
    return {
      kind: 'llama3',
      factor,
      lowFrequencyFactor,
      highFrequencyFactor,
      trainedLength: owner.int('original_max_position_embeddings', { otherwise: maxLength }),
    };
  }
}

function keyMap({ tied, attentionBias, mlpBias }: LlamaConfig): KeyMap {
  const rules: KeyRule[] = [{ key: 'model.embed_tokens.weight', path: 'tokens.weight' }];
  const [stored, own] = ['model.layers.{i}', 'layers.{i}'];
  const linear = (key: string, path: string, bias: boolean): void => {
    rules.push({ key: `${stored}.${key}.weight`, path: `${own}.${path}.weight`, move: 'transpose' });
    if (bias) rules.push({ key: `${stored}.${key}.bias`, path: `${own}.${path}.bias` });
  };
  for (const [projection, name] of [
    ['q_proj', 'q'],
    ['k_proj', 'k'],
    ['v_proj', 'v'],
    ['o_proj', 'out'],
  ] as const) {
    linear(`self_attn.${projection}`, `attention.${name}`, attentionBias);
  }
  for (const name of ['gate', 'up', 'down']) linear(`mlp.${name}_proj`, `mlp.${name}`, mlpBias);
  rules.push(
    { key: `${stored}.input_layernorm.weight`, path: `${own}.attentionNorm.weight` },
    { key: `${stored}.post_attention_layernorm.weight`, path: `${own}.mlpNorm.weight` },
    { key: 'model.norm.weight', path: 'norm.weight' },
  );
  if (!tied) rules.push({ key: 'lm_head.weight', path: 'output.weight' });
  return {
    rules,
    basePrefix: 'model.',
    ties: tied ? [{ key: 'lm_head.weight', sameAs: 'model.embed_tokens.weight' }] : [],
    ignore: [
      { key: `${stored}.self_attn.rotary_emb.inv_freq`, reason: 'the angles of the rotation, which are computed' },
    ],
  };
}
