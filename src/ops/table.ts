import type { Value } from '../graph/value.ts';
import { type ActivationOps, activationOps } from './activation.ts';
import { type ElementwiseOps, elementwiseOps } from './elementwise.ts';
import { type GatherOps, gatherOps } from './gather.ts';
import { type LeafOps, leafOps } from './leaf.ts';
import { type LossOps, lossExpansions, lossOps } from './loss.ts';
import { type MatmulOps, matmulOps } from './matmul.ts';
import { type NormOps, normOps } from './norm.ts';
import { type RandomOps, randomOps } from './random.ts';
import type { OpRecord, OpTable } from './record.ts';
import { type ReduceOps, reduceOps } from './reduce.ts';
import { type ShapeOps, shapeOps } from './shape.ts';
import { type SoftmaxOps, softmaxOps } from './softmax.ts';
import { type TopKOps, topKOps } from './topK.ts';

/** Operators that a runtime computes; each has a lowering and a reference kernel. */
export interface PrimitiveOps
  extends LeafOps,
    ElementwiseOps,
    ShapeOps,
    ReduceOps,
    MatmulOps,
    SoftmaxOps,
    NormOps,
    ActivationOps,
    GatherOps,
    RandomOps,
    TopKOps {}

/** Operators that are an expression of primitives, with a derivative of their own. */
export interface CompositeOps extends LossOps {}

/** The closed table of all operators and their attributes. */
export interface Ops extends PrimitiveOps, CompositeOps {}

export type OpName = keyof Ops;
export type PrimitiveName = keyof PrimitiveOps;

export const ops: OpTable<Ops> = {
  ...leafOps,
  ...elementwiseOps,
  ...shapeOps,
  ...reduceOps,
  ...matmulOps,
  ...softmaxOps,
  ...normOps,
  ...activationOps,
  ...gatherOps,
  ...randomOps,
  ...topKOps,
  ...lossOps,
};

export function recordOf(value: Value): OpRecord<unknown> {
  const record = ops[value.op as OpName];
  if (!record) throw new Error(`qkv defect: no operator ${value.op}`);
  return record as OpRecord<unknown>;
}

export const expansions: {
  readonly [K in keyof CompositeOps]: (inputs: readonly Value[], attrs: CompositeOps[K]) => Value;
} = {
  ...lossExpansions,
};
