import { QkvError } from '../base/errors.ts';
import { int32, scalar } from '../base/tensor.ts';
import { BucketBatches } from '../data/bucketBatches.ts';
import type { TextPair } from '../data/pairs.ts';
import type { Model } from '../models/model.ts';
import type { Runtime, Tensors } from '../runtime/runtime.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { traceLoss } from './objectives.ts';

export interface MeasuredLoss {
  /** Mean cross-entropy of a target token, in nats. */
  readonly loss: number;
  /** e^loss */
  readonly perplexity: number;
  /** Target tokens that it is the mean over, end tokens among them. */
  readonly tokens: number;
  /** Pairs that were left out, since a side is longer than the model can read. */
  readonly leftOut: number;
}

export interface MeasureOptions {
  /** Pairs that are worked on together, about; 16 by default. */
  readonly batchSize?: number;
  /** Called with the number of target tokens done. */
  readonly onProgress?: (tokens: number) => void;
  /** Stops between two batches. */
  readonly signal?: { throwIfAborted(): void };
}

interface Batch {
  readonly inputs: Tensors;
  readonly targetTokens: number;
}

/** What a model with its weights is measured with. */
export interface Measured {
  readonly runtime: Runtime;
  readonly model: Model;
  readonly parameters: Tensors;
  readonly tokenizer: Tokenizer;
}

/** The loss of targets, given their sources. @throws QkvError `usage` for a model that continues texts. */
export async function pairLoss(
  measured: Measured,
  pairs: readonly Pick<TextPair, 'source' | 'target'>[],
  options: MeasureOptions = {},
): Promise<MeasuredLoss> {
  const { model, tokenizer } = measured;
  if (model.kind !== 'encoder-decoder') {
    const got = `a ${model.family} model`;
    throw new QkvError('usage', { where: 'pairLoss', got, expected: 'an encoder-decoder model' });
  }
  const ids = (text: string): number[] => tokenizer.encode(text).ids;
  const { batchSize = 16 } = options;
  const batches = new BucketBatches(
    pairs.map(({ source, target }) => ({ source: ids(source), target: ids(target) })),
    {
      seed: 0,
      batchTokens: Math.max(2 * model.maxLength, batchSize * 64),
      maxLength: model.maxLength,
      padId: model.padId ?? 0,
      startId: model.startId,
    },
  );
  function* all(): Generator<Batch> {
    for (let batchIndex = 0; batchIndex < batches.count(0); batchIndex++) {
      const batch = batches.at({ epoch: 0, batchIndex });
      const [source, target] = [
        [batch.size, batch.sourceLength],
        [batch.size, batch.targetLength],
      ];
      yield {
        inputs: {
          inputIds: int32(source, batch.sourceIds),
          attentionMask: int32(source, batch.sourceMask),
          decoderInputIds: int32(target, batch.decoderIds),
          labels: int32(target, batch.labels),
        },
        targetTokens: batch.targetTokens,
      };
    }
  }
  return { ...(await meanLoss(measured, all(), options)), leftOut: batches.dropped.count };
}

async function meanLoss(
  { runtime, model, parameters }: Measured,
  batches: Iterable<Batch>,
  { onProgress, signal }: MeasureOptions,
): Promise<Omit<MeasuredLoss, 'leftOut'>> {
  const { graph } = traceLoss(model, { training: false, smoothing: 0, padded: true });
  using program = await runtime.compile(graph, { label: 'loss' });
  let [sum, tokens] = [0, 0];
  for (const { inputs, targetTokens } of batches) {
    signal?.throwIfAborted();
    const all: Tensors = { ...parameters, ...inputs, lossScale: scalar(1) };
    const feeds = Object.fromEntries(program.feeds.map((name) => [name, all[name]!]));
    const [outputs] = await runtime.run([{ program, feeds }]);
    sum += outputs!['loss']!.data[0]!;
    tokens += targetTokens;
    onProgress?.(tokens);
  }
  const loss = sum / tokens;
  return { loss, perplexity: Math.exp(loss), tokens };
}
