import type { Sample } from './task.ts';

/** What a run tells while it goes on. */
export type TrainingEvent =
  | { readonly kind: 'notice'; readonly text: string }
  | ({ readonly kind: 'start' } & StartFacts)
  | ({
      readonly kind: 'step';
      readonly logged: boolean;
      readonly steps: number;
      readonly secondsLeft: number;
    } & StepLine)
  | ({ readonly kind: 'validation' } & ValidationLine)
  | { readonly kind: 'saved'; readonly step: number; readonly snapshot: string }
  | ({ readonly kind: 'test' } & TestLine);

export interface StartFacts {
  readonly name: string;
  readonly folder: string;
  readonly family: string;
  readonly parameters: number;
  readonly vocabulary: number;
  /** Steps done before: 0 for a new run. */
  readonly step: number;
  readonly steps: number;
}

/** Lines of metrics.jsonl: of a step, of a validation, of the test at the end. */
export type MetricsLine = StepLine | ValidationLine | TestLine;

export interface StepLine {
  /** Optimizer steps done. */
  readonly step: number;
  /** Mean over the target tokens of the step's batch, in nats, label smoothing included. */
  readonly loss: number;
  /** Of a loss of several terms each. */
  readonly losses?: Readonly<Record<string, number>>;
  readonly learningRate: number;
  /** Before clipping. */
  readonly gradientNorm: number;
  /** Tokens that are not padding, source and target, since the run began. */
  readonly tokens: number;
  /** The same a second: since the last line, validations left out. */
  readonly tokensPerSecond: number;
  /** Since the run began, resumed parts added up. */
  readonly seconds: number;
}

export interface ValidationLine {
  readonly step: number;
  readonly validation: {
    /** Mean over the target tokens of the whole validation part, in nats, without label smoothing. */
    readonly loss: number;
    /** exp(loss), of a loss of several terms that of the words'; of models that predict words */
    readonly perplexity?: number;
    /** The loss of who knows only how frequent each target is: the entropy of these frequencies; absent where targets are no words. */
    readonly unigram?: number;
    /** Of a loss of several terms each. */
    readonly losses?: Readonly<Record<string, number>>;
    /** Share of right answers, of the terms over a few classes. */
    readonly accuracies?: Readonly<Record<string, number>>;
    readonly bleu?: number;
    readonly chrf?: number;
    /** Of heads, by their metrics' names. */
    readonly scores?: Readonly<Record<string, number>>;
    readonly signature?: string;
    /** Sentences that the score is over. */
    readonly sentences?: number;
  };
  readonly isBest: boolean;
  /** As in a step's line. */
  readonly tokens: number;
  readonly samples: readonly Sample[];
  readonly seconds: number;
}

export interface TestLine {
  readonly step: number;
  readonly test: {
    readonly bleu?: number;
    readonly chrf?: number;
    /** Of heads, by their metrics' names. */
    readonly scores?: Readonly<Record<string, number>>;
    readonly signature?: string;
    readonly sentences: number;
  };
  readonly samples: readonly Sample[];
}
