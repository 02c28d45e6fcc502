import { type Dim, dimMul } from '../base/dim.ts';
import type { Value } from '../graph/value.ts';
import { embeddingTable, lookup } from '../nn/embedding.ts';
import type { ActivationName } from '../nn/feedForward.ts';
import { normalInit, sinusoidalInit } from '../nn/init.ts';
import { linear } from '../nn/linear.ts';
import { maskBias, paddingMask } from '../nn/masks.ts';
import { layerNorm } from '../nn/norm.ts';
import { postNormBlock } from '../nn/postNormBlock.ts';
import type { Scope } from '../nn/scope.ts';
import { named, type Sequences } from '../nn/sequences.ts';
import { add, cast, equal, mul, not } from '../ops/elementwise.ts';
import { intConstant, iota } from '../ops/leaf.ts';
import { cumsum } from '../ops/reduce.ts';
import { reshape, slice } from '../ops/shape.ts';
import type { EncoderInputs } from './model.ts';

/**
 * An encoder alone (Devlin et al. 2019, "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding"),
 * with the choices of its descendants as options.
 */
export interface EncoderConfig {
  readonly vocabSize: number;
  readonly width: number;
  /** Width of the embeddings. */
  readonly embeddingWidth: number;
  /** Whether a linear layer takes them to `width` (Lan et al. 2020, section 3.1). */
  readonly projectsEmbedding: boolean;
  readonly layers: number;
  readonly heads: number;
  readonly hidden: number;
  readonly activation: ActivationName;
  readonly normEpsilon: number;
  /** Kinds of segments; 0: none are told apart. */
  readonly segments: number;
  /** Rows of the table of positions. */
  readonly positionRows: number;
  /** `fromPadding`: tokens that are not padding count on from the padding id, padding itself has that position. */
  readonly positions: 'fromZero' | 'fromPadding';
  readonly positionInit: 'normal' | 'sinusoidal';
  /** The place of the parameters of layer i, where layers share them. */
  readonly layerParameters?: (layer: number) => readonly (string | number)[];
  readonly embeddingDropout: number;
  readonly attentionOutDropout: number;
  readonly mlpOutDropout: number;
  readonly attentionDropout: number;
  readonly padId: number | null;
  /** Standard deviation of the initial weights. */
  readonly initStd: number;
}

/** Positions that a text may have. */
export function maxLengthOf({ positionRows, positions, padId }: EncoderConfig): number {
  return positions === 'fromPadding' ? positionRows - padId! - 1 : positionRows;
}

/** The position of the first token of a text. */
export function firstPositionOf({ positions, padId }: EncoderConfig): number {
  return positions === 'fromPadding' ? padId! + 1 : 0;
}

export function encode(root: Scope, config: EncoderConfig, inputs: EncoderInputs): Sequences {
  const scoreBias = inputs.mask && maskBias(paddingMask(inputs.mask));
  let x = embed(root, config, inputs);
  for (let i = 0; i < config.layers; i++) {
    const place = root.at('layers').at(i);
    const shared = config.layerParameters?.(i).reduce<Scope>((scope, name) => scope.at(name), root);
    x = postNormBlock(shared ? place.withParametersOf(shared) : place, x, scoreBias, {
      ...config,
      init: normalInit(config.initStd),
    });
  }
  return named(root, 'output', x);
}

/** dropout(norm(word + segment + position)), and its projection where there is one. */
function embed(root: Scope, config: EncoderConfig, { ids, segments, positions }: EncoderInputs): Sequences {
  const [batch, length] = ids.shape as [Dim, Dim];
  const count = dimMul(batch, length);
  const { width, embeddingWidth, padId } = config;
  const init = normalInit(config.initStd);
  const table = (name: string, rows: number, tableInit = init): Value =>
    embeddingTable(root.at(name), { count: rows, width: embeddingWidth, init: tableInit });
  const rowsOf = (from: Value, index: Value, untrained: number | null): Value =>
    reshape(lookup(from, reshape(index, [count]), untrained), [batch, length, embeddingWidth]);

  let sum = rowsOf(tokenTable(root, config), ids, padId);
  if (config.segments > 0) {
    const kinds = table('segments', config.segments);
    sum = add(sum, segments ? rowsOf(kinds, segments, null) : slice(kinds, 0, 0, 1));
  }
  const places = table('positions', config.positionRows, config.positionInit === 'normal' ? init : sinusoidalInit);
  const isShifted = config.positions === 'fromPadding';
  const given = positions ?? (isShifted ? positionsFromPadding(ids, padId!) : undefined);
  sum = add(sum, given ? rowsOf(places, given, isShifted ? padId : null) : lookup(places, iota(length), null));

  const normed = layerNorm(root.at('embeddingNorm'), reshape(sum, [count, embeddingWidth]), {
    width: embeddingWidth,
    epsilon: config.normEpsilon,
  });
  const dropped = root.dropout('embedding', normed, config.embeddingDropout);
  const at = (rows: Value): Sequences => ({ rows, batch, length });
  if (!config.projectsEmbedding) {
    named(root, 'embedding', at(normed));
    return at(dropped);
  }
  const projection = { from: embeddingWidth, to: width, init, bias: true };
  return named(root, 'embedding', at(linear(root.at('embeddingProjection'), dropped, projection)));
}

/** padId + 1, padId + 2, … at tokens that are not padding, padId at padding: as fairseq counts. ids int32 [B, T]. */
function positionsFromPadding(ids: Value, padId: number): Value {
  const isToken = cast(not(equal(ids, intConstant(padId))), 'int32');
  return add(mul(cumsum(isToken, 1), isToken), intConstant(padId));
}

export function tokenTable(root: Scope, { vocabSize, embeddingWidth, initStd }: EncoderConfig): Value {
  return embeddingTable(root.at('tokens'), { count: vocabSize, width: embeddingWidth, init: normalInit(initStd) });
}
