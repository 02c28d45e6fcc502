import type { Runtime } from '../runtime/runtime.ts';
import type { StopSignal } from '../train/task.ts';

/** A text in the two languages that the project speaks. */
export interface Both {
  readonly en: string;
  readonly zh: string;
}

export interface Series {
  readonly name: Both;
  /** `low` and `high` bound the value over the seeds. */
  readonly points: readonly { readonly x: number; readonly y: number; readonly low?: number; readonly high?: number }[];
  /** Drawn dashed: what the theory says, a baseline. */
  readonly isReference?: boolean;
}

export interface Chart {
  readonly name: string;
  readonly title: Both;
  /** `ticks` are where they are wanted: powers of two, say. */
  readonly x: { readonly label: Both; readonly scale: 'linear' | 'log'; readonly ticks?: readonly number[] };
  readonly y: { readonly label: Both; readonly scale: 'linear' | 'log' };
  readonly series: readonly Series[];
}

export interface Table {
  readonly name: string;
  readonly title: Both;
  readonly columns: readonly Both[];
  readonly rows: readonly (readonly (string | number | Both)[])[];
}

/** Numbers in a square, drawn as a heat map: darker is more. */
export interface Matrix {
  readonly name: string;
  readonly title: Both;
  readonly rows: { readonly label: Both; readonly names: readonly string[] };
  readonly columns: { readonly label: Both; readonly names: readonly string[] };
  /** [rows][columns], each from 0 on. */
  readonly values: readonly (readonly number[])[];
}

/** What is claimed, and what was measured. */
export interface Claim {
  readonly text: Both;
  /** The figures that speak for or against it. */
  readonly evidence: Both;
  readonly holds: boolean;
}

/** What an experiment found: plain data, the same for the command line, the documents and the page. */
export interface Findings {
  readonly experiment: string;
  readonly seed: number;
  readonly title: Both;
  /** From a hurried run, which shows how the experiment goes and proves nothing. */
  readonly isQuick?: boolean;
  readonly charts: readonly Chart[];
  readonly matrices?: readonly Matrix[];
  readonly tables: readonly Table[];
  readonly claims: readonly Claim[];
  readonly caveats: readonly Both[];
}

/** What an experiment asks of the machine that it runs on. */
export interface ExperimentHost {
  /** Milliseconds of a clock that only goes forward. */
  now(): number;
  /** The text of a file below data/, e.g. `tang-poems/train.txt`. */
  readText(path: string): Promise<string>;
  /** The most bytes of memory that the process had while it worked, above those before; absent where nobody can tell. */
  readonly peakMemory?: (work: () => Promise<void>) => Promise<number>;
}

export interface ExperimentContext {
  readonly runtime: Runtime;
  readonly seed: number;
  /** For experiments that measure time or read texts. */
  readonly host?: ExperimentHost;
  /** A few steps only, in seconds: for a first look, and for tests. */
  readonly isQuick?: boolean;
  readonly stop?: StopSignal;
  /** `done` from 0 to 1; `note` says in English what is being done. */
  readonly onProgress?: (done: number, note: string) => void;
}

export interface Experiment {
  readonly name: string;
  readonly title: Both;
  /** Runs on two cores within three minutes. */
  run(context: ExperimentContext): Promise<Findings>;
}
