import type { Dim } from '../base/dim.ts';
import type { KeyMap } from '../checkpoint/keyMap.ts';
import type { Value } from '../graph/value.ts';
import type { KeyValue, PastKeyValue } from '../nn/attention.ts';
import type { LoraPlan } from '../nn/lora.ts';
import type { Scope } from '../nn/scope.ts';
import type { Sequences } from '../nn/sequences.ts';
import type { EncoderHead } from './encoderHead.ts';

/** Sizes of a key-value cache: each layer keeps keys and values of [B, heads, P, headSize]; `heads` are those of keys and values. */
export interface CacheShape {
  readonly layers: number;
  readonly heads: number;
  readonly headSize: number;
}

export interface PastInputs {
  readonly layers: readonly PastKeyValue[];
  readonly length: Dim;
}

/** Token ids int32 [B, S] and, where there is padding, its mask int32 [B, S] (1 at real tokens). */
export interface SourceInputs {
  readonly ids: Value;
  readonly mask?: Value;
  /** int32 [B, S], where they are not what the family makes of the tokens. */
  readonly positions?: Value;
}

export interface DecoderInputs {
  /** int32 [B, T] */
  readonly ids: Value;
  /** The encoder's output, or, per layer, the keys and values that a first call made of it. */
  readonly memory: Sequences | readonly KeyValue[];
  /** int32 [B, S] of the source. */
  readonly memoryMask?: Value;
  /** Keys and values of the positions before, per layer, and how many they are. */
  readonly past?: PastInputs;
  /** int32 [B, T, P + T], 1 where a position of `ids` sees another: in place of the order from left to right. */
  readonly visible?: Value;
  /** int32 [B, T], where they are not P, P + 1, … */
  readonly positions?: Value;
  /** int32 [P + T], of the past and of `ids`, where they are not 0, 1, … */
  readonly keyPositions?: Value;
}

export interface DecoderOutputs extends Sequences {
  readonly self: readonly KeyValue[];
  readonly cross: readonly KeyValue[];
}

export interface CausalInputs {
  /** int32 [B, T] */
  readonly ids: Value;
  /** int32 [B, P + T], 1 at real tokens, where there is padding. */
  readonly mask?: Value;
  /** int32 [B, T, P + T], 1 where a position of `ids` sees another: in place of the mask and of the order. */
  readonly visible?: Value;
  /** int32 [B, T], where they are not P, P + 1, … */
  readonly positions?: Value;
  readonly past?: PastInputs;
}

export interface EncoderInputs extends SourceInputs {
  /** int32 [B, T], the segment of each token (`token_type_ids`); all are of segment 0 where it is left out. */
  readonly segments?: Value;
}

interface ModelBase {
  /** `model_type` of config.json. */
  readonly family: string;
  /** What `config.json` says of this model. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly keyMap: KeyMap;
  /** Low-rank updates of some of its layers; the key map knows nothing of them. */
  readonly lora?: LoraPlan;
  readonly vocabSize: number;
  readonly maxLength: number;
  readonly padId: number | null;
  /** The tokens of which each ends a text; the first is the one that training puts there. */
  readonly eosIds: readonly number[];
}

interface GenerativeBase extends ModelBase {
  readonly cache: CacheShape;
  /** Scores of the next token: rows [N, D] → [N, V]. */
  logits(root: Scope, rows: Value): Value;
  /** Cross-entropy of labels int32 [N] from rows [N, D]: [N], 0 where the label is −100. */
  labelLoss(root: Scope, rows: Value, labels: Value, smoothing: number): Value;
}

/** Reads a source as a whole and writes a target word by word. */
export interface EncoderDecoderModel extends GenerativeBase {
  readonly kind: 'encoder-decoder';
  readonly sourceVocabSize: number;
  readonly startId: number;
  encode(root: Scope, inputs: SourceInputs): Sequences;
  /** Each position sees the past, those up to itself, and the real ones of the source. */
  decode(root: Scope, inputs: DecoderInputs): DecoderOutputs;
}

/** Continues a text. */
export interface CausalModel extends GenerativeBase {
  readonly kind: 'causal';
  readonly bosId: number | null;
  /** Each position sees the past and those up to itself. */
  forward(root: Scope, inputs: CausalInputs): Sequences & { readonly self: readonly KeyValue[] };
}

/** Reads a text as a whole, and has a head that makes something of it; or none, for embeddings. */
export interface EncoderModel extends ModelBase {
  readonly kind: 'encoder';
  readonly bosId: number | null;
  readonly width: number;
  /** Kinds of segments; 0 where the family knows none. */
  readonly segments: number;
  /** The position of a text's first token: 0, or the one after the padding's. */
  readonly firstPosition: number;
  readonly head: EncoderHead;
  /** Every position sees every real one. Names `embedding`, `layers.<i>.…`, `output` [B, T, D]. */
  encode(root: Scope, inputs: EncoderInputs): Sequences;
}

/** What writes text. */
export type GenerativeModel = EncoderDecoderModel | CausalModel;

export type Model = GenerativeModel | EncoderModel;
