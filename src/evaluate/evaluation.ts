import type { FieldName } from '../data/records.ts';
import type { BleuTokenizer } from '../eval/bleuTokenizers.ts';
import type { EntityScheme } from '../eval/entities.ts';
import type { GenerateOptions } from '../generate/options.ts';
import type { HeadName } from '../models/encoderHead.ts';
import type { Model } from '../models/model.ts';
import type { SentenceEncoder } from '../pretrained/sentenceEncoder.ts';
import type { Measured } from '../train/measureLoss.ts';
import type { Example } from './example.ts';

/** What is evaluated: a model with its weights, a runtime and its tokenizer. */
export interface Subject extends Measured {
  /** How it generates when nothing else is said. */
  readonly generation?: GenerateOptions;
  /** How it makes a vector of a text; the mean of the token vectors when left out. */
  readonly encoder?: SentenceEncoder | undefined;
}

/** Options that act in some kinds of evaluation only, or on some of their metrics. */
export interface KindOptions {
  /** Tokens that the model reads at once, at most: of a text, of a question with a piece of its context, of a window. */
  readonly length?: number;
  /**
   * Of a language model: targets of each window after the first; `length` when left out. Of questions: tokens that a piece of the
   * context has in common with the next; 128 when left out.
   */
  readonly stride?: number;
  /** How targets are written; the model's defaults when left out. */
  readonly generate?: GenerateOptions;
  /** Tokens for BLEU (13a when left out), and for ROUGE in place of its own. */
  readonly tokenize?: BleuTokenizer;
  /** Of chrF: 2 for chrF++. */
  readonly wordOrder?: number;
  /** Of BLEU and chrF: ignore case. */
  readonly lowercase?: boolean;
  /** Which tags make an entity; `conll` when left out. */
  readonly scheme?: EntityScheme;
  /** Of answers; when left out `squad2` where some question has no answer, else `squad1`. */
  readonly rules?: 'squad1' | 'squad2' | 'cmrc2018';
  /** "No answer" is given where log p(none) − log p(best span) is above it; 0 when left out. */
  readonly nullThreshold?: number;
  /** Tokens of an answer at most; 30 when left out. */
  readonly maxAnswerLength?: number;
  /** What is masked besides the token that is asked for: nothing, or the pieces of its word behind it. `token` when left out. */
  readonly mask?: 'token' | 'word-l2r';
}

export interface EvaluateOptions extends KindOptions {
  /** Names of metrics; all that the kind has for the model when left out. */
  readonly metrics?: readonly string[];
  /** Which field of a record is what, by the kind's names (`text`, `label`, …): a name, or a column's number from 1. */
  readonly fields?: Readonly<Record<string, FieldName>>;
  /** Texts, windows or pairs in a batch at most; 32 when left out. */
  readonly batchSize?: number;
  readonly signal?: { throwIfAborted(): void } | undefined;
  /** Called with the number of texts, windows, pairs or target tokens done. */
  readonly onProgress?: ((done: number) => void) | undefined;
}

export interface MetricValue {
  readonly score: number;
  /** What belongs to it, such as a signature or the scores of each label. */
  readonly [detail: string]: unknown;
}

/** What the model said of one record, beside what was right. */
export interface Prediction {
  /** File and line. */
  readonly where: string;
  /** The record's own `id`, where it has one. */
  readonly id?: unknown;
  readonly [name: string]: unknown;
}

export interface Evaluation {
  readonly kind: string;
  readonly examples: number;
  readonly metrics: Readonly<Record<string, MetricValue>>;
  /** What two results must have in common to be comparable, such as lengths and the way of decoding. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Inputs that were cut, since the model reads no more tokens. */
  readonly truncated: number;
  readonly predictions: readonly Prediction[];
}

/** What a kind gets besides subject and examples. */
export interface Asked extends KindOptions {
  readonly metrics: readonly string[];
  readonly running: {
    readonly batchSize: number;
    readonly signal?: { throwIfAborted(): void } | undefined;
    readonly onProgress: (done: number) => void;
  };
}

export type Found = Pick<Evaluation, 'metrics'> &
  Partial<Pick<Evaluation, 'settings' | 'truncated'>> & {
    /** In the order of the examples, without `where` and `id`. */
    readonly predictions: readonly Readonly<Record<string, unknown>>[];
  };

/** A head, or what a model that writes is. */
export type ModelTask = HeadName | 'causal' | 'encoder-decoder';

export interface EvaluationKind {
  /** Models that it is for. */
  readonly models: readonly ModelTask[];
  metricsOf(model: Model): readonly string[];
  /** What a record has: the field's name where nothing else is said. */
  readonly roles: Readonly<Record<string, string>>;
  /** Roles that a record need not have. */
  readonly optional?: readonly string[];
  /** Options that act here, and on which metrics where that is not all. */
  readonly options: Readonly<Partial<Record<keyof KindOptions, readonly string[]>>>;
  evaluate(subject: Subject, examples: readonly Example[], asked: Asked): Promise<Found>;
}
