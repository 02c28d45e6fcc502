import { type Dim, dimMul } from '../base/dim.ts';
import type { KeyMap, KeyRule } from '../checkpoint/keyMap.ts';
import type { Value } from '../graph/value.ts';
import { attention, type KeyValue, type PastKeyValue } from '../nn/attention.ts';
import { embeddingTable, lookup } from '../nn/embedding.ts';
import { type ActivationName, feedForward, parseActivation } from '../nn/feedForward.ts';
import { normalInit } from '../nn/init.ts';
import { decodingBias, positionsFrom } from '../nn/masks.ts';
import { layerNorm } from '../nn/norm.ts';
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
 * GPT-2 (Radford et al. 2019, "Language Models are Unsupervised Multitask Learners"): a decoder with a norm before each
 * block, learned positions and an output layer tied to the embedding. References: `modeling_gpt2.py` of Hugging Face's
 * transformers, and nanoGPT's `model.py`, from where `bias: false` comes.
 */
export interface Gpt2Config {
  readonly vocabSize: number;
  readonly maxLength: number;
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly hidden: number;
  readonly activation: ActivationName;
  readonly normEpsilon: number;
  /** Whether scores are divided by √K, and whether by the number of the layer, from 1, as well. */
  readonly scaleScores: boolean;
  readonly scaleScoresByLayer: boolean;
  /** Whether linear layers and norms have biases. */
  readonly bias: boolean;
  readonly tied: boolean;
  readonly embeddingDropout: number;
  readonly residualDropout: number;
  readonly attentionDropout: number;
  /** Standard deviation of the initial weights. */
  readonly initStd: number;
}

/** ids int32 [B, T] → rows [B·T, D] after the last norm, and each layer's keys and values. */
function forward(
  root: Scope,
  config: Gpt2Config,
  { ids, mask, visible, positions, past }: CausalInputs,
): Sequences & { readonly self: readonly KeyValue[] } {
  const [batch, length] = ids.shape as [Dim, Dim];
  const pastLength = past?.length ?? 0;
  const scoreBias = decodingBias(pastLength, length, { mask, visible });

  const place = positions ? reshape(positions, [dimMul(batch, length)]) : positionsFrom(pastLength, length);
  const words = reshape(lookup(tokenTable(root, config), reshape(ids, [dimMul(batch, length)]), null), [
    batch,
    length,
    config.width,
  ]);
  const where = reshape(lookup(positionTable(root, config), place, null), [
    positions ? batch : 1,
    length,
    config.width,
  ]);
  const embedding = root.name('embedding', add(words, where));
  let x: Sequences = {
    rows: root.dropout('embedding', reshape(embedding, [dimMul(batch, length), config.width]), config.embeddingDropout),
    batch,
    length,
  };
  const self: KeyValue[] = [];
  for (let i = 0; i < config.layers; i++) {
    const out = block(root.at('layers').at(i), config, x, { index: i, past: past?.layers[i], scoreBias });
    x = out.x;
    self.push(out.present);
  }
  x = withRows(x, norm(root.at('norm'), config, x.rows));
  return { ...named(root, 'output', x), self };
}

/** x + attention(norm(x)), then x + mlp(norm(x)) */
function block(
  scope: Scope,
  config: Gpt2Config,
  x: Sequences,
  side: { readonly index: number; readonly past: PastKeyValue | undefined; readonly scoreBias: Value | undefined },
): { readonly x: Sequences; readonly present: KeyValue } {
  const { index, past, scoreBias } = side;
  const { width, heads, hidden, activation, bias, residualDropout } = config;
  const scale = (config.scaleScores ? 1 / Math.sqrt(width / heads) : 1) / (config.scaleScoresByLayer ? index + 1 : 1);
  const init = normalInit(config.initStd);
  // what flows into the residual stream starts smaller, by the number of additions to it
  const outInit = normalInit(config.initStd / Math.sqrt(2 * config.layers));
  named(scope, 'residualPre', x);
  const { rows, present } = attention(
    scope.at('attention'),
    {
      query: withRows(x, norm(scope.at('attentionNorm'), config, x.rows)),
      ...(past && { past }),
      ...(scoreBias && { scoreBias }),
    },
    { width, heads, bias, scale, dropout: config.attentionDropout, init, outInit },
  );
  const mid = named(scope, 'residualMid', {
    ...x,
    rows: add(x.rows, scope.dropout('attention', rows, residualDropout)),
  });
  const mlp = feedForward(scope.at('mlp'), norm(scope.at('mlpNorm'), config, mid.rows), {
    width,
    hidden,
    activation,
    bias,
    dropout: 0,
    init,
    outInit,
  });
  const post = named(scope, 'residualPost', withRows(x, add(mid.rows, scope.dropout('mlp', mlp, residualDropout))));
  return { x: post, present };
}

function norm(scope: Scope, { width, normEpsilon, bias }: Gpt2Config, x: Value): Value {
  return layerNorm(scope, x, { width, epsilon: normEpsilon, bias });
}

function tokenTable(root: Scope, { vocabSize, width, initStd }: Gpt2Config): Value {
  return embeddingTable(root.at('tokens'), { count: vocabSize, width, init: normalInit(initStd) });
}

function positionTable(root: Scope, { maxLength, width, initStd }: Gpt2Config): Value {
  return embeddingTable(root.at('positions'), { count: maxLength, width, init: normalInit(initStd) });
}

function outputTable(root: Scope, config: Gpt2Config): Value {
  return config.tied
    ? tokenTable(root, config)
    : embeddingTable(root.at('output'), {
        count: config.vocabSize,
        width: config.width,
        init: normalInit(config.initStd),
      });
}

export function parseGpt2(json: unknown, file = 'config.json'): CausalModel {
  const read = new ConfigReader(json, file);
  read.architecture('GPT2LMHeadModel', 'GPT2Model');
  read.only('is_encoder_decoder', false, 'GPT-2 continues a text');
  read.only('add_cross_attention', false, 'GPT-2 here is a decoder alone');
  const width = read.int('n_embd', { otherwise: 768 });
  const heads = read.heads('n_head', 'n_embd', width, 12);
  const config: Gpt2Config = {
    vocabSize: read.int('vocab_size', { otherwise: 50257 }),
    maxLength: read.int('n_positions', { otherwise: 1024 }),
    width,
    layers: read.layers('n_layer', 12),
    heads,
    hidden: read.int('n_inner', { otherwise: 4 * width }),
    activation: parseActivation(read.where('activation_function'), read.raw('activation_function') ?? 'gelu_new'),
    normEpsilon: read.positive('layer_norm_epsilon', 1e-5),
    scaleScores: read.boolean('scale_attn_weights', true),
    scaleScoresByLayer: read.boolean('scale_attn_by_inverse_layer_idx', false),
    bias: read.boolean('bias', true),
    tied: read.boolean('tie_word_embeddings', true),
    embeddingDropout: read.rate('embd_pdrop', 0.1),
    residualDropout: read.rate('resid_pdrop', 0.1),
    attentionDropout: read.rate('attn_pdrop', 0.1),
    initStd: read.positive('initializer_range', 0.02),
  };
  return {
    kind: 'causal',
    family: 'gpt2',
    config: { ...(json as object), model_type: 'gpt2' },
    keyMap: keyMap(config),
    vocabSize: config.vocabSize,
    maxLength: config.maxLength,
    bosId: read.id('bos_token_id', 50256),
    eosIds: read.ids('eos_token_id', 50256),
    padId: read.id('pad_token_id', null),
    cache: { layers: config.layers, heads: config.heads, headSize: width / heads },
    forward: (root, inputs) => forward(root, config, inputs),
    logits: (root, rows) => matmul(rows, outputTable(root, config), { transposeB: true }),
    labelLoss: (root, rows, labels, smoothing) =>
      linearCrossEntropy(rows, outputTable(root, config), expand(scalarConstant(0), [config.vocabSize]), labels, {
        smoothing,
      }),
  };
}

function keyMap({ tied, bias }: Gpt2Config): KeyMap {
  const rules: KeyRule[] = [
    { key: 'transformer.wte.weight', path: 'tokens.weight' },
    { key: 'transformer.wpe.weight', path: 'positions.weight' },
  ];
  const parts = bias ? ['weight', 'bias'] : ['weight'];
  // GPT2LMHeadModel has every bias: without them a model is one of zeros
  const withoutBias = ['ln_1', 'attn.c_attn', 'attn.c_proj', 'ln_2', 'mlp.c_fc', 'mlp.c_proj'].map(
    (name) => `h.{i}.${name}`,
  );
  const zeros = [...withoutBias, 'ln_f'].map((name) => ({
    key: `transformer.${name}.bias`,
    beside: `transformer.${name}.weight`,
  }));
  for (const part of parts) {
    const layer = (key: string, path: string): KeyRule => ({
      key: `transformer.h.{i}.${key}.${part}`,
      path: `layers.{i}.${path}.${part}`,
    });
    rules.push(
      layer('ln_1', 'attentionNorm'),
      {
        key: `transformer.h.{i}.attn.c_attn.${part}`,
        paths: ['q', 'k', 'v'].map((name) => `layers.{i}.attention.${name}.${part}`),
        move: 'split',
        axis: part === 'weight' ? 1 : 0,
      },
      layer('attn.c_proj', 'attention.out'),
      layer('ln_2', 'mlpNorm'),
      layer('mlp.c_fc', 'mlp.up'),
      layer('mlp.c_proj', 'mlp.down'),
      { key: `transformer.ln_f.${part}`, path: `norm.${part}` },
    );
  }
  if (!tied) rules.push({ key: 'lm_head.weight', path: 'output.weight' });
  return {
    rules,
    basePrefix: 'transformer.',
    zeros: bias ? [] : zeros,
    ties: tied ? [{ key: 'lm_head.weight', sameAs: 'transformer.wte.weight' }] : [],
    ignore: [
      { key: 'transformer.h.{i}.attn.bias', reason: 'the causal mask, which is computed' },
      { key: 'transformer.h.{i}.attn.masked_bias', reason: 'the score of a masked key, which is a constant' },
    ],
  };
}
