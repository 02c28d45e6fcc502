import type { WatchEvent } from '../watch/events.ts';

/* What the page and the worker that trains say to each other. */

export const dataNames = ['shakespeare', 'poems', 'translation', 'own'] as const;
export type DataName = (typeof dataNames)[number];

/** What a person chooses before a run; it stays as it is until the run is over. */
export interface TrainingSettings {
  readonly data: DataName;
  /** The text of `own`; '' of the others. */
  readonly ownText: string;
  /** Of the translator as many in the encoder as in the decoder. */
  readonly layers: number;
  readonly heads: number;
  /** A multiple of 32, which all choices of heads divide. */
  readonly width: number;
  /** Longest sequence, in tokens. */
  readonly block: number;
  /** Sequences of a step; of pairs as many tokens as so many of the longest. */
  readonly batch: number;
  /** Learning rate after a short warmup. */
  readonly rate: number;
  readonly steps: number;
  readonly seed: number;
}

/** What the worker tells of a run. `storage`: whether the last snapshot is kept by the browser, and why not. */
export type TrainingMessage = WatchEvent | { readonly kind: 'storage'; readonly is: StorageState };

/** `absent`: the browser has none for this page. `full`: no space is left. */
export type StorageState = 'kept' | 'absent' | 'full';

/** A run that the browser has kept, as far as its last snapshot. */
export interface KeptRun {
  readonly settings: TrainingSettings;
  readonly step: number;
  readonly events: readonly WatchEvent[];
}

export interface Training {
  kept(): Promise<KeptRun | null>;
  /**
   * Begins a run, in place of a kept one. Fulfilled when it is over or paused, with a snapshot of its last step.
   *
   * Errors: `usage` where another tab trains, `data` for a text that is too short, `run` where the loss is not finite.
   */
  begin(settings: TrainingSettings, tell: (message: TrainingMessage) => void): Promise<'paused' | 'over'>;
  /** Goes on with the paused or the kept run: the steps are those that it would have made without the pause, to the bit. */
  resume(tell: (message: TrainingMessage) => void): Promise<'paused' | 'over'>;
  /** Lets the step at hand end. */
  pause(): Promise<void>;
  /** Forgets the run, in the browser's storage too. */
  discard(): Promise<void>;
  /** The maps of a step that an `attention` event named, one behind the other; null where they were dropped. */
  frame(step: number): Promise<Float32Array | null>;
  /** The model folder of the last snapshot; null before the first. */
  modelFiles(): Promise<{ readonly step: number; readonly files: readonly File[] } | null>;
}
