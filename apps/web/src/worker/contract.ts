import type { HeadStatistics as InspectedStatistics } from '../../../../src/inspect/headStatistics.ts';
import type { HeadSteps as InspectedSteps, Sublayer } from '../../../../src/inspect/headSteps.ts';

/**
 * What the page and its worker say to each other: all computing is in the worker, on `qkv/web`; the page only draws. Everything
 * here can be cloned between threads; large arrays are transferred. Errors cross as `EngineError`.
 */

export type ModelSource =
  /** One that lies beside the page, in `models/<name>/`. */
  | { readonly kind: 'shipped'; readonly name: string }
  /** One that `qkv look` serves, in `served/<name>/`. */
  | { readonly kind: 'served'; readonly name: string }
  /** `org/name[@revision]` of the Hugging Face hub. */
  | { readonly kind: 'hub'; readonly id: string }
  /** A folder dropped on the page or chosen in it, or one .gguf file. */
  | { readonly kind: 'files'; readonly name: string; readonly files: readonly File[] };

export interface Progress {
  readonly what: 'downloading' | 'reading' | 'compiling';
  readonly file?: string;
  readonly bytes?: number;
  readonly total?: number;
}

/** One attention of a model: its maps are [H, T, S]. */
export interface Place {
  /** The path of its values: `<path>.query`, `<path>.weights` …, e.g. `decoder.layers.1.crossAttention`. */
  readonly path: string;
  readonly kind: 'encoder' | 'decoder' | 'cross';
  readonly layer: number;
  readonly heads: number;
}

export interface ModelCard {
  /** Names the open model in later calls. */
  readonly model: number;
  readonly name: string;
  readonly family: string;
  /** Reads (fills masks), continues, or translates. */
  readonly kind: 'encoder' | 'causal' | 'encoder-decoder';
  readonly parameters: number;
  readonly width: number;
  readonly headSize: number;
  readonly vocabSize: number;
  readonly maxLength: number;
  readonly places: readonly Place[];
  /** What a masked word is written as, where the model fills masks. */
  readonly maskToken: string | null;
  readonly maskId: number | null;
  /** Whether a tuned lens lies beside its weights (`tuned-lens.safetensors`). */
  readonly hasTunedLens: boolean;
  /** Texts to begin with: those of the model's folder (`examples.json`), else common ones that it has words for. */
  readonly examples: readonly TextInput[];
}

/** `text` is the source of an encoder-decoder model, whose `target` is its own translation where none is given. */
export interface TextInput {
  readonly text: string;
  readonly target?: string;
  /** The second text of an encoder that knows segments. */
  readonly pair?: string;
  /** The target's tokens, as `Reading.target` gives them, in place of those of `text` or `target`: masked, or another branch. */
  readonly ids?: readonly number[];
}

export interface Token {
  readonly id: number;
  /** As a person reads it; bytes that are no characters as `⟨E4⟩`. Never markup. */
  readonly text: string;
  /** Pieces of one word have one number; special tokens have −1. */
  readonly word: number;
  readonly isSpecial: boolean;
}

/** What a text is to the model. Of an encoder or a decoder alone `target` holds the tokens and `source` is empty. */
export interface Reading {
  readonly source: readonly Token[];
  readonly target: readonly Token[];
  /** Position in `target` of the first token of the second text of a pair; null where there is one text. */
  readonly pairStart: number | null;
}

/** What a person changed. Nothing is changed where a key is left out. */
export interface Edits {
  /** Heads that say nothing (`zero`) or the same at every position (`mean`, over the positions of this text). */
  readonly heads?: readonly { readonly path: string; readonly head: number; readonly how: 'zero' | 'mean' }[];
  /** Keys that nobody may look at: positions of the side, in every layer. */
  readonly hidden?: readonly { readonly side: 'source' | 'target'; readonly position: number }[];
  /** Layers whose feed-forward part adds nothing: `<stack>.layers.<i>`, e.g. `layers.3`. */
  readonly mlps?: readonly string[];
  /** Factor of the scores, in place of 1/√d_k: multiplies it. 1 changes nothing; √d_k takes it away. */
  readonly scoreFactor?: number;
  /** False: no causal mask. */
  readonly causalMask?: boolean;
  /** False: every token is read at position 0. */
  readonly positions?: boolean;
}

export interface AttentionMap {
  readonly place: Place;
  readonly queries: 'source' | 'target';
  readonly keys: 'source' | 'target';
  /** [H, T, S] row-major; the S weights of a query add up to 1. */
  readonly weights: Float32Array;
}

export interface Choice {
  readonly token: Token;
  /** Before temperature and softmax. */
  readonly logit: number;
  readonly probability: number;
}

/** After each of the positions (at each, for an encoder) the likeliest tokens. */
export interface Predictions {
  readonly positions: readonly number[];
  /** Likeliest first. */
  readonly choices: readonly (readonly Choice[])[];
  /** Of the token that is known to come there, at temperature 1, nats; null where none is. Of a masked token it is the text's own. */
  readonly loss: readonly (number | null)[];
}

export type { Sublayer };

/** The numbers of one query in one head, as the library gives them. */
export type HeadSteps = Omit<InspectedSteps, 'place'> & { readonly place: Place };

/** What the model would say after each layer: the residual stream read by the output layer. */
export interface Lens {
  /** Of the tuned lens each stream was translated before. */
  readonly kind: LensKind;
  readonly layers: readonly string[];
  readonly positions: readonly number[];
  /** [layer][position], likeliest first. */
  readonly choices: readonly (readonly (readonly Choice[])[])[];
  /** [layer][position]: entropy of the prediction, nats. */
  readonly entropy: readonly (readonly number[])[];
}

export type LensKind = 'logit' | 'tuned';

/** How one head looks, as the library says it. */
export type HeadStatistics = Omit<InspectedStatistics, 'place'> & { readonly place: Place };

export type AttributionMethod = 'gradient-input' | 'integrated-gradients' | 'rollout' | 'direct-logit';

/** How much each token (or, for `direct-logit`, each head) is behind the choice of `token` at `position`. */
export interface Attribution {
  readonly method: AttributionMethod;
  readonly source: Float32Array;
  readonly target: Float32Array;
  /** Of `direct-logit`: by head and by MLP, and what is left (embedding, biases), which add up to the logit. */
  readonly parts: readonly { readonly name: string; readonly head: number | null; readonly value: number }[];
}

export interface GenerateRequest {
  readonly maxNewTokens: number;
  /** 0: always the likeliest. */
  readonly temperature: number;
  readonly topK?: number;
  readonly beams?: number;
  readonly seed?: number;
}

export interface EngineInfo {
  readonly backend: 'wasm' | 'webgpu';
  /** Why WebGPU, which was asked for, does not compute; null where it does, or was not. */
  readonly refusal: string | null;
  readonly threads: number;
  readonly isCrossOriginIsolated: boolean;
}

/** Each call of a kind replaces an unfinished one of the same kind on the same model: the older rejects with `superseded`. */
export interface Engine {
  info(): Promise<EngineInfo>;
  open(source: ModelSource, onProgress: (progress: Progress) => void): Promise<ModelCard>;
  close(model: number): Promise<void>;
  read(model: number, input: TextInput): Promise<Reading>;
  /** Of the places asked for, or of all. */
  attention(model: number, input: TextInput, edits: Edits, paths?: readonly string[]): Promise<AttentionMap[]>;
  steps(
    model: number,
    input: TextInput,
    edits: Edits,
    at: { path: string; head: number; position: number },
  ): Promise<HeadSteps>;
  predictions(
    model: number,
    input: TextInput,
    edits: Edits,
    options: { top: number; temperature: number },
  ): Promise<Predictions>;
  lens(model: number, input: TextInput, edits: Edits, options: { top: number; kind?: LensKind }): Promise<Lens>;
  statistics(model: number, input: TextInput, edits: Edits): Promise<HeadStatistics[]>;
  /** [layer][position] of ‖residual stream‖₂, by stack. */
  norms(
    model: number,
    input: TextInput,
    edits: Edits,
  ): Promise<{ readonly name: string; readonly norms: Float32Array }[]>;
  attribution(
    model: number,
    input: TextInput,
    edits: Edits,
    at: { method: AttributionMethod; position: number; token: number },
  ): Promise<Attribution>;
  /** Continues, or translates from the first tokens that `ids` gives; `tokens` are the new ones. `onToken` gets the text so far. */
  generate(
    model: number,
    input: TextInput,
    edits: Edits,
    request: GenerateRequest,
    onToken: (text: string) => void,
  ): Promise<{ readonly text: string; readonly tokens: readonly Token[] }>;
  /** Ends a generation that goes on from `ids` after the token that it is at: it resolves with what there is. */
  stop(model: number): Promise<void>;
}

export interface EngineError {
  readonly code: string;
  readonly message: string;
  readonly where?: string;
  readonly got?: string;
  readonly expected?: string;
  readonly hint?: string;
}
