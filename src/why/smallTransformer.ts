import { type Dim, dimMul } from '../base/dim.ts';
import type { Value } from '../graph/value.ts';
import { type AttentionInputs, attention } from '../nn/attention.ts';
import { embeddingTable, lookup } from '../nn/embedding.ts';
import { feedForward } from '../nn/feedForward.ts';
import { type Init, normalInit } from '../nn/init.ts';
import { fullCausalMask, maskBias } from '../nn/masks.ts';
import { layerNorm } from '../nn/norm.ts';
import { sinusoidalPositions } from '../nn/positions.ts';
import { relativeBias } from '../nn/relativePositions.ts';
import { rotation } from '../nn/rope.ts';
import type { Scope } from '../nn/scope.ts';
import { named, type Sequences, withRows } from '../nn/sequences.ts';
import { add } from '../ops/elementwise.ts';
import { constant, iota } from '../ops/leaf.ts';
import { reshape, slice } from '../ops/shape.ts';

/** How a model learns the order of its tokens. */
export type PositionKind = 'none' | 'sinusoidal' | 'learned' | 'rotary' | 'relative';

/**
 * A Transformer of which one thing at a time can be changed: a norm before each block, GELU, no dropout, all weights with
 * the spread that keeps the variance of what goes through them, so that at the start entries of q and k have variance 1.
 */
export interface SmallConfig {
  readonly vocabSize: number;
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly hidden: number;
  readonly positions: PositionKind;
  /** Rows of the table of learned positions, and of sinusoids. */
  readonly maxLength: number;
  readonly isCausal: boolean;
  /** Factor of the scores; 1/√d_k where it is left out. */
  readonly scale?: number;
}

/**
 * ids int32 [B, T] → rows [B·T, D] after the last norm. With `memory`, an encoder's output, each layer looks at it after its
 * own attention. Names `embedding`, `layers.<i>.…`, `output`.
 */
export function smallTransformer(scope: Scope, config: SmallConfig, ids: Value, memory?: Sequences): Sequences {
  const [batch, length] = ids.shape as [Dim, Dim];
  const { width, layers, positions, isCausal } = config;
  const table = embeddingTable(scope.at('tokens'), { count: config.vocabSize, width, init: normalInit(1) });
  const words = reshape(lookup(table, reshape(ids, [dimMul(batch, length)]), null), [batch, length, width]);
  const embedding = scope.name('embedding', withPlaces(scope, config, words, length));
  const orderBias = isCausal ? maskBias(fullCausalMask(length)) : undefined;
  const distanceBias = positions === 'relative' ? distances(scope, config, length) : undefined;
  const scoreBias = orderBias && distanceBias ? add(orderBias, distanceBias) : (orderBias ?? distanceBias);
  const turns =
    positions === 'rotary'
      ? rotation(iota(length), { headSize: width / config.heads, theta: 10_000, scaling: { kind: 'none' } })
      : undefined;
  let x: Sequences = { rows: reshape(embedding, [dimMul(batch, length), width]), batch, length };
  for (let i = 0; i < layers; i++) {
    const layer = scope.at('layers').at(i);
    x = attend(layer, config, 'attention', x, {
      ...(scoreBias && { scoreBias }),
      ...(turns && { rotation: turns }),
    });
    if (memory) x = attend(layer, config, 'crossAttention', x, { memory });
    const { rows } = normed(layer.at('mlpNorm'), config, x);
    const mlp = feedForward(layer.at('mlp'), rows, {
      width,
      hidden: config.hidden,
      activation: 'gelu',
      bias: true,
      dropout: 0,
      init: keepingInit(width),
      outInit: residualInit(config.hidden, config),
    });
    x = named(layer, 'residualPost', withRows(x, add(x.rows, mlp)));
  }
  return named(scope, 'output', normed(scope.at('norm'), config, x));
}

function attend(
  layer: Scope,
  config: SmallConfig,
  name: string,
  x: Sequences,
  inputs: Omit<AttentionInputs, 'query'>,
): Sequences {
  const { width, heads, scale } = config;
  const query = normed(layer.at(`${name}Norm`), config, x);
  const { rows } = attention(
    layer.at(name),
    { query, ...inputs },
    {
      width,
      heads,
      bias: false,
      dropout: 0,
      init: keepingInit(width),
      outInit: residualInit(width, config),
      ...(scale !== undefined && { scale }),
    },
  );
  return withRows(x, add(x.rows, rows));
}

function normed(scope: Scope, { width }: SmallConfig, x: Sequences): Sequences {
  return withRows(x, layerNorm(scope, x.rows, { width, epsilon: 1e-5 }));
}

/** Entries of x W have the variance of those of x, of which there are `from`. */
function keepingInit(from: number): Init {
  return normalInit(from ** -0.5);
}

/** The same for what flows into the residual stream, smaller by the number of additions to it. */
function residualInit(from: number, { layers }: SmallConfig): Init {
  return normalInit((from * 2 * layers) ** -0.5);
}

/** Embeddings [B, T, D] with those positions that are added to them; all of one size, that of sinusoids. */
function withPlaces(scope: Scope, { positions, maxLength, width }: SmallConfig, words: Value, length: Dim): Value {
  if (positions !== 'sinusoidal' && positions !== 'learned') return words;
  const table =
    positions === 'sinusoidal'
      ? constant(sinusoidalPositions(maxLength, width, 'interleaved'))
      : embeddingTable(scope.at('positions'), { count: maxLength, width, init: normalInit(Math.SQRT1_2) });
  return add(words, slice(table, 0, 0, length));
}

/** T5's bias for each distance and head. */
function distances(scope: Scope, { heads, isCausal }: SmallConfig, length: Dim): Value {
  return relativeBias(scope.at('relativePositions'), iota(length), iota(length), {
    bidirectional: !isCausal,
    buckets: 32,
    maxDistance: 128,
    heads,
    init: normalInit(0.1),
  });
}
