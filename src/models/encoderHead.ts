import type { Dim, Shape } from '../base/dim.ts';
import type { DType, HostTensor } from '../base/tensor.ts';
import type { Value } from '../graph/value.ts';
import { type ActivationName, activate } from '../nn/feedForward.ts';
import { normalInit, zerosInit } from '../nn/init.ts';
import { linear } from '../nn/linear.ts';
import { layerNorm } from '../nn/norm.ts';
import type { Scope } from '../nn/scope.ts';
import { firstRows, rowsAt, type Sequences } from '../nn/sequences.ts';
import { abs, add, cast, equal, exp, greaterEqual, log, maximum, mul, neg, sub, where } from '../ops/elementwise.ts';
import { dimSize, intConstant, scalarConstant } from '../ops/leaf.ts';
import { crossEntropy, linearCrossEntropy } from '../ops/loss.ts';
import { matmul } from '../ops/matmul.ts';
import { argmax, mean } from '../ops/reduce.ts';
import { reshape, slice } from '../ops/shape.ts';

export const headNames = [
  'encoder',
  'pretraining',
  'masked-lm',
  'next-sentence',
  'sequence-classification',
  'token-classification',
  'question-answering',
  'multiple-choice',
] as const;

/** `encoder`: no head. */
export type HeadName = (typeof headNames)[number];

/** What the labels of a text are: a number or several, one class, any of the classes. */
export type ProblemType = 'regression' | 'single_label_classification' | 'multi_label_classification';

/** What depends on the family and its configuration; a head uses what concerns it. */
export interface HeadOptions {
  readonly name: HeadName;
  readonly width: number;
  /** Rows of the last layer's output: classes, numbers, or 2 for start and end. */
  readonly labels: number;
  /** Names of the classes. */
  readonly classes: readonly string[];
  readonly problem: ProblemType;
  /** Whether a bare encoder has a pooler. */
  readonly pooler: boolean;
  /** Pooler: activation(W dropout(first row) + b). */
  readonly poolerDropout: number;
  readonly poolerActivation: 'tanh' | 'relu';
  /** Before the last layer. */
  readonly dropout: number;
  /** Masked LM: norm(activation(W x + b)) · table + bias. */
  readonly transform: { readonly activation: ActivationName; readonly width: number; readonly normEpsilon: number };
  readonly vocabSize: number;
  /** The word embeddings, which are the output table; undefined where that is one of its own. */
  readonly tiedTable: ((root: Scope) => Value) | undefined;
  /** Whether checkpoints hold a second bias of the output that nothing reads. */
  readonly unusedBias: boolean;
  readonly initStd: number;
}

/** An input of the loss. */
export interface LabelInput {
  readonly name: string;
  readonly dtype: DType;
  shape(batch: Dim, length: Dim): Shape;
}

/** A loss of each target, [N], 0 where there is none, which counts times the input `scale`: 1 / number of targets. */
export interface LossTerm {
  readonly scale: string;
  readonly perTarget: Value;
  /** bool [N], where the target is one of few classes: whether the most probable is right. */
  readonly hits?: Value;
  /** What it counts in the loss; 1 by default. */
  readonly weight?: number;
}

export interface LossInputs {
  /** By `LabelInput.name`. */
  readonly labels: Readonly<Record<string, Value>>;
  readonly smoothing: number;
  /** int32 [B, M]: where the M labels of a masked text are; without it there is a label for each position. */
  readonly targetPositions?: Value;
}

export interface EncoderHead {
  readonly name: HeadName;
  /** Names of the classes of a text, a token or a pair, in the order of their logits. */
  readonly classes: readonly string[];
  readonly problem: ProblemType;
  readonly labels: readonly LabelInput[];
  /**
   * By name: `logits` [B, T, V], [B, T, L] or [B, L] (of multiple choice `choices` [B, C], from x with B·C sequences);
   * `predictionLogits` [B, T, V] and `sentenceLogits` [B, L]; `startLogits` and `endLogits` [B, T]; `pooled` [B, D].
   */
  outputs(root: Scope, x: Sequences, choices?: Shape, mask?: Value): Readonly<Record<string, Value>>;
  /** Whether a row of a batch is several texts, so that the inputs are [B, C, T]. */
  readonly isGrouped?: boolean;
  /** Undefined where there is nothing to train. */
  readonly loss:
    | ((root: Scope, x: Sequences, outputs: Readonly<Record<string, Value>>, inputs: LossInputs) => LossTerm[])
    | undefined;
  /** The number of targets in a batch for each scale. `inputs` are those of the loss. */
  targets(inputs: Readonly<Record<string, HostTensor>>): Readonly<Record<string, number>>;
}

const tokenLabels: LabelInput = { name: 'labels', dtype: 'int32', shape: (batch, length) => [batch, length] };
const oneEach = (name: string, dtype: DType = 'int32'): LabelInput => ({ name, dtype, shape: (batch) => [batch] });
const IGNORED = -100;

export function encoderHead(options: HeadOptions): EncoderHead {
  const base = { name: options.name, classes: options.classes, problem: options.problem };
  switch (options.name) {
    case 'encoder':
      return {
        ...base,
        labels: [],
        outputs: (root, x) => (options.pooler ? { pooled: pool(root, options, x) } : ({} as Record<string, Value>)),
        loss: undefined,
        targets: () => ({}),
      };
    case 'masked-lm':
      return {
        ...base,
        labels: [tokenLabels],
        outputs: (root, x) => ({ logits: wordLogits(root, options, x) }),
        loss: (root, x, _, inputs) => [{ scale: 'lossScale', perTarget: wordLoss(root, options, x, inputs) }],
        targets: (inputs) => ({ lossScale: countLabels(inputs['labels']!) }),
      };
    case 'pretraining':
      return {
        ...base,
        labels: [tokenLabels, oneEach('sentenceLabels')],
        outputs: (root, x) => ({
          predictionLogits: wordLogits(root, options, x),
          sentenceLogits: classify(root, options, pool(root, options, x)),
        }),
        loss: (root, x, { sentenceLogits }, inputs) => [
          { scale: 'lossScale', perTarget: wordLoss(root, options, x, inputs) },
          classTerm('sentenceScale', sentenceLogits!, inputs.labels['sentenceLabels']!, 0),
        ],
        targets: (inputs) => ({
          lossScale: countLabels(inputs['labels']!),
          sentenceScale: countLabels(inputs['sentenceLabels']!),
        }),
      };
    case 'next-sentence':
    case 'sequence-classification':
      return {
        ...base,
        labels: [textLabels(options)],
        outputs: (root, x) => ({ logits: classify(root, options, pool(root, options, x)) }),
        loss: (_root, _x, { logits }, { labels, smoothing }) => [
          options.problem === 'single_label_classification'
            ? classTerm('lossScale', logits!, labels['labels']!, smoothing)
            : { scale: 'lossScale', perTarget: valuesLoss(options.problem, logits!, labels['labels']!) },
        ],
        targets: ({ labels }) => ({
          lossScale: options.problem === 'single_label_classification' ? countLabels(labels!) : labels!.shape[0]!,
        }),
      };
    case 'token-classification':
      return {
        ...base,
        labels: [tokenLabels],
        outputs: (root, x) => ({
          logits: reshape(classify(root, options, x.rows), [x.batch, x.length, options.labels]),
        }),
        loss: (_root, { rows }, { logits }, { labels, smoothing }) => [
          classTerm(
            'lossScale',
            reshape(logits!, [rows.shape[0]!, options.labels]),
            reshape(labels['labels']!, [rows.shape[0]!]),
            smoothing,
          ),
        ],
        targets: (inputs) => ({ lossScale: countLabels(inputs['labels']!) }),
      };
    case 'question-answering':
      return {
        ...base,
        labels: [oneEach('startPositions'), oneEach('endPositions')],
        outputs: (root, x) => {
          const both = reshape(classify(root, options, x.rows), [x.batch, x.length, 2]);
          const [startLogits, endLogits] = [0, 1].map((i) => reshape(slice(both, 2, i, i + 1), [x.batch, x.length]));
          return { startLogits: startLogits!, endLogits: endLogits! };
        },
        loss: (_root, { length }, { startLogits, endLogits }, { labels, smoothing }) => [
          { scale: 'startScale', perTarget: placeLoss(startLogits!, labels['startPositions']!, length, smoothing) },
          { scale: 'endScale', perTarget: placeLoss(endLogits!, labels['endPositions']!, length, smoothing) },
        ],
        targets: (inputs) => {
          const length = inputs['inputIds']!.shape[1]!;
          const within = ({ data }: HostTensor): number => [...data].filter((place) => place < length).length;
          return { startScale: within(inputs['startPositions']!), endScale: within(inputs['endPositions']!) };
        },
      };
    case 'multiple-choice':
      return {
        ...base,
        labels: [oneEach('labels')],
        isGrouped: true,
        outputs: (root, x, choices) => {
          const scores = classify(root, options, pool(root, options, x));
          return { logits: reshape(scores, choices ?? [x.batch, 1]) };
        },
        loss: (_root, _x, { logits }, { labels, smoothing }) => [
          classTerm('lossScale', logits!, labels['labels']!, smoothing),
        ],
        targets: (inputs) => ({ lossScale: countLabels(inputs['labels']!) }),
      };
  }
}

/** activation(W dropout(x₀) + b), x₀ the row of the first token: [B, D]. */
function pool(root: Scope, { width, poolerDropout, poolerActivation, initStd }: HeadOptions, x: Sequences): Value {
  const first = root.dropout('pooler', firstRows(x), poolerDropout);
  const dense = linear(root.at('pooler'), first, { from: width, to: width, init: normalInit(initStd), bias: true });
  return root.name('pooled', activate(poolerActivation, dense));
}

function classify(root: Scope, { width, labels, dropout, initStd }: HeadOptions, rows: Value): Value {
  return linear(root.at('classifier'), root.dropout('classifier', rows, dropout), {
    from: width,
    to: labels,
    init: normalInit(initStd),
    bias: true,
  });
}

/** The rows that meet the output table: norm(activation(W x + b)). */
function transformed(root: Scope, { width, transform, initStd }: HeadOptions, rows: Value): Value {
  const scope = root.at('mlm');
  const init = normalInit(initStd);
  const dense = linear(scope.at('dense'), rows, { from: width, to: transform.width, init, bias: true });
  return layerNorm(scope.at('norm'), activate(transform.activation, dense), {
    width: transform.width,
    epsilon: transform.normEpsilon,
  });
}

function outputLayer(root: Scope, options: HeadOptions): { readonly table: Value; readonly bias: Value } {
  const { vocabSize, transform, tiedTable, unusedBias, initStd } = options;
  const scope = root.at('mlm');
  const own = (): Value => scope.at('output').parameter('weight', [vocabSize, transform.width], normalInit(initStd));
  if (unusedBias) scope.parameter('unusedBias', [vocabSize], zerosInit, { trainable: false });
  return { table: tiedTable?.(root) ?? own(), bias: scope.parameter('bias', [vocabSize], zerosInit) };
}

function wordLogits(root: Scope, options: HeadOptions, x: Sequences): Value {
  const { table, bias } = outputLayer(root, options);
  const rows = add(matmul(transformed(root, options, x.rows), table, { transposeB: true }), bias);
  return reshape(rows, [x.batch, x.length, options.vocabSize]);
}

function wordLoss(root: Scope, options: HeadOptions, x: Sequences, inputs: LossInputs): Value {
  const { targetPositions, smoothing } = inputs;
  const rows = targetPositions ? rowsAt(x, targetPositions) : x.rows;
  const { table, bias } = outputLayer(root, options);
  const labels = reshape(inputs.labels['labels']!, [rows.shape[0]!]);
  return linearCrossEntropy(transformed(root, options, rows), table, bias, labels, { smoothing });
}

function textLabels({ problem, labels }: HeadOptions): LabelInput {
  if (problem === 'single_label_classification') return oneEach('labels');
  const isOneNumber = problem === 'regression' && labels === 1;
  return { name: 'labels', dtype: 'float32', shape: (batch) => (isOneNumber ? [batch] : [batch, labels]) };
}

/** logits [N, C], labels int32 [N], −100 where there is none. */
function classTerm(scale: string, logits: Value, labels: Value, smoothing: number): LossTerm {
  return {
    scale,
    perTarget: crossEntropy(logits, labels, { smoothing }),
    hits: equal(argmax(logits, 1), labels), // no class is −100
  };
}

/** (z − y)², or of independent classes −y log σ(z) − (1 − y) log(1 − σ(z)); of several numbers or classes the mean. */
function valuesLoss(problem: ProblemType, logits: Value, labels: Value): Value {
  const wanted = reshape(labels, logits.shape);
  if (problem === 'regression') {
    const difference = sub(logits, wanted);
    return mean(mul(difference, difference), [1]);
  }
  // max(z, 0) − z y + log(1 + e^−|z|)
  const positive = maximum(logits, scalarConstant(0));
  const rest = log(add(scalarConstant(1), exp(neg(abs(logits)))));
  return mean(add(sub(positive, mul(logits, wanted)), rest), [1]);
}

/** Half of the cross-entropy of a place among all T positions; places after the end have none. logits [B, T], places int32 [B]. */
function placeLoss(logits: Value, places: Value, length: Dim, smoothing: number): Value {
  const outside = greaterEqual(places, cast(dimSize(length), 'int32'));
  const labels = where(outside, intConstant(IGNORED), maximum(places, intConstant(0)));
  return mul(crossEntropy(logits, labels, { smoothing }), scalarConstant(0.5));
}

/** Labels of a batch that count: those that are not −100. */
export function countLabels({ data }: HostTensor): number {
  return [...data].filter((label) => label !== IGNORED).length;
}
