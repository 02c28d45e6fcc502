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
  readonly x: { readonly label: Both; readonly scale: 'linear' | 'log' };
  readonly y: { readonly label: Both; readonly scale: 'linear' | 'log' };
  readonly series: readonly Series[];
}

export interface Table {
  readonly name: string;
  readonly title: Both;
  readonly columns: readonly Both[];
  readonly rows: readonly (readonly (string | number | Both)[])[];
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
  readonly charts: readonly Chart[];
  readonly tables: readonly Table[];
  readonly claims: readonly Claim[];
  readonly caveats: readonly Both[];
}

export interface ExperimentContext {
  readonly runtime: Runtime;
  readonly seed: number;
  readonly stop?: StopSignal;
  readonly onProgress?: (done: number, note: string) => void;
}

export interface Experiment {
  readonly name: string;
  readonly title: Both;
  /** Runs on two cores within three minutes. */
  run(context: ExperimentContext): Promise<Findings>;
}
