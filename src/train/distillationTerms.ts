import { type Dim, dimMul } from '../base/dim.ts';
import { QkvError } from '../base/errors.ts';
import { type HostTensor, sizeOf } from '../base/tensor.ts';
import type { Value } from '../graph/value.ts';
import { countLabels, type LossTerm } from '../models/encoderHead.ts';
import type { Model } from '../models/model.ts';
import type { Scope } from '../nn/scope.ts';
import { cast, equal, mul, not } from '../ops/elementwise.ts';
import { intConstant, scalarConstant } from '../ops/leaf.ts';
import { addAll } from '../ops/reduce.ts';
import { reshape } from '../ops/shape.ts';
import { cosineLoss, hardTargetLoss, meanSquaredLoss, softTargetLoss } from './distillation.ts';

/** What a model learns from another one, beside its task. */
export interface Distillation {
  readonly teacher: Model;
  /** T of the soft targets. */
  readonly temperature: number;
  /** What each term counts; one of weight 0 is not computed. `labels` is the loss of the task itself. */
  readonly weights: Readonly<Record<'labels' | DistillationTerm, number>>;
  /** For each layer of the student the teacher's layer that it is compared with, from 0; null: the last with the last. */
  readonly layers: readonly number[] | null;
}

export type DistillationTerm = 'soft' | 'hard' | 'hidden' | 'embeddings';

/** Where the teacher's parameters and values are in the graph of a loss. */
export const TEACHER = 'teacher';

/** A model traced on a batch. */
export interface Pass {
  /** The place of its values. */
  readonly root: Scope;
  /** int32 [N], −100 where there is none; undefined of a head without any. */
  readonly labels: Value | undefined;
  /** int32 [B·T], 1 at real tokens; undefined where all are. */
  mask(): Value | undefined;
  /** [N, C], a row for each label; undefined of a head that has others. */
  logits(): Value | undefined;
  /** The loss of the task. */
  terms(): readonly LossTerm[];
}

/**
 * The terms of a distillation: soft and hard targets at the positions with a label, as DistilBERT's training code has
 * it with `restrict_ce_to_mask`; 1 − cos of hidden states, the mean over the compared layers, and the squared distance
 * of embeddings (TinyBERT, Jiao et al. 2020 section 3, arXiv:1909.10351, without a projection) at all real tokens.
 *
 * @throws QkvError `recipe` for layers that do not exist and a head without classes
 */
export function distillationTerms(distillation: Distillation, student: Pass, teacher: Pass): LossTerm[] {
  const { weights, temperature, layers } = distillation;
  const onLabels = (perTarget: Value): Value => {
    const counts = not(equal(student.labels!, intConstant(-100)));
    return mul(perTarget, cast(counts, 'float32'));
  };
  const mask = student.mask();
  const onTokens = (perToken: Value): Value => (mask ? mul(perToken, cast(mask, 'float32')) : perToken);
  const pairOf = (ours: string, theirs: string): [Value, Value] => [stateOf(student, ours), stateOf(teacher, theirs)];
  const logits = once((): [Value, Value] => [logitsOf(student), logitsOf(teacher)]);
  const losses: Readonly<Record<DistillationTerm, () => Value>> = {
    soft: () => onLabels(softTargetLoss(...logits(), temperature)),
    hard: () => onLabels(hardTargetLoss(...logits())),
    hidden: () => {
      const count = layersOf(student);
      if (layers && layers.length !== count) {
        const expected = `${count}, one for each layer of the student`;
        throw new QkvError('recipe', { where: 'distill.layers', got: `${layers.length} layers`, expected });
      }
      const pairs = layers?.map((theirs, ours) => [ours, theirs]) ?? [[count - 1, layersOf(teacher) - 1]];
      const all = pairs.map(([ours, theirs]) => cosineLoss(...pairOf(layerName(ours!), layerName(theirs!))));
      return onTokens(mul(addAll(all), scalarConstant(1 / all.length)));
    },
    embeddings: () => onTokens(meanSquaredLoss(...pairOf('embedding', 'embedding'))),
  };
  return termsOf(distillation).map((term) => ({
    scale: `${term}Scale`,
    perTarget: losses[term](),
    weight: weights[term],
  }));
}

/** The number of targets in a batch for the scale of each term. */
export function distillationTargets(
  distillation: Distillation,
  inputs: Readonly<Record<string, HostTensor>>,
): Record<string, number> {
  const { labels, attentionMask, inputIds } = inputs;
  const tokens = (): number =>
    attentionMask ? [...attentionMask.data].reduce((sum, one) => sum + one, 0) : sizeOf(inputIds!.shape);
  return Object.fromEntries(
    termsOf(distillation).map((term) => [
      `${term}Scale`,
      term === 'soft' || term === 'hard' ? countLabels(labels!) : tokens(),
    ]),
  );
}

function termsOf({ weights }: Distillation): DistillationTerm[] {
  return (['soft', 'hard', 'hidden', 'embeddings'] as const).filter((term) => weights[term] > 0);
}

/** The rows [N, C] that meet the labels. */
function logitsOf(pass: Pass): Value {
  const logits = pass.labels?.dtype === 'int32' ? pass.logits() : undefined;
  if (logits) return logits;
  throw new QkvError('recipe', {
    where: 'distill: soft, hard',
    got: 'a head without one class for each label',
    expected: 'a model for masked words, one of several classes, or the next word',
  });
}

function layersOf({ root }: Pass): number {
  let count = 0;
  while (root.trace.names.has(root.at(layerName(count)).path)) count++;
  return count;
}

const layerName = (layer: number): string => `layers.${layer}.residualPost`;

/** A named value [B, T, D] as rows [B·T, D]. */
function stateOf({ root }: Pass, name: string): Value {
  const path = root.at(name).path;
  const value = root.trace.names.get(path);
  if (!value) throw new QkvError('recipe', { where: 'distill', got: `no ${path}`, expected: 'a layer of the model' });
  const [batch, length, width] = value.shape as [Dim, Dim, Dim];
  return reshape(value, [dimMul(batch, length), width]);
}

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}
