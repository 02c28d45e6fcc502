import type { Dim } from '../base/dim.ts';
import type { Value } from '../graph/value.ts';
import type { EncoderHead } from '../models/encoderHead.ts';
import { add, div, maximum, mul, sqrt, sub } from '../ops/elementwise.ts';
import { iota, scalarConstant } from '../ops/leaf.ts';
import { crossEntropy } from '../ops/loss.ts';
import { matmul } from '../ops/matmul.ts';
import { sum } from '../ops/reduce.ts';
import { reshape, slice } from '../ops/shape.ts';
import { type EmbeddingOptions, embeddingTask } from '../predict/embedding.ts';

export interface EmbeddingLoss {
  readonly loss: 'contrastive' | 'cosine';
  /** Of the contrastive loss: what cosines are multiplied by. */
  readonly scale: number;
}

/**
 * Vectors of pairs of texts, [B, 2, T], that learn to be similar where the texts belong together.
 *
 * `contrastive`: −log softmax over j of scale · cos(aᵢ, bⱼ), at j = i, the pairs of a batch being each other's negatives
 * (Henderson et al. 2017, arXiv:1705.00652; sentence-transformers' MultipleNegativesRankingLoss). `cosine`:
 * (cos(a, b) − score)² (Reimers and Gurevych 2019, arXiv:1908.10084, section 3).
 */
export function embeddingHead(
  base: EncoderHead,
  options: EmbeddingOptions,
  { loss, scale }: EmbeddingLoss,
): EncoderHead {
  return {
    ...base,
    isGrouped: true,
    labels: loss === 'cosine' ? [{ name: 'labels', dtype: 'float32', shape: (batch) => [batch] }] : [],
    outputs: (root, x, choices, mask) => {
      const { embedding } = embeddingTask(options).outputs({ root, x, mask, positions: undefined, targets: undefined });
      const width = embedding!.shape[1]!;
      return { pairEmbedding: reshape(embedding!, [...(choices ?? [x.batch, 1]), width]) };
    },
    loss: (_root, _x, { pairEmbedding }, { labels }) => {
      const [a, b] = [0, 1].map((i) => unit(textOf(pairEmbedding!, i))) as [Value, Value];
      if (loss === 'cosine') {
        const error = sub(sum(mul(a, b), [1]), labels['labels']!);
        return [{ scale: 'lossScale', perTarget: mul(error, error) }];
      }
      const logits = mul(matmul(a, b, { transposeB: true }), scalarConstant(scale));
      return [{ scale: 'lossScale', perTarget: crossEntropy(logits, iota(a.shape[0]!), { smoothing: 0 }) }];
    },
    targets: (inputs) => ({ lossScale: inputs['inputIds']!.shape[0]! }),
  };
}

/** [B, C, E] → [B, E] */
function textOf(vectors: Value, i: number): Value {
  const [batch, , width] = vectors.shape as [Dim, Dim, Dim];
  return reshape(slice(vectors, 1, i, i + 1), [batch, width]);
}

/** x / max(‖x‖, 1e-8) */
function unit(x: Value): Value {
  return div(x, maximum(sqrt(add(sum(mul(x, x), [1], true), scalarConstant(1e-24))), scalarConstant(1e-8)));
}
