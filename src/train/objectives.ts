import { type Dim, dimMul, symbol } from '../base/dim.ts';
import { QkvError } from '../base/errors.ts';
import { type HostTensor, int32 } from '../base/tensor.ts';
import type { Graph } from '../graph/graph.ts';
import type { Value } from '../graph/value.ts';
import type { CausalModel, EncoderDecoderModel, EncoderModel, Model } from '../models/model.ts';
import { type ParameterDeclaration, Trace } from '../nn/scope.ts';
import type { Sequences } from '../nn/sequences.ts';
import { cast, mul } from '../ops/elementwise.ts';
import { input } from '../ops/leaf.ts';
import { addAll, sum } from '../ops/reduce.ts';
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
  /** Of a causal model: whether batches say who may see whom, and their positions, as inputs of the graph. */
  readonly visible?: boolean;
  /** Of an encoder: whether the graph has the segments of tokens as an input; without it all are of segment 0. */
  readonly segments?: boolean;
  /** Of masked language modelling: whether labels are given for some positions only, so that only they are predicted. */
  readonly targetsOnly?: boolean;
}

/**
 * The training loss of a model: output `loss`, the sum over target tokens of their cross-entropy times the input
 * `lossScale`, a scalar. With lossScale = 1 / (target tokens of the whole effective batch) it is their mean, however the
 * batch was cut. Labels of −100 count as nothing.
 *
 * Inputs, all int32: for an encoder-decoder `inputIds` [B, S], `attentionMask` [B, S], `decoderInputIds` [B, T] and `labels`
 * [B, T]; for a causal model `inputIds` [B, T], `attentionMask` [B, T] and `labels` [B, T], already shifted: the label of a
 * position is the token after it; with `visible` also `visible` [B, T, T] and `positions` [B, T]. `logits` [B, T, V] is a name that can be fetched.
 *
 * For an encoder `inputIds`, `attentionMask` and `segments` [B, T], of multiple choice [B, C, T], and the labels of its head,
 * whose outputs are names: see `EncoderHead`. A loss of several terms has a scale for each of them, which `lossScales` counts,
 * and outputs `loss.<scale>`; without `training` a term over classes has an output `hits.<scale>`, the number of right ones.
 * With `targetsOnly` the labels are [B, M], and `targetPositions` [B, M] says where they are: see `gatherTargets`.
 *
 * @throws QkvError `usage` for an encoder without a head, and for options that the model cannot honour
 */
export function traceLoss(model: Model, options: LossOptions): TracedLoss {
  checkOptions(model, options);
  const trace = new Trace({ training: options.training });
  if (model.kind === 'encoder') return encoder(trace, model, options);
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

function causal(trace: Trace, model: CausalModel, { padded, visible }: LossOptions): Predictions {
  const [batch, length] = [symbol('B'), symbol('T')];
  const ids = input('inputIds', 'int32', [batch, length]);
  const { rows } = model.forward(trace.root, {
    ids,
    ...(padded && { mask: input('attentionMask', 'int32', [batch, length]) }),
    ...(visible && {
      visible: input('visible', 'int32', [batch, length, length]),
      positions: input('positions', 'int32', [batch, length]),
    }),
  });
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

function checkOptions(model: Model, { segments, targetsOnly, smoothing, visible, padded }: LossOptions): void {
  const refuse = (where: string, got: string, expected: string): QkvError =>
    new QkvError('usage', { where, got, expected });
  const predictsWords = model.kind === 'encoder' && ['masked-lm', 'pretraining'].includes(model.head.name);
  if (targetsOnly && !predictsWords) throw refuse('targetsOnly', `a ${model.family} model`, 'a model for masked words');
  if (segments && (model.kind !== 'encoder' || model.segments === 0)) {
    throw refuse('segments', `a ${model.family} model`, 'a model that tells segments apart');
  }
  if (visible && (model.kind !== 'causal' || padded)) {
    throw refuse(
      'visible',
      `a ${model.family} model${padded ? ', padded batches' : ''}`,
      'full blocks of a causal model',
    );
  }
  if (model.kind !== 'encoder') return;
  if (!model.head.loss) throw refuse('loss', `a ${model.family} model without a head`, 'a model with a head');
  if (smoothing > 0 && model.head.name !== 'masked-lm' && model.head.problem !== 'single_label_classification') {
    throw refuse('smoothing', String(smoothing), `0: the labels are for ${model.head.problem}`);
  }
}

function encoder(trace: Trace, model: EncoderModel, options: LossOptions): TracedLoss {
  const { head } = model;
  const [batch, length] = [symbol('B'), symbol('T')];
  const { outputs, x } = traceHead(trace, model, options);
  const positions = options.targetsOnly ? input('targetPositions', 'int32', [batch, symbol('M')]) : undefined;
  const labels = head.labels.map(({ name, dtype, shape }) => {
    const isMoved = positions !== undefined && name === 'labels';
    return [name, input(name, dtype, isMoved ? positions.shape : shape(batch, length))] as const;
  });
  const terms = head.loss!(trace.root, x, outputs, {
    labels: Object.fromEntries(labels),
    smoothing: options.smoothing,
    ...(positions && { targetPositions: positions }),
  });
  const sums = terms.map(({ scale, perTarget }) => mul(sum(perTarget, [0]), input(scale, 'float32', [])));
  const parts = terms.flatMap(({ scale, hits }, i): [string, Value][] => [
    ...(terms.length > 1 ? [[`loss.${scale}`, sums[i]!] as [string, Value]] : []),
    ...(hits && !options.training ? [[`hits.${scale}`, sum(cast(hits, 'float32'), [0])] as [string, Value]] : []),
  ]);
  return { graph: trace.graph({ loss: addAll(sums), ...Object.fromEntries(parts) }), declarations: trace.declarations };
}

/** The outputs of an encoder's head, named, from the inputs that `traceLoss` describes. */
export function traceHead(
  trace: Trace,
  model: EncoderModel,
  { padded, segments }: Pick<LossOptions, 'padded' | 'segments'>,
): { readonly x: Sequences; readonly outputs: Readonly<Record<string, Value>> } {
  const [batch, length] = [symbol('B'), symbol('T')];
  const choices = model.head.isGrouped ? symbol('C') : undefined;
  const rows = choices === undefined ? batch : dimMul(batch, choices);
  const shape = choices === undefined ? [batch, length] : [batch, choices, length];
  const tokens = (name: string): Value => reshape(input(name, 'int32', shape), [rows, length]);
  const mask = padded ? tokens('attentionMask') : undefined;
  const x = model.encode(trace.root, {
    ids: tokens('inputIds'),
    ...(mask && { mask }),
    ...(segments && { segments: tokens('segments') }),
  });
  const outputs = model.head.outputs(trace.root, x, choices && [batch, choices], mask);
  for (const [name, value] of Object.entries(outputs)) if (!trace.names.has(name)) trace.root.name(name, value);
  return { x, outputs };
}

/**
 * 1 / number of targets for each scale that the loss of an encoder's head has, over all parts of an effective batch; 0 where
 * there are none.
 */
export function lossScales(
  { head }: EncoderModel,
  parts: readonly Readonly<Record<string, HostTensor>>[],
): Record<string, number> {
  const totals: Record<string, number> = {};
  for (const part of parts) {
    for (const [scale, count] of Object.entries(head.targets(part))) totals[scale] = (totals[scale] ?? 0) + count;
  }
  return Object.fromEntries(Object.entries(totals).map(([scale, count]) => [scale, count === 0 ? 0 : 1 / count]));
}

/**
 * Labels [B, T], of which most are −100, as the inputs of a loss with `targetsOnly`: the positions [B, M] of the others and
 * their labels [B, M], M the most in a row; rows with fewer are filled with position 0 and label −100.
 */
export function gatherTargets(labels: HostTensor): {
  readonly targetPositions: HostTensor;
  readonly labels: HostTensor;
} {
  const [batch, length] = labels.shape as [number, number];
  const rows = Array.from({ length: batch }, (_, b) =>
    Array.from({ length }, (_, t) => t).filter((t) => labels.data[b * length + t] !== IGNORED),
  );
  const most = Math.max(1, ...rows.map((row) => row.length));
  const filled = (value: (b: number, t: number | undefined) => number): HostTensor =>
    int32(
      [batch, most],
      rows.flatMap((row, b) => Array.from({ length: most }, (_, m) => value(b, row[m]))),
    );
  return {
    targetPositions: filled((_, t) => t ?? 0),
    labels: filled((b, t) => (t === undefined ? IGNORED : labels.data[b * length + t]!)),
  };
}

const IGNORED = -100;
