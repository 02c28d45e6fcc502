import type { HostTensor } from '../base/tensor.ts';
import type { Reading, Side } from './reading.ts';

/** A head that says nothing (`zero`), or at every position the same, its mean over the positions of this text (`mean`). */
export interface HeadEdit {
  /** The attention, e.g. `decoder.layers.1.crossAttention`; its `context` is what is edited. */
  readonly path: string;
  readonly head: number;
  readonly how: 'zero' | 'mean';
  /** Where; at every position when left out. */
  readonly positions?: readonly number[];
}

/** A key that no query may look at, in any layer. */
export interface HiddenKey {
  readonly side: Side;
  readonly position: number;
}

/** Any named value: set to zero, to its mean over positions, or to given numbers. */
export interface ValueEdit {
  readonly name: string;
  readonly how: 'zero' | 'mean' | 'patch';
  /** Of `patch`: numbers of the value's shape without the batch, as `capture` gives them. */
  readonly value?: HostTensor;
  /** Which heads, of values that have some; all when left out. */
  readonly heads?: readonly number[];
  /** Which positions; all when left out. */
  readonly positions?: readonly number[];
}

/**
 * What is changed in a pass; nothing where a key is left out. All but `positions` and the names of `values` are inputs of
 * a program, so that other edits need no other program.
 */
export interface Edits {
  readonly heads?: readonly HeadEdit[];
  /** A query of a decoder that would see nothing at all sees itself. */
  readonly hidden?: readonly HiddenKey[];
  /** Layers whose feed-forward part adds nothing: `<stack>layers.<i>`, e.g. `layers.3`. */
  readonly mlps?: readonly string[];
  /** Multiplies the scores: 1 changes nothing, √d_k takes 1/√d_k away. */
  readonly scoreFactor?: number;
  /** False: a position of a decoder sees those after it as well. */
  readonly causalMask?: boolean;
  /**
   * False: every token is read at the first position. Tables and sinusoids then add the same row everywhere, rotary
   * positions turn nothing, and T5 has one distance, 0: what is left sees a bag of tokens, but for the causal mask.
   */
  readonly positions?: boolean;
  readonly values?: readonly ValueEdit[];
}

/** A text and what is changed while it is read. */
export interface EditedReading {
  readonly reading: Reading;
  readonly edits: Edits;
}
