import { int32 } from '../base/tensor.ts';
import type { PairBatch } from '../data/bucketBatches.ts';
import type { Micro } from './task.ts';

/** A batch of pairs as the loss of an encoder-decoder takes it. */
export function pairMicro(batch: Omit<PairBatch, 'indices'>): Micro {
  const source = [batch.size, batch.sourceLength];
  const target = [batch.size, batch.targetLength];
  return {
    inputs: {
      inputIds: int32(source, batch.sourceIds),
      attentionMask: int32(source, batch.sourceMask),
      decoderInputIds: int32(target, batch.decoderIds),
      labels: int32(target, batch.labels),
    },
    targetTokens: batch.targetTokens,
    tokens: batch.sourceTokens + batch.targetTokens,
  };
}
