import { QkvError } from '../base/errors.ts';
import { type HostTensor, int32 } from '../base/tensor.ts';
import type { Graph } from '../graph/graph.ts';
import { dedupe } from '../graph/rewrite.ts';
import type { Value } from '../graph/value.ts';
import type { Model } from '../models/model.ts';
import { ModelPrograms } from '../runtime/modelPrograms.ts';
import type { Runtime, Tensors } from '../runtime/runtime.ts';
import { editInputs, hooksOf } from './editInputs.ts';
import type { EditedReading } from './edits.ts';
import { withHooks } from './hooks.ts';
import { type Pass, tracePass } from './pass.ts';
import { checkReading, type Reading } from './reading.ts';

/** What is looked at: a model that a runtime can run. A `GenerationSession` is one. */
export interface Inspected {
  readonly runtime: Runtime;
  readonly model: Model;
  /** By path. */
  readonly parameters: Tensors;
}

/** What is made of a pass. */
export interface PassTask {
  /** A name of its own: a program is compiled once for each. */
  readonly label: string;
  /** Names and outputs are those of the edited pass. Only what is given back is kept. */
  outputs(pass: Pass): Readonly<Record<string, Value>>;
}

/**
 * A model opened for inspection. Its programs are compiled when they are first needed, one for each task, and serve all
 * texts and all edits of heads, layers, keys, masks and scores; each set of `Edits.values` names, and `positions: false`,
 * needs one of its own. Every instrument is a function of it.
 */
export class Inspection implements Disposable {
  readonly runtime: Runtime;
  readonly model: Model;
  /** The pass as the model has it: names, shapes, stacks. */
  readonly pass: Pass;
  readonly #programs: ModelPrograms;

  /** `parameters` that are not on a SharedArrayBuffer are copied to one, the others are read in place. */
  constructor({ runtime, model, parameters }: Inspected) {
    this.runtime = runtime;
    this.model = model;
    this.pass = tracePass(model, { givenPositions: false });
    this.#programs = new ModelPrograms(runtime, parameters);
  }

  /** By path. */
  get parameters(): Tensors {
    return this.#programs.parameters;
  }

  /**
   * One full pass over a batch of readings of equal lengths. The edits of a batch have one `scoreFactor` and one
   * `positions`; a patched value is the same in all of them.
   */
  async run(task: PassTask, batch: readonly EditedReading[], inputs: Tensors = {}): Promise<Tensors> {
    const [first] = batch;
    if (!first) throw new QkvError('usage', { where: 'inspection', got: 'no reading', expected: 'one or more' });
    for (const { reading } of batch) {
      checkReading(this.model, reading);
      checkLength('target', reading.ids, first.reading.ids);
      checkLength('source', reading.sourceIds ?? [], first.reading.sourceIds ?? []);
    }
    const givenPositions = first.edits.positions === false;
    const hooks = hooksOf(batch.map(({ edits }) => edits));
    const label = [task.label, givenPositions && 'positions', ...hooks.map(({ name, how }) => `${how} ${name}`)];
    return this.#programs.run(
      label.filter(Boolean).join(', '),
      () => {
        const pass = withHooks(givenPositions ? tracePass(this.model, { givenPositions }) : this.pass, hooks);
        // a task may name a parameter or an input again
        return dedupe({ outputs: task.outputs(pass), names: new Map() });
      },
      { ...readingInputs(this.model, batch), ...editInputs(this.pass, batch, hooks), ...inputs },
    );
  }

  /** Runs a graph of the model's parameters that is no pass, e.g. its output layer alone. */
  runGraph(label: string, trace: () => Graph, inputs: Tensors): Promise<Tensors> {
    return this.#programs.run(label, () => dedupe(trace()), inputs);
  }

  [Symbol.dispose](): void {
    this.#programs[Symbol.dispose]();
  }
}

function checkLength(side: string, ids: readonly number[], first: readonly number[]): void {
  if (ids.length === first.length) return;
  throw new QkvError('usage', {
    where: `${side} of a batch`,
    got: `${ids.length} tokens and ${first.length}`,
    expected: 'texts of one length',
  });
}

function readingInputs(model: Model, batch: readonly EditedReading[]): Record<string, HostTensor> {
  const rows = (of: (reading: Reading) => readonly number[]): HostTensor => {
    const all = batch.map(({ reading }) => of(reading));
    return int32([all.length, all[0]!.length], all.flat());
  };
  const start = model.kind === 'encoder' ? model.firstPosition : 0;
  const first = (reading: Reading, side: 'ids' | 'sourceIds'): number[] => (reading[side] ?? []).map(() => start);
  return {
    ids: rows(({ ids }) => ids),
    source: rows(({ sourceIds = [] }) => sourceIds),
    segments: rows(({ ids, segments }) => segments ?? ids.map(() => 0)),
    positions: rows((reading) => first(reading, 'ids')),
    sourcePositions: rows((reading) => first(reading, 'sourceIds')),
    keyPositions: int32([batch[0]!.reading.ids.length], first(batch[0]!.reading, 'ids')),
  };
}
