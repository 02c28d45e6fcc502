import type { Value } from '../graph/value.ts';
import { add } from '../ops/elementwise.ts';
import { attention } from './attention.ts';
import { type ActivationName, feedForward } from './feedForward.ts';
import type { Init } from './init.ts';
import { layerNorm } from './norm.ts';
import type { Scope } from './scope.ts';
import { named, type Sequences, withRows } from './sequences.ts';

export interface PostNormBlockOptions {
  readonly width: number;
  readonly heads: number;
  readonly hidden: number;
  readonly activation: ActivationName;
  readonly normEpsilon: number;
  /** Of what attention and the feed-forward layer add to the residual stream. */
  readonly attentionOutDropout: number;
  readonly mlpOutDropout: number;
  /** Of the attention weights. */
  readonly attentionDropout: number;
  readonly init: Init;
}

/**
 * An encoder's block with the norm after each sum (Vaswani et al. 2017, section 3.1): norm(x + attention(x)), then
 * norm(x + mlp(x)). Names `residualPre`, `residualMid`, `residualPost` [B, T, D] and those of its layers.
 */
export function postNormBlock(
  scope: Scope,
  x: Sequences,
  scoreBias: Value | undefined,
  options: PostNormBlockOptions,
): Sequences {
  const { width, heads, hidden, activation, normEpsilon: epsilon, attentionDropout, init } = options;
  named(scope, 'residualPre', x);
  const { rows: attended } = attention(
    scope.at('attention'),
    { query: x, ...(scoreBias && { scoreBias }) },
    { width, heads, bias: true, dropout: attentionDropout, init },
  );
  const middle = add(x.rows, scope.dropout('attention', attended, options.attentionOutDropout));
  const mid = named(
    scope,
    'residualMid',
    withRows(x, layerNorm(scope.at('attentionNorm'), middle, { width, epsilon })),
  );
  const mlp = feedForward(scope.at('mlp'), mid.rows, { width, hidden, activation, bias: true, dropout: 0, init });
  const end = add(mid.rows, scope.dropout('mlp', mlp, options.mlpOutDropout));
  return named(scope, 'residualPost', withRows(x, layerNorm(scope.at('mlpNorm'), end, { width, epsilon })));
}
