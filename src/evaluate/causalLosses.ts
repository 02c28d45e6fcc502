import { type Dim, dimMul, symbol } from '../base/dim.ts';
import { QkvError } from '../base/errors.ts';
import { int32 } from '../base/tensor.ts';
import type { Graph } from '../graph/graph.ts';
import type { CausalModel, Model } from '../models/model.ts';
import { Trace } from '../nn/scope.ts';
import { input } from '../ops/leaf.ts';
import { reshape } from '../ops/shape.ts';
import { batchesByLength } from '../predict/batchesByLength.ts';
import { ModelPrograms } from '../runtime/modelPrograms.ts';
import type { Asked, Subject } from './evaluation.ts';

/** Tokens that a model reads from `start` to before `end` of `ids`; what it says at place i is about token i + 1. */
export interface Span {
  readonly ids: readonly number[];
  readonly start: number;
  readonly end: number;
}

/** Logits of a batch at most, in numbers: 256 MB. */
const MOST_LOGITS = 2 ** 26;

/**
 * −log P of the token after each token that the model reads, in nats: [end − start] for each span. Spans of similar length
 * are batched together; what fills up the shorter ones stands behind their last token, where none of it sees it.
 */
export async function causalLosses(
  { runtime, model, parameters }: Pick<Subject, 'runtime' | 'model' | 'parameters'>,
  spans: readonly Span[],
  { batchSize, signal, onProgress }: Asked['running'],
): Promise<Float32Array[]> {
  const causal = causalOf(model);
  using programs = new ModelPrograms(runtime, parameters);
  const graph = traceLosses(causal);
  const tokens = Math.min(4096, Math.ceil(MOST_LOGITS / model.vocabSize));
  const waiting = batchesByLength(
    spans.map(({ start, end }) => end - start),
    { size: batchSize, tokens },
  ).values();
  const results: Float32Array[] = new Array(spans.length);
  let done = 0;
  const work = async (_: unknown, lane: number): Promise<void> => {
    for (const indices of waiting) {
      signal?.throwIfAborted();
      const length = Math.max(...indices.map((i) => spans[i]!.end - spans[i]!.start));
      const inputIds = new Int32Array(indices.length * length);
      const labels = new Int32Array(indices.length * length).fill(-100);
      for (const [row, i] of indices.entries()) {
        const { ids, start, end } = spans[i]!;
        inputIds.set(ids.slice(start, end), row * length);
        labels.set(ids.slice(start + 1, end + 1), row * length);
      }
      const shape = [indices.length, length];
      const inputs = { inputIds: int32(shape, inputIds), labels: int32(shape, labels) };
      const { losses } = await programs.run('losses of tokens', () => graph, inputs, { lane });
      for (const [row, i] of indices.entries()) {
        const size = spans[i]!.end - spans[i]!.start;
        results[i] = (losses!.data as Float32Array).slice(row * length, row * length + size);
      }
      done += indices.length;
      onProgress(done);
    }
  };
  await Promise.all(Array.from({ length: runtime.lanes }, work));
  return results;
}

/** Of a text: its ids, behind the token that begins texts where the model has one; then its first token is predicted too. */
export function causalIds({ model, tokenizer }: Pick<Subject, 'model' | 'tokenizer'>, text: string): number[] {
  const { bosId } = causalOf(model);
  const { ids } = tokenizer.encode(text, { addSpecialTokens: false });
  return bosId === null ? ids : [bosId, ...ids];
}

export function causalOf(model: Model): CausalModel {
  if (model.kind === 'causal') return model;
  throw new QkvError('usage', {
    where: 'evaluateModel',
    got: `a ${model.family} model`,
    expected: 'one that continues texts',
  });
}

function traceLosses(model: CausalModel): Graph {
  const [batch, length] = [symbol('B'), symbol('T')] as [Dim, Dim];
  const trace = new Trace();
  const { rows } = model.forward(trace.root, { ids: input('inputIds', 'int32', [batch, length]) });
  const labels = reshape(input('labels', 'int32', [batch, length]), [dimMul(batch, length)]);
  return trace.graph({ losses: reshape(model.labelLoss(trace.root, rows, labels, 0), [batch, length]) });
}
