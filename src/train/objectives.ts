import { type Dim, dimMul, symbol } from '../base/dim.ts';
import type { Graph } from '../graph/graph.ts';
import type { Value } from '../graph/value.ts';
import type { CausalModel, EncoderDecoderModel, Model } from '../models/model.ts';
import { type ParameterDeclaration, Trace } from '../nn/scope.ts';
import { mul } from '../ops/elementwise.ts';
import { input } from '../ops/leaf.ts';
import { sum } from '../ops/reduce.ts';
import { reshape } from '../ops/shape.ts';

/** A traced loss and the parameters that it depends on. */
export interface TracedLoss {
  readonly graph: Graph;
  readonly declarations: readonly ParameterDeclaration[];
}

export interface LossOptions {
  /** Whether dropout acts; the graph then has an input `dropoutSeed` int32 [2]. */
  readonly training: boolean;
  /** ε of label smoothing. */
  readonly smoothing: number;
  /** Whether batches have padding, so that the graph has masks as inputs. */
  readonly padded: boolean;
}

/**
 * The training loss of a model: output `loss`, the sum over target tokens of their cross-entropy times the input
 * `lossScale`, a scalar. With lossScale = 1 / (target tokens of the whole effective batch) it is their mean, however the
 * batch was cut. Labels of −100 count as nothing.
 *
 * Inputs, all int32: for an encoder-decoder `inputIds` [B, S], `attentionMask` [B, S], `decoderInputIds` [B, T] and `labels`
 * [B, T]; for a causal model `inputIds` [B, T], `attentionMask` [B, T] and `labels` [B, T], already shifted: the label of a
 * position is the token after it. `logits` [B, T, V] is a name that can be fetched.
 */
export function traceLoss(model: Model, options: LossOptions): TracedLoss {
  const trace = new Trace({ training: options.training });
  const lossScale = input('lossScale', 'float32', []);
  const { rows, labels, batch, length } =
    model.kind === 'causal' ? causal(trace, model, options) : encoderDecoder(trace, model, options);
  const perToken = model.labelLoss(trace.root, rows, labels, options.smoothing);
  const loss = mul(sum(perToken, [0]), lossScale);
  trace.root.name('logits', reshape(model.logits(trace.root, rows), [batch, length, model.vocabSize]));
  return { graph: trace.graph({ loss }), declarations: trace.declarations };
}

interface Predictions {
  readonly rows: Value;
  readonly labels: Value;
  readonly batch: Dim;
  readonly length: Dim;
}

function causal(trace: Trace, model: CausalModel, { padded }: LossOptions): Predictions {
  const [batch, length] = [symbol('B'), symbol('T')];
  const ids = input('inputIds', 'int32', [batch, length]);
  const mask = padded ? { mask: input('attentionMask', 'int32', [batch, length]) } : {};
  const { rows } = model.forward(trace.root, { ids, ...mask });
  return { rows, labels: flatLabels(batch, length), batch, length };
}

function encoderDecoder(trace: Trace, model: EncoderDecoderModel, { padded }: LossOptions): Predictions {
  const [batch, source, length] = [symbol('B'), symbol('S'), symbol('T')];
  const ids = input('inputIds', 'int32', [batch, source]);
  const mask = padded ? input('attentionMask', 'int32', [batch, source]) : undefined;
  const memory = model.encode(trace.root, { ids, ...(mask && { mask }) });
  const decoderIds = input('decoderInputIds', 'int32', [batch, length]);
  const { rows } = model.decode(trace.root, { ids: decoderIds, memory, ...(mask && { memoryMask: mask }) });
  return { rows, labels: flatLabels(batch, length), batch, length };
}

function flatLabels(batch: Dim, length: Dim): Value {
  return reshape(input('labels', 'int32', [batch, length]), [dimMul(batch, length)]);
}
