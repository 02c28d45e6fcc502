import { type Dim, dimMul } from '../base/dim.ts';
import type { KeyMap } from '../checkpoint/keyMap.ts';
import type { Value } from '../graph/value.ts';
import { type AttentionOptions, attention, type KeyValue, type PastKeyValue } from '../nn/attention.ts';
import { embeddingTable, lookup } from '../nn/embedding.ts';
import { type ActivationName, feedForward } from '../nn/feedForward.ts';
import { type Init, normalInit, xavierInit, zerosInit } from '../nn/init.ts';
import { decodingBias, maskBias, paddingMask, positionsFrom } from '../nn/masks.ts';
import { layerNorm } from '../nn/norm.ts';
import { type SinusoidLayout, sinusoidalPositions } from '../nn/positions.ts';
import type { Scope } from '../nn/scope.ts';
import { named, type Sequences, withRows } from '../nn/sequences.ts';
import { add, mul } from '../ops/elementwise.ts';
import { gather } from '../ops/gather.ts';
import { constant, intConstant, iota, scalarConstant } from '../ops/leaf.ts';
import { linearCrossEntropy } from '../ops/loss.ts';
import { matmul } from '../ops/matmul.ts';
import { expand, reshape } from '../ops/shape.ts';
import type { DecoderInputs, DecoderOutputs, EncoderDecoderModel, SourceInputs } from './model.ts';

/**
 * The original encoder-decoder Transformer (Vaswani et al. 2017, "Attention Is All You Need",
 * https://arxiv.org/abs/1706.03762), with the choices that later versions of it made as options. Reference code:
 * https://nlp.seas.harvard.edu/annotated-transformer/, and `MarianMTModel` of Hugging Face's transformers.
 */
export interface TransformerConfig {
  readonly sourceVocabSize: number;
  readonly targetVocabSize: number;
  /** d_model */
  readonly width: number;
  readonly encoderLayers: number;
  readonly decoderLayers: number;
  readonly encoderHeads: number;
  readonly decoderHeads: number;
  /** d_ff */
  readonly encoderHidden: number;
  readonly decoderHidden: number;
  readonly activation: ActivationName;
  readonly normEpsilon: number;
  /** `post`: LayerNorm(x + f(x)), the paper. `pre`: x + f(LayerNorm(x)), and a norm after the last layer. */
  readonly normPlacement: 'post' | 'pre';
  /** Sinusoids, or `learned`: a table of `maxLength` rows a side (section 3.5 found them to serve as well). */
  readonly positions: SinusoidLayout | 'learned';
  /** Rows of a learned table before that of position 0. */
  readonly positionOffset: number;
  /** Whether a norm follows the sum of embedding and position. */
  readonly embeddingNorm: boolean;
  /** `all`: one table for source, target and output (section 3.4). `decoder`: target and output share. `none`: three tables. */
  readonly sharedEmbeddings: 'all' | 'decoder' | 'none';
  /** Whether embeddings are multiplied by √width. */
  readonly scaleEmbedding: boolean;
  /** Whether the projections of attention have biases. */
  readonly attentionBias: boolean;
  /** `fixed`: a stored constant is added to the logits (Marian's `final_logits_bias`). */
  readonly outputBias: 'none' | 'fixed';
  readonly maxLength: number;
  readonly dropout: number;
  readonly attentionDropout: number;
  readonly activationDropout: number;
  readonly padId: number;
  readonly eosIds: readonly number[];
  /** What the decoder starts from. */
  readonly startId: number;
}

/** The encoder: every position sees every real one. Names `encoder.embedding`, `encoder.layers.<i>.…`, `encoder.output` [B, S, D]. */
export function encode(root: Scope, config: TransformerConfig, { ids, mask, positions }: SourceInputs): Sequences {
  const scope = root.at('encoder');
  const scoreBias = mask && maskBias(paddingMask(mask));
  let x = embed(root, scope, config, 'source', ids, positions ?? iota(ids.shape[1]!));
  for (let i = 0; i < config.encoderLayers; i++) x = encoderLayer(scope.at('layers').at(i), config, x, scoreBias);
  const out = config.normPlacement === 'pre' ? withRows(x, norm(scope.at('norm'), config, x.rows)) : x;
  named(scope, 'output', out);
  return out;
}

/** The decoder: every position sees those up to itself, and the encoder's real ones. */
export function decode(root: Scope, config: TransformerConfig, inputs: DecoderInputs): DecoderOutputs {
  const { ids, memory, memoryMask, past, visible, positions } = inputs;
  const scope = root.at('decoder');
  const [, length] = ids.shape as [Dim, Dim];
  const pastLength = past?.length ?? 0;
  const selfBias = decodingBias(pastLength, length, { visible });
  const crossBias = memoryMask && maskBias(paddingMask(memoryMask));
  let x = embed(root, scope, config, 'target', ids, positions ?? positionsFrom(pastLength, length));
  const self: KeyValue[] = [];
  const cross: KeyValue[] = [];
  for (let i = 0; i < config.decoderLayers; i++) {
    const layerScope = scope.at('layers').at(i);
    const layerMemory = isSequences(memory) ? { memory } : { past: { ...memory[i]!, isComplete: true as const } };
    const selfPast = past?.layers[i];
    const out = decoderLayer(layerScope, config, x, {
      self: { ...(selfPast && { past: selfPast }), ...(selfBias && { scoreBias: selfBias }) },
      cross: { ...layerMemory, ...(crossBias && { scoreBias: crossBias }) },
    });
    x = out.x;
    self.push(out.self);
    cross.push(out.cross);
  }
  const out = config.normPlacement === 'pre' ? withRows(x, norm(scope.at('norm'), config, x.rows)) : x;
  named(scope, 'output', out);
  return { ...out, self, cross };
}

/** Scores of the next word: [B·T, V]. */
export function logits(root: Scope, config: TransformerConfig, rows: Value): Value {
  const product = matmul(rows, outputTable(root, config), { transposeB: true });
  return config.outputBias === 'fixed' ? add(product, outputBias(root, config)) : product;
}

/** Cross-entropy of each label, [B·T], 0 where it is `ignore`. labels int32 [B·T]. */
export function labelLoss(
  root: Scope,
  config: TransformerConfig,
  rows: Value,
  labels: Value,
  smoothing: number,
): Value {
  return linearCrossEntropy(rows, outputTable(root, config), outputBias(root, config), labels, { smoothing });
}

function encoderLayer(scope: Scope, config: TransformerConfig, x: Sequences, scoreBias: Value | undefined): Sequences {
  named(scope, 'residualPre', x);
  const attended = residual(
    scope,
    config,
    'attentionNorm',
    x,
    (normed) =>
      attention(
        scope.at('attention'),
        { query: normed, ...(scoreBias && { scoreBias }) },
        attentionOptions(config, config.encoderHeads),
      ).rows,
  );
  named(scope, 'residualMid', attended);
  const out = residual(scope, config, 'mlpNorm', attended, (normed) =>
    mlp(scope, config, config.encoderHidden, normed),
  );
  return named(scope, 'residualPost', out);
}

interface AttentionSide {
  readonly memory?: Sequences;
  readonly past?: PastKeyValue;
  readonly scoreBias?: Value;
}

function decoderLayer(
  scope: Scope,
  config: TransformerConfig,
  x: Sequences,
  sides: { readonly self: AttentionSide; readonly cross: AttentionSide },
): { readonly x: Sequences; readonly self: KeyValue; readonly cross: KeyValue } {
  const options = attentionOptions(config, config.decoderHeads);
  const presents: KeyValue[] = [];
  const attend = (name: string, side: AttentionSide) => (normed: Sequences) => {
    const { rows, present } = attention(scope.at(name), { query: normed, ...side }, options);
    presents.push(present);
    return rows;
  };
  named(scope, 'residualPre', x);
  const attended = residual(scope, config, 'attentionNorm', x, attend('attention', sides.self));
  const crossed = residual(scope, config, 'crossAttentionNorm', attended, attend('crossAttention', sides.cross));
  named(scope, 'residualMid', crossed);
  const out = residual(scope, config, 'mlpNorm', crossed, (normed) => mlp(scope, config, config.decoderHidden, normed));
  const [self, cross] = presents as [KeyValue, KeyValue];
  return { x: named(scope, 'residualPost', out), self, cross };
}

function mlp(scope: Scope, config: TransformerConfig, hidden: number, x: Sequences): Value {
  const { width, activation, activationDropout } = config;
  return feedForward(scope.at('mlp'), x.rows, {
    width,
    hidden,
    activation,
    bias: true,
    dropout: activationDropout,
    init: xavierInit,
  });
}

/** post: norm(x + dropout(f(x))); pre: x + dropout(f(norm(x))) */
function residual(
  scope: Scope,
  config: TransformerConfig,
  normName: string,
  x: Sequences,
  f: (normed: Sequences) => Value,
): Sequences {
  const isPre = config.normPlacement === 'pre';
  const normed = isPre ? withRows(x, norm(scope.at(normName), config, x.rows)) : x;
  const branch = scope.dropout(`${normName}.residual`, f(normed), config.dropout);
  const sum = add(x.rows, branch);
  return withRows(x, isPre ? sum : norm(scope.at(normName), config, sum));
}

/** embedding(id) · √width + position, normalised where the model does that, then dropout. positions int32 [T] or [B, T]. */
function embed(
  root: Scope,
  scope: Scope,
  config: TransformerConfig,
  side: 'source' | 'target',
  ids: Value,
  positions: Value,
): Sequences {
  const [batch, length] = ids.shape as [Dim, Dim];
  const { width } = config;
  const rows = lookup(tokenTable(root, config, side), reshape(ids, [dimMul(batch, length)]), config.padId);
  const scaled = config.scaleEmbedding ? mul(rows, scalarConstant(Math.sqrt(width))) : rows;
  const rowOf = config.positionOffset === 0 ? positions : add(positions, intConstant(config.positionOffset));
  const sum = add(reshape(scaled, [batch, length, width]), gather(positionTable(scope, config), rowOf));
  const embedding = config.embeddingNorm ? norm(scope.at('embeddingNorm'), config, sum) : sum;
  scope.name('embedding', embedding);
  const flat = reshape(embedding, [dimMul(batch, length), width]);
  return { rows: scope.dropout('embedding', flat, config.dropout), batch, length };
}

function positionTable(scope: Scope, { positions, positionOffset, maxLength, width }: TransformerConfig): Value {
  if (positions !== 'learned') return constant(sinusoidalPositions(maxLength, width, positions));
  return embeddingTable(scope.at('positions'), {
    count: maxLength + positionOffset,
    width,
    init: normalInit(width ** -0.5),
  });
}

function tokenTable(root: Scope, config: TransformerConfig, side: 'source' | 'target'): Value {
  const { sharedEmbeddings, width } = config;
  const place = sharedEmbeddings === 'all' ? root : root.at(side === 'source' ? 'encoder' : 'decoder');
  const count = side === 'source' ? config.sourceVocabSize : config.targetVocabSize;
  return embeddingTable(place.at('tokens'), { count, width, init: tableInit(config) });
}

function outputTable(root: Scope, config: TransformerConfig): Value {
  if (config.sharedEmbeddings !== 'none') return tokenTable(root, config, 'target');
  return embeddingTable(root.at('output'), {
    count: config.targetVocabSize,
    width: config.width,
    init: tableInit(config),
  });
}

function outputBias(root: Scope, config: TransformerConfig): Value {
  const { targetVocabSize } = config;
  if (config.outputBias === 'none') return expand(scalarConstant(0), [targetVocabSize]);
  const stored = root.at('output').parameter('bias', [1, targetVocabSize], zerosInit, { trainable: false });
  return reshape(stored, [targetVocabSize]);
}

/** With √width in front, rows start with the size of the positions; the output layer is the same table. */
function tableInit({ width }: TransformerConfig): Init {
  return normalInit(width ** -0.5);
}

function attentionOptions(
  { width, attentionBias, attentionDropout }: TransformerConfig,
  heads: number,
): AttentionOptions {
  return { width, heads, bias: attentionBias, dropout: attentionDropout, init: xavierInit };
}

function norm(scope: Scope, { width, normEpsilon }: TransformerConfig, x: Value): Value {
  return layerNorm(scope, x, { width, epsilon: normEpsilon });
}

function isSequences(memory: DecoderInputs['memory']): memory is Sequences {
  return !Array.isArray(memory);
}

/** The model of a configuration: what training and generation call. */
export function encoderDecoder(
  family: string,
  config: TransformerConfig,
  json: Readonly<Record<string, unknown>>,
  keyMap: KeyMap,
): EncoderDecoderModel {
  return {
    kind: 'encoder-decoder',
    family,
    config: json,
    keyMap,
    sourceVocabSize: config.sourceVocabSize,
    vocabSize: config.targetVocabSize,
    maxLength: config.maxLength,
    padId: config.padId,
    eosIds: config.eosIds,
    startId: config.startId,
    cache: { layers: config.decoderLayers, heads: config.decoderHeads, headSize: config.width / config.decoderHeads },
    encode: (root, inputs) => encode(root, config, inputs),
    decode: (root, inputs) => decode(root, config, inputs),
    logits: (root, rows) => logits(root, config, rows),
    labelLoss: (root, rows, labels, smoothing) => labelLoss(root, config, rows, labels, smoothing),
  };
}
