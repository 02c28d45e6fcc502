import type { HostTensor } from '../base/tensor.ts';
import type { Graph } from '../graph/graph.ts';
import type { FlatCall } from './flatKernels.ts';

/** Tensors by the names of a graph's inputs and parameters, or of its outputs. */
export type Tensors = Readonly<Record<string, HostTensor>>;

export interface ProgramOptions {
  /** A name for messages and profiles. */
  readonly label?: string;
}

/** A graph made ready to run: one compilation, any number of runs, all sizes of its symbols. */
export interface Program extends Disposable {
  readonly label: string;
  /** Names of the inputs and parameters that a run needs. */
  readonly feeds: readonly string[];
  readonly fetches: readonly string[];
}

/** One run of a program. */
export interface Call {
  readonly program: Program;
  /** A tensor for each of `program.feeds`. A tensor on a SharedArrayBuffer is read in place, any other is copied. */
  readonly feeds: Tensors;
  /** Outputs to be written into these tensors (each on a SharedArrayBuffer) instead of being returned. */
  readonly into?: Tensors;
}

/**
 * What runs programs. Implementations: `reference` (pure TypeScript in float64, the oracle), `node` (ONNX Runtime in
 * worker threads), `web`. All pass one conformance suite.
 */
export interface Runtime extends AsyncDisposable {
  readonly name: string;
  /** How many calls can run at once, each on threads of its own. */
  readonly lanes: number;
  compile(graph: Graph, options?: ProgramOptions): Promise<Program>;
  /** Runs the calls one after the other, later ones seeing what earlier ones wrote; gives each call's outputs. */
  run(calls: readonly Call[], lane?: number): Promise<Tensors[]>;
  /** Work on flat arrays on SharedArrayBuffers, one after the other; gives each call's number. */
  runFlat(calls: readonly FlatCall[], lane?: number): Promise<number[]>;
  /**
   * Says that the numbers of these tensors, such as the weights of a model that is not trained, stay as they are until what is given
   * back is disposed. A GPU then takes them once, all else for each run. Engines that read the processor's memory have no use for it.
   */
  keep?(tensors: Iterable<HostTensor>): Disposable;
}
