import type { StartFacts, StepLine, TestLine, ValidationLine } from '../../../../src/train/events.ts';
import type { Reading } from '../worker/contract.ts';

/**
 * What a server of `qkv train --watch` or `qkv look RUN --watch` tells of a run, as server-sent events at `watchEvents`: each
 * message's data is one `WatchEvent` in JSON. A connection begins with `run` and all that has happened; then it is live. A
 * browser that comes back says by `Last-Event-ID` what it has, and gets the rest, or, where the server knows no more of that
 * connection, all again: `run` means "forget what you have".
 */
export type WatchEvent =
  | ({ readonly kind: 'run' } & WatchedRun)
  /** Each logged step, and between them now and then one that is not: see `isLogged`. */
  | ({ readonly kind: 'step' } & WatchedStep)
  | ({ readonly kind: 'validation' } & ValidationLine)
  /** The weights of this step have been looked at with the fixed text; the maps lie at `watchFrame(step)`. */
  | { readonly kind: 'attention'; readonly step: number }
  | { readonly kind: 'saved'; readonly step: number; readonly snapshot: string }
  | { readonly kind: 'notice'; readonly text: string }
  | ({ readonly kind: 'test' } & TestLine)
  /** The run is over; nothing follows, and the listener closes. `reason`: why, or `failed` with the error in words. */
  | { readonly kind: 'end'; readonly reason: WatchedEnd; readonly step: number; readonly message?: string };

export type WatchedEnd = 'steps' | 'minutes' | 'early-stopping' | 'interrupted' | 'failed';

export interface WatchedRun extends Pick<StartFacts, 'name' | 'folder' | 'step'> {
  /** The recipe's task, e.g. `translation`. */
  readonly task: string;
  /** Planned; unknown where the time or the number of epochs is what ends it. */
  readonly steps?: number;
  /** Unknown of a run that another process trains, whose `attention`, `saved`, `notice` and `end` are not told either. */
  readonly family?: string;
  readonly parameters?: number;
  readonly vocabulary?: number;
  /** The fixed text, where attention is looked at. */
  readonly text?: WatchedText;
}

export interface WatchedStep extends StepLine {
  /** False: a value between two lines of metrics.jsonl, for the display of the moment; the next one replaces it. */
  readonly isLogged: boolean;
  /** Steps planned, and the seconds that they will take; left out of steps that were read from a file. */
  readonly steps?: number;
  readonly secondsLeft?: number;
}

/** The fixed text and where its maps are in a frame. */
export interface WatchedText extends Pick<Reading, 'source' | 'target'> {
  /** By kind, then by layer. */
  readonly maps: readonly WatchedMap[];
}

export interface WatchedMap {
  /** The path of the attention, e.g. `decoder.layers.1.crossAttention`. */
  readonly path: string;
  readonly kind: 'encoder' | 'decoder' | 'cross';
  readonly layer: number;
  /** [H, T, S], row-major. */
  readonly shape: readonly [number, number, number];
  /** Of its first number in a frame, which is float32, little-endian. */
  readonly offset: number;
}

/** Relative to the page. */
export const watchEvents = 'watch/events';

/** A frame: all maps of one step, one behind the other. 404: it was dropped, since a long run keeps only some. */
export function watchFrame(step: number): string {
  return `watch/attention/${step}`;
}
