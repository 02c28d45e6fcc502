import { type Dim, dimMul, symbol } from '../base/dim.ts';
import { QkvError } from '../base/errors.ts';
import { type HostTensor, int32 } from '../base/tensor.ts';
import { IGNORED_LABEL } from '../data/bucketBatches.ts';
import type { Graph } from '../graph/graph.ts';
import type { Value } from '../graph/value.ts';
import { countLabels, type LossTerm } from '../models/encoderHead.ts';
import type { CausalModel, EncoderDecoderModel, EncoderModel, Model } from '../models/model.ts';
import { type ParameterDeclaration, type Scope, Trace } from '../nn/scope.ts';
import { rowsAt, type Sequences, withRows } from '../nn/sequences.ts';
import { cast, mul } from '../ops/elementwise.ts';
import { input, scalarConstant } from '../ops/leaf.ts';
import { addAll, sum } from '../ops/reduce.ts';
import { reshape } from '../ops/shape.ts';
import { type Distillation, distillationTargets, distillationTerms, type Pass, TEACHER } from './distillationTerms.ts';

/** A traced loss and the parameters that it depends on. */
export interface TracedLoss {
  readonly graph: Graph;
  readonly declarations: readonly ParameterDeclaration[];
  /** What each term counts in the loss, by the name of its scale. */
  readonly weights: Readonly<Record<string, number>>;
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
  /** The teacher that the model learns from as well; its parameters are inputs, their paths behind `teacher.`. */
  readonly distillation?: Distillation;
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
  const { training, distillation } = options;
  const trace = new Trace({ training });
  const feed = sharedInputs();
  const pass = modelPass(trace.root, model, options, feed);
  let terms: readonly LossTerm[] = pass.terms();
  if (distillation) {
    const { labels: weight } = distillation.weights;
    // a trace of its own: the teacher has no dropout, and its parameters are not the student's
    const teacher = modelPass(new Trace().root.at(TEACHER), distillation.teacher, options, feed);
    // a validation shows how well the labels are met even where they do not count
    terms = [
      ...(weight > 0 || !training ? terms.map((term) => ({ ...term, weight })) : []),
      ...distillationTerms(distillation, pass, teacher),
    ];
  }
  const sums = terms.map(({ scale, perTarget }) => mul(sum(perTarget, [0]), input(scale, 'float32', [])));
  const weighted = terms.map(({ weight = 1 }, i) => (weight === 1 ? sums[i]! : mul(sums[i]!, scalarConstant(weight))));
  const parts = terms.flatMap(({ scale, hits }, i): [string, Value][] => [
    ...(terms.length > 1 ? [[`loss.${scale}`, sums[i]!] as [string, Value]] : []),
    ...(hits && !training ? [[`hits.${scale}`, sum(cast(hits, 'float32'), [0])] as [string, Value]] : []),
  ]);
  return {
    graph: trace.graph({ loss: addAll(weighted), ...Object.fromEntries(parts) }),
    declarations: trace.declarations,
    weights: Object.fromEntries(terms.map(({ scale, weight = 1 }) => [scale, weight])),
  };
}

/** Inputs of a graph: the same one for the same name, so that two models can read one batch. */
function sharedInputs(): typeof input {
  const made = new Map<string, Value>();
  return (name, dtype, shape) => {
    if (!made.has(name)) made.set(name, input(name, dtype, shape));
    return made.get(name)!;
  };
}

/** A model on the batch that the inputs are, its values named in `root`. */
function modelPass(root: Scope, model: Model, options: LossOptions, feed: typeof input): Pass {
  if (model.kind === 'encoder') return encoder(root, model, options, feed);
  const { rows, batch, length } =
    model.kind === 'causal' ? causal(root, model, options, feed) : encoderDecoder(root, model, options, feed);
  const labels = reshape(feed('labels', 'int32', [batch, length]), [dimMul(batch, length)]);
  const logits = model.logits(root, rows);
  root.name('logits', reshape(logits, [batch, length, model.vocabSize]));
  return {
    root,
    labels,
    logits: () => logits,
    mask: () => (options.padded && model.kind === 'causal' ? maskRows(feed, batch, length) : undefined),
    terms: () => [{ scale: 'lossScale', perTarget: model.labelLoss(root, rows, labels, options.smoothing) }],
  };
}

function causal(root: Scope, model: CausalModel, { padded, visible }: LossOptions, feed: typeof input): Sequences {
  const [batch, length] = [symbol('B'), symbol('T')];
  const ids = feed('inputIds', 'int32', [batch, length]);
  const { rows } = model.forward(root, {
    ids,
    ...(padded && { mask: feed('attentionMask', 'int32', [batch, length]) }),
    ...(visible && {
      visible: feed('visible', 'int32', [batch, length, length]),
      positions: feed('positions', 'int32', [batch, length]),
    }),
  });
  return { rows, batch, length };
}

function encoderDecoder(
  root: Scope,
  model: EncoderDecoderModel,
  { padded }: LossOptions,
  feed: typeof input,
): Sequences {
  const [batch, source, length] = [symbol('B'), symbol('S'), symbol('T')];
  const ids = feed('inputIds', 'int32', [batch, source]);
  const mask = padded ? feed('attentionMask', 'int32', [batch, source]) : undefined;
  const memory = model.encode(root, { ids, ...(mask && { mask }) });
  const decoderIds = feed('decoderInputIds', 'int32', [batch, length]);
  const { rows } = model.decode(root, { ids: decoderIds, memory, ...(mask && { memoryMask: mask }) });
  return { rows, batch, length };
}

/** The mask of real tokens, [B·T]. */
function maskRows(feed: typeof input, batch: Dim, length: Dim): Value {
  return reshape(feed('attentionMask', 'int32', [batch, length]), [dimMul(batch, length)]);
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

function encoder(root: Scope, model: EncoderModel, options: LossOptions, feed: typeof input): Pass {
  const { head } = model;
  const [batch, length] = [symbol('B'), symbol('T')];
  const { outputs, x } = traceHead(root, model, options, feed);
  const positions = options.targetsOnly ? feed('targetPositions', 'int32', [batch, symbol('M')]) : undefined;
  const labels = Object.fromEntries(
    head.labels.map(({ name, dtype, shape }) => {
      const isMoved = positions !== undefined && name === 'labels';
      return [name, feed(name, dtype, isMoved ? positions.shape : shape(batch, length))];
    }),
  );
  const flat = (value: Value, width: readonly Dim[]): Value =>
    reshape(value, [value.shape.slice(0, value.shape.length - width.length).reduce(dimMul), ...width]);
  return {
    root,
    labels: labels['labels'] && flat(labels['labels'], []),
    logits: () => {
      const at = positions && { ...withRows(x, rowsAt(x, positions)), length: positions.shape[1]! };
      const { logits } = at ? head.outputs(root, at) : outputs;
      return logits && flat(logits, logits.shape.slice(-1));
    },
    mask: () => (options.padded ? maskRows(feed, x.batch, x.length) : undefined),
    terms: () =>
      head.loss!(root, x, outputs, {
        labels,
        smoothing: options.smoothing,
        ...(positions && { targetPositions: positions }),
      }),
  };
}

/** The outputs of an encoder's head, named, from the inputs that `traceLoss` describes. */
export function traceHead(
  root: Scope,
  model: EncoderModel,
  { padded, segments }: Pick<LossOptions, 'padded' | 'segments'>,
  feed: typeof input = input,
): { readonly x: Sequences; readonly outputs: Readonly<Record<string, Value>> } {
  const [batch, length] = [symbol('B'), symbol('T')];
  const choices = model.head.isGrouped ? symbol('C') : undefined;
  const rows = choices === undefined ? batch : dimMul(batch, choices);
  const shape = choices === undefined ? [batch, length] : [batch, choices, length];
  const tokens = (name: string): Value => reshape(feed(name, 'int32', shape), [rows, length]);
  const mask = padded ? tokens('attentionMask') : undefined;
  const x = model.encode(root, {
    ids: tokens('inputIds'),
    ...(mask && { mask }),
    ...(segments && model.segments > 0 && { segments: tokens('segments') }),
  });
  const outputs = model.head.outputs(root, x, choices && [batch, choices], mask);
  for (const [name, value] of Object.entries(outputs)) {
    if (!root.trace.names.has(root.at(name).path)) root.name(name, value);
  }
  return { x, outputs };
}

/** The number of targets in a batch for each scale that the loss has. */
export function targetsOf(
  model: Model,
  inputs: Readonly<Record<string, HostTensor>>,
  distillation?: Distillation,
): Readonly<Record<string, number>> {
  const own = model.kind === 'encoder' ? model.head.targets(inputs) : { lossScale: countLabels(inputs['labels']!) };
  return { ...own, ...(distillation && distillationTargets(distillation, inputs)) };
}

/**
 * 1 / number of targets for each scale that the loss has, over all parts of an effective batch; 0 where there are none.
 */
export function lossScales(
  model: Model,
  parts: readonly Readonly<Record<string, HostTensor>>[],
  distillation?: Distillation,
): Record<string, number> {
  const totals: Record<string, number> = {};
  for (const part of parts) {
    for (const [scale, count] of Object.entries(targetsOf(model, part, distillation))) {
      totals[scale] = (totals[scale] ?? 0) + count;
    }
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
    Array.from({ length }, (_, t) => t).filter((t) => labels.data[b * length + t] !== IGNORED_LABEL),
  );
  const most = Math.max(1, ...rows.map((row) => row.length));
  const filled = (value: (b: number, t: number | undefined) => number): HostTensor =>
    int32(
      [batch, most],
      rows.flatMap((row, b) => Array.from({ length: most }, (_, m) => value(b, row[m]))),
    );
  return {
    targetPositions: filled((_, t) => t ?? 0),
    labels: filled((b, t) => (t === undefined ? IGNORED_LABEL : labels.data[b * length + t]!)),
  };
}
