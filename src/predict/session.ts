import { type Dim, dimEquals, symbol } from '../base/dim.ts';
import { QkvError } from '../base/errors.ts';
import { bool, float32, type HostTensor, int32, sizeOf } from '../base/tensor.ts';
import type { Graph } from '../graph/graph.ts';
import type { Value } from '../graph/value.ts';
import type { EncoderModel, Model } from '../models/model.ts';
import { type Scope, Trace } from '../nn/scope.ts';
import type { Sequences } from '../nn/sequences.ts';
import { input } from '../ops/leaf.ts';
import { ModelPrograms } from '../runtime/modelPrograms.ts';
import type { Runtime, Tensors } from '../runtime/runtime.ts';
import { batchesByLength } from './batchesByLength.ts';

/** A text as a model reads it. */
export interface EncoderText {
  readonly ids: readonly number[];
  /** The segment of each token; 0 where it is left out. */
  readonly segments?: readonly number[];
  /** For tasks at some positions: which, from 0 on. */
  readonly positions?: readonly number[];
  /** For tasks with targets: an id for each of the positions. */
  readonly targets?: readonly number[];
}

export interface TaskInputs {
  readonly root: Scope;
  /** The encoder's output. */
  readonly x: Sequences;
  /** int32 [B, T], 1 at real tokens; undefined where there is no padding. */
  readonly mask: Value | undefined;
  /** int32 [B, M], of tasks at some positions; 0 where a text has fewer. */
  readonly positions: Value | undefined;
  /** int32 [B, M], of tasks with targets; 0 where a text has fewer. */
  readonly targets: Value | undefined;
}

/** What is made of an encoder's output. A program for each task and kind of batch is compiled once in a session. */
export interface EncoderTask {
  /** A name of its own in a session. */
  readonly label: string;
  /** Whether it is done at some positions of a text. */
  readonly atPositions?: boolean;
  /** Whether there is a target for each of these positions. */
  readonly hasTargets?: boolean;
  /** By name, of [B, …], [B, T, …] or [B, M, …]. */
  outputs(inputs: TaskInputs): Readonly<Record<string, Value>>;
}

export interface EncoderRunOptions {
  /** Texts in a batch at most; 32 when left out. */
  readonly batchSize?: number;
  readonly signal?: { throwIfAborted(): void } | undefined;
  /** Called with the number of texts done. */
  readonly onProgress?: ((done: number) => void) | undefined;
}

const BATCH_TOKENS = 4096;
const [B, T, M] = ['B', 'T', 'M'].map(symbol) as [Dim, Dim, Dim];

/**
 * An encoder with its weights, ready to run. Texts are sorted by length and cut into batches with little padding, which
 * go to all lanes of the runtime; the results come in the order of the texts.
 */
export class EncoderSession implements Disposable {
  readonly model: EncoderModel;
  readonly #programs: ModelPrograms;
  readonly #graphs = new Map<string, Graph>();

  /**
   * `parameters` by path; those that are not on a SharedArrayBuffer are copied to one, the others are read in place.
   *
   * @throws QkvError `usage` for a model that writes
   */
  constructor(runtime: Runtime, model: Model, parameters: Tensors) {
    if (model.kind !== 'encoder') {
      throw new QkvError('usage', {
        where: 'encoder session',
        got: `a ${model.family} model, which writes`,
        expected: 'an encoder, such as BERT',
      });
    }
    this.model = model;
    this.#programs = new ModelPrograms(runtime, parameters);
  }

  /**
   * The task's outputs for each text, without the batch's axis; of those for each token only the text's own, likewise of
   * those for each position.
   *
   * @throws QkvError `usage` for ids, segments and positions that do not exist, empty texts and those that are too long
   */
  async run(
    task: EncoderTask,
    texts: readonly EncoderText[],
    { batchSize = 32, signal, onProgress }: EncoderRunOptions = {},
  ): Promise<Tensors[]> {
    if (!Number.isSafeInteger(batchSize) || batchSize < 1) {
      throw new QkvError('usage', { where: 'batchSize', got: String(batchSize), expected: 'a whole number from 1 on' });
    }
    texts.forEach((text, i) => {
      checkText(this.model, task, text, `text ${i + 1}`);
    });
    const limits = { size: batchSize, tokens: BATCH_TOKENS };
    const waiting = batchesByLength(
      texts.map(({ ids }) => ids.length),
      limits,
    ).values();
    const results: Tensors[] = new Array(texts.length);
    let done = 0;
    const work = async (_: unknown, lane: number): Promise<void> => {
      for (const indices of waiting) {
        signal?.throwIfAborted();
        const found = await this.#runBatch(
          task,
          indices.map((i) => texts[i]!),
          lane,
        );
        indices.forEach((index, i) => {
          results[index] = found[i]!;
        });
        done += indices.length;
        onProgress?.(done);
      }
    };
    await Promise.all(Array.from({ length: this.#programs.runtime.lanes }, work));
    return results;
  }

  [Symbol.dispose](): void {
    this.#programs[Symbol.dispose]();
  }

  async #runBatch(task: EncoderTask, texts: readonly EncoderText[], lane: number): Promise<Tensors[]> {
    const length = Math.max(...texts.map(({ ids }) => ids.length));
    const most = Math.max(1, ...texts.map(({ positions = [] }) => positions.length));
    const isPadded = texts.some(({ ids }) => ids.length < length);
    const hasSegments = texts.some(({ segments = [] }) => segments.some((segment) => segment !== 0));
    const inputs = {
      inputIds: rows(texts, length, ({ ids }) => ids, this.model.padId ?? 0),
      ...(isPadded && { attentionMask: rows(texts, length, ({ ids }) => ids.map(() => 1)) }),
      ...(hasSegments && { segments: rows(texts, length, ({ segments = [] }) => segments) }),
      ...(task.atPositions && { positions: rows(texts, most, ({ positions = [] }) => positions) }),
      ...(task.hasTargets && { targets: rows(texts, most, ({ targets = [] }) => targets) }),
    };
    const label = [task.label, isPadded && 'padded', hasSegments && 'segments'].filter(Boolean).join(', ');
    const graph = this.#graphs.get(label) ?? traceTask(this.model, task, isPadded, hasSegments);
    this.#graphs.set(label, graph);
    const outputs = await this.#programs.run(label, () => graph, inputs, { lane });
    return texts.map(({ ids, positions = [] }, i) =>
      Object.fromEntries(
        Object.entries(outputs).map(([name, tensor]) => {
          const axis = graph.outputs[name]!.shape[1];
          const is = (dim: Dim): boolean => axis !== undefined && dimEquals(axis, dim);
          return [name, part(tensor, i, is(T) ? ids.length : is(M) ? positions.length : undefined)];
        }),
      ),
    );
  }
}

function traceTask(model: EncoderModel, task: EncoderTask, isPadded: boolean, hasSegments: boolean): Graph {
  const trace = new Trace();
  const tokens = (name: string): Value => input(name, 'int32', [B, T]);
  const mask = isPadded ? tokens('attentionMask') : undefined;
  const x = model.encode(trace.root, {
    ids: tokens('inputIds'),
    ...(mask && { mask }),
    ...(hasSegments && { segments: tokens('segments') }),
  });
  const positions = task.atPositions ? input('positions', 'int32', [B, M]) : undefined;
  const targets = task.hasTargets ? input('targets', 'int32', [B, M]) : undefined;
  return trace.graph(task.outputs({ root: trace.root, x, mask, positions, targets }));
}

/** int32 [texts, length], each row filled up with `fill`. */
function rows(
  texts: readonly EncoderText[],
  length: number,
  of: (text: EncoderText) => readonly number[],
  fill = 0,
): HostTensor {
  const data = new Int32Array(texts.length * length).fill(fill);
  texts.forEach((text, i) => {
    data.set(of(text), i * length);
  });
  return int32([texts.length, length], data);
}

/** Row `index` of the first axis; of the second the first `length`, where that is given. */
function part({ dtype, shape, data }: HostTensor, index: number, length: number | undefined): HostTensor {
  const rest = length === undefined ? shape.slice(1) : [length, ...shape.slice(2)];
  const start = index * sizeOf(shape.slice(1));
  const view = data.subarray(start, start + sizeOf(rest));
  if (dtype === 'bool') return bool(rest, view as Uint8Array);
  return dtype === 'int32' ? int32(rest, view as Int32Array) : float32(rest, view as Float32Array);
}

function checkText(
  model: EncoderModel,
  task: EncoderTask,
  { ids, segments, positions, targets }: EncoderText,
  where: string,
): void {
  const refuse = (got: string, expected: string): never => {
    throw new QkvError('usage', { where, got, expected });
  };
  const outside = (values: readonly number[], end: number): number | undefined =>
    values.find((value) => !Number.isInteger(value) || value < 0 || value >= end);
  if (ids.length === 0) refuse('no token', 'a token or more');
  if (ids.length > model.maxLength) refuse(`${ids.length} tokens`, `at most ${model.maxLength}, the model's positions`);
  const id = outside(ids, model.vocabSize);
  if (id !== undefined) refuse(`id ${id}`, `ids from 0 to ${model.vocabSize - 1}`);
  if (segments) {
    const segment = outside(segments, Math.max(1, model.segments));
    if (segment !== undefined) refuse(`segment ${segment}`, `segments from 0 to ${Math.max(1, model.segments) - 1}`);
    if (segments.length !== ids.length) refuse(`${segments.length} segments`, `${ids.length}, one for each token`);
  }
  if (positions && !task.atPositions) refuse('positions', `none for ${task.label}`);
  if ((targets?.length ?? 0) !== (task.hasTargets ? (positions?.length ?? 0) : 0)) {
    refuse(`${targets?.length ?? 0} targets`, task.hasTargets ? 'one for each position' : `none for ${task.label}`);
  }
  const target = outside(targets ?? [], model.vocabSize);
  if (target !== undefined) refuse(`target ${target}`, `ids from 0 to ${model.vocabSize - 1}`);
  const position = outside(positions ?? [], ids.length);
  if (position !== undefined) refuse(`position ${position}`, `positions from 0 to ${ids.length - 1}`);
}
