import type { Dim } from '../base/dim.ts';
import type { KeyMap } from '../checkpoint/keyMap.ts';
import type { Value } from '../graph/value.ts';
import type { KeyValue } from '../nn/attention.ts';
import type { Scope } from '../nn/scope.ts';
import type { Sequences } from '../nn/sequences.ts';

/** Sizes of a key-value cache: each layer keeps keys and values of [B, heads, P, headSize]. */
export interface CacheShape {
  readonly layers: number;
  readonly heads: number;
  readonly headSize: number;
}

export interface PastInputs {
  readonly layers: readonly KeyValue[];
  readonly length: Dim;
}

interface ModelBase {
  /** `model_type` of config.json. */
  readonly family: string;
  /** What `config.json` says of this model. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly keyMap: KeyMap;
  readonly vocabSize: number;
  readonly maxLength: number;
  readonly padId: number | null;
  readonly eosId: number | null;
  readonly cache: CacheShape;
  /** Scores of the next token: rows [N, D] → [N, V]. */
  logits(root: Scope, rows: Value): Value;
  /** Cross-entropy of labels int32 [N] from rows [N, D]: [N], 0 where the label is −100. */
  labelLoss(root: Scope, rows: Value, labels: Value, smoothing: number): Value;
}

/** Reads a source as a whole and writes a target word by word. */
export interface EncoderDecoderModel extends ModelBase {
  readonly kind: 'encoder-decoder';
  readonly sourceVocabSize: number;
  readonly startId: number;
  encode(root: Scope, inputs: { readonly ids: Value; readonly mask?: Value }): Sequences;
  /**
   * ids int32 [B, T]. Each sees the P positions of the past and those up to itself, unless `visible`, int32 [B, T, P + T],
   * says for every pair what is seen (1). positions int32 [B, T] where they are not P, P + 1, …
   */
  decode(
    root: Scope,
    inputs: {
      readonly ids: Value;
      readonly memory: Sequences | readonly KeyValue[];
      readonly memoryMask?: Value;
      readonly past?: PastInputs;
      readonly visible?: Value;
      readonly positions?: Value;
    },
  ): Sequences & { readonly self: readonly KeyValue[]; readonly cross: readonly KeyValue[] };
}

/** Continues a text. */
export interface CausalModel extends ModelBase {
  readonly kind: 'causal';
  readonly bosId: number | null;
  /**
   * ids int32 [B, T]; mask int32 [B, P + T], 1 at real tokens, where there is padding; or `visible`, int32 [B, T, P + T],
   * which says for every pair what is seen (1), instead of that and of the order; positions int32 [B, T] where they are
   * not P, P + 1, …
   */
  forward(
    root: Scope,
    inputs: {
      readonly ids: Value;
      readonly mask?: Value;
      readonly visible?: Value;
      readonly positions?: Value;
      readonly past?: PastInputs;
    },
  ): Sequences & { readonly self: readonly KeyValue[] };
}

export type Model = EncoderDecoderModel | CausalModel;
