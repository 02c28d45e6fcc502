import type { ParameterArena } from '../nn/parameterArena.ts';

/** Sequences int32 [B, T] and a label for each position; −100 where there is none. */
export interface LabelledSequences {
  readonly ids: Int32Array;
  readonly labels: Int32Array;
}

export interface Measured {
  /** Mean cross-entropy of a label, in nats. */
  readonly loss: number;
  /** Share of the labels that are the most probable token. */
  readonly accuracy: number;
}

/** A model that is trained on batches of one size: what a comparison of two architectures needs of each. */
export interface SequenceLearner extends Disposable {
  /** Of the last layer's output. */
  readonly width: number;
  readonly batch: number;
  readonly length: number;
  readonly arena: ParameterArena;
  /** One step of AdamW, the gradient clipped to norm 1; gives the mean loss before it. */
  step(sequences: LabelledSequences, learningRate: number): Promise<number>;
  measure(sequences: LabelledSequences): Promise<Measured>;
  /**
   * At each position the root of the mean square of ∂(seed · output at the last position) / ∂(embedding there), over the batch and
   * the width: `seed` [B, width] of standard normal numbers makes it the Frobenius norm of that Jacobian, up to a factor.
   */
  reach(ids: Int32Array, seed: Float32Array): Promise<number[]>;
}

export const optimizer = { name: 'adamw', beta1: 0.9, beta2: 0.98, eps: 1e-8, weightDecay: 0 } as const;
