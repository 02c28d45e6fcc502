import type { Bindings } from '../base/dim.ts';
import { QkvError } from '../base/errors.ts';
import { type HostTensor, int32, scalar, sizeOf } from '../base/tensor.ts';
import type { Graph } from '../graph/graph.ts';
import { bind } from '../graph/rewrite.ts';
import type { ParameterArena, Placement } from '../nn/parameterArena.ts';
import type { FlatCall } from '../runtime/flatKernels.ts';
import type { Program, Runtime, Tensors } from '../runtime/runtime.ts';
import { lookupNames, type SplitGradient, splitGradients, stepGraph } from './gradientGraph.ts';
import { momentsOf, type OptimizerConfig, updateCall } from './optimizer.ts';

export interface TrainStepOptions {
  readonly optimizer: OptimizerConfig;
  /** Largest global norm of the gradient; null: no clipping. */
  readonly clipNorm: number | null;
  /** Factors of the learning rate by the paths of parameters; 1 where there are none. */
  readonly rates?: ReadonlyMap<string, number>;
  /** Share of the moving average of the weights that each step keeps; null: no average. */
  readonly averageDecay?: number | null;
  /** Sizes of a batch to compile for; without them one program serves all sizes. `B` is the whole batch, over all lanes. */
  readonly bindings?: Bindings;
  /** Inputs of the loss that are the same in every step. */
  readonly constants?: Tensors;
  /** Whether the loss compares the rows of a part with each other: it is computed as a whole, on one lane. */
  readonly isWhole?: boolean;
}

export interface StepInputs {
  /** The parts of the batch that are computed one after the other, each the loss's inputs but `lossScale` and `dropoutSeed`. */
  readonly micros: readonly Tensors[];
  /** Labels that count, over all parts. */
  readonly targetTokens: number;
  /** Other scales of the loss by name, where it has several terms: `lossScales` gives them. */
  readonly scales?: Readonly<Record<string, number>>;
  readonly learningRate: number;
  /** Two words for each part, where the loss has dropout. */
  readonly dropoutSeeds?: readonly (readonly [number, number])[];
}

export interface StepResult {
  /** Mean over the target tokens. */
  readonly loss: number;
  /** Of a loss of several terms each, by the name of its scale. */
  readonly terms: Readonly<Record<string, number>>;
  /** Global norm of the gradient before clipping. */
  readonly gradientNorm: number;
}

/**
 * One optimizer step: gradients of the loss over the parts of a batch, their global norm, clipping, update. On a runtime of
 * several lanes each lane takes its share of the rows, then its share of the parameters; parameters, gradients and moments
 * are shared memory that all of them see. Sums are taken in a fixed order, so a step is a function of its inputs and of the
 * number of lanes.
 */
export class TrainStep {
  readonly arena: ParameterArena;
  /** Name to array, laid out as the arena: what a snapshot must keep besides the parameters. */
  readonly moments: Readonly<Record<string, Float32Array>>;
  /** The moving average of the trained weights, laid out as the arena; it begins with those of the first step. */
  readonly average: Float32Array | undefined;
  /** Optimizer steps done. */
  step = 0;

  readonly #runtime: Runtime;
  readonly #options: TrainStepOptions;
  readonly #loss: Graph;
  readonly #cut: Cut;
  /** The gradient's programs, compiled when first needed. */
  readonly #programs = new Map<Mode, Promise<Program>>();
  /** What the gradient of each trained parameter is made of. */
  readonly #split: readonly SplitGradient[];
  /** A gradient for each lane; that of the first becomes the sum. */
  readonly #gradients: readonly Float32Array[];
  /** Views of each lane's gradient: of what is written whole. */
  readonly #targets: readonly Tensors[];
  /** What lookups added in the last step to tables that are not written whole. */
  #added: readonly TableRows[] = [];
  /** Parts of the arena for each lane, within one group of decay each. */
  readonly #shares: readonly (readonly Range[])[];

  private constructor(runtime: Runtime, arena: ParameterArena, loss: Graph, options: TrainStepOptions, cut: Cut) {
    this.arena = arena;
    this.#runtime = runtime;
    this.#loss = loss;
    this.#options = options;
    this.#cut = cut;
    this.#split = splitGradients(loss, arena);
    this.#gradients = Array.from({ length: cut.lanes }, () => arena.trainedArray());
    const whole = this.#split.flatMap(({ placement, whole }) => (whole ? [placement] : []));
    this.#targets = this.#gradients.map((gradient) => arena.viewsOf(gradient, whole));
    this.moments = Object.fromEntries(momentsOf(options.optimizer).map((name) => [name, arena.trainedArray()]));
    this.average = options.averageDecay == null ? undefined : arena.trainedArray();
    this.#shares = sharesOf(this.#split, arena, runtime.lanes, options.rates ?? new Map());
  }

  static async create(
    runtime: Runtime,
    loss: Graph,
    arena: ParameterArena,
    options: TrainStepOptions,
  ): Promise<TrainStep> {
    const { bindings = {}, isWhole = false } = options;
    const cut = isWhole ? { lanes: 1, sizes: bindings, pieces: 1 } : cutFor(runtime.lanes, bindings);
    const step = new TrainStep(runtime, arena, loss, options, cut);
    // what the first step will need, so that an error in the graph shows here
    await step.#program((cut.pieces ?? cut.lanes) > cut.lanes ? 'add' : 'write');
    return step;
  }

  /** The gradient of the last step, before clipping, laid out as the arena. */
  get gradient(): Float32Array {
    return this.#gradients[0]!;
  }

  async run(inputs: StepInputs): Promise<StepResult> {
    const lanes = this.#gradients.map((): Piece[] => []);
    inputs.micros.forEach((micro, i) => {
      const seed = inputs.dropoutSeeds?.[i];
      const pieces = splitRows(micro, this.#cut.pieces ?? piecesOf(micro, lanes.length));
      pieces.forEach((tensors, k) => {
        const lane = Math.floor((k * lanes.length) / pieces.length);
        lanes[lane]!.push({ tensors, ...(seed && { seed: [seed[0] + k * 0x9e3779b9, seed[1]] }) });
      });
    });
    const busy = lanes.filter((pieces) => pieces.length > 0);
    const found = (await Promise.all(busy.map((pieces, lane) => this.#gradientOn(lane, pieces, inputs)))).flat();
    this.#addRows(found.flatMap(({ rows }) => rows));
    const gradientNorm = Math.sqrt(await this.#reduce(busy.length));
    await this.#update(inputs.learningRate, gradientNorm);
    this.step++;
    const { loss, ...terms } = sumsOf(found.map(({ losses }) => losses));
    return { loss: loss!, terms: withoutPrefix(terms), gradientNorm };
  }

  /** The gradient of one lane's pieces, whole parts summed up in the lane's array; gives the rest of each piece. */
  async #gradientOn(lane: number, pieces: readonly Piece[], inputs: StepInputs): Promise<PieceResult[]> {
    const gradient = this.#gradients[lane]!;
    const targets = this.#targets[lane]!;
    const mode = pieces.length > 1 ? 'add' : 'write';
    const program = await this.#program(mode);
    const common = {
      ...this.arena.tensors,
      ...this.#options.constants,
      ...(mode === 'add' && prefixed('before', targets)),
      lossScale: scalar(inputs.targetTokens === 0 ? 0 : 1 / inputs.targetTokens),
      ...scalars(inputs.scales),
    };
    if (mode === 'add') {
      const whole = this.#shares.flat().filter(({ isWhole }) => isWhole);
      await this.#runtime.runFlat(
        whole.map((range) => ({ kernel: 'zero', x: within(gradient, range) })),
        lane,
      );
    }
    const results: PieceResult[] = [];
    for (const { tensors, seed } of pieces) {
      const feeds: Record<string, HostTensor> = {
        ...common,
        ...tensors,
        ...(seed && { dropoutSeed: int32([2], [seed[0] | 0, seed[1] | 0]) }),
      };
      const call = {
        program,
        feeds: Object.fromEntries(program.feeds.map((name) => [name, feeds[name]!])),
        into: prefixed('gradient', targets),
      };
      const [outputs] = await this.#runtime.run([call], lane);
      results.push(this.#resultOf(outputs!));
    }
    return results;
  }

  /** What a run returns besides the whole parts, which it wrote. */
  #resultOf(outputs: Tensors): PieceResult {
    const losses = Object.keys(this.#loss.outputs).map((name) => [name, outputs[name]!.data[0]!] as const);
    const rows = this.#split.flatMap(({ placement, whole, lookups }) =>
      lookups.map((_, i): TableRows => {
        const names = lookupNames(placement.path, i);
        return {
          placement,
          isAlone: !whole,
          indices: outputs[names.indices]!.data as Int32Array,
          rows: outputs[names.rows]!.data as Float32Array,
        };
      }),
    );
    return { losses: Object.fromEntries(losses), rows };
  }

  /** Adds the rows of lookups to the gradient's tables, in their order. */
  #addRows(added: readonly TableRows[]): void {
    for (const { placement, indices } of this.#added) {
      const { table, width } = this.#table(placement);
      for (const index of indices) table.fill(0, index * width, (index + 1) * width);
    }
    for (const { placement, indices, rows } of added) {
      const { table, width } = this.#table(placement);
      for (const [n, index] of indices.entries()) {
        for (let i = 0; i < width; i++) table[index * width + i]! += rows[n * width + i]!;
      }
    }
    this.#added = added.filter(({ isAlone }) => isAlone);
  }

  /** A table's part of the gradient. */
  #table({ offset, size, shape }: Placement): { readonly table: Float32Array; readonly width: number } {
    return { table: this.gradient.subarray(offset, offset + size), width: size / shape[0]! };
  }

  #program(mode: Mode): Promise<Program> {
    let program = this.#programs.get(mode);
    if (!program) {
      const graph = bind(stepGraph(this.#loss, this.#split, mode), this.#cut.sizes);
      program = this.#runtime.compile(graph, { label: 'gradient' });
      this.#programs.set(mode, program);
    }
    return program;
  }

  /** Adds the lanes' gradients up in the first; gives the sum of its squares. */
  async #reduce(busy: number): Promise<number> {
    const [total, ...others] = this.#gradients.slice(0, busy) as [Float32Array, ...Float32Array[]];
    const squares = await this.#onShares((range) => [
      ...(range.isWhole ? others : []).map(
        (part): FlatCall => ({ kernel: 'accumulate', sum: within(total, range), part: within(part, range) }),
      ),
      { kernel: 'sumOfSquares', x: within(total, range) },
    ]);
    return squares.reduce((a, b) => a + b, 0);
  }

  async #update(learningRate: number, gradientNorm: number): Promise<void> {
    const { optimizer, clipNorm, averageDecay } = this.#options;
    const decay = this.step === 0 ? 0 : averageDecay!;
    // as torch.nn.utils.clip_grad_norm_
    const gradientScale = clipNorm === null ? 1 : Math.min(1, clipNorm / (gradientNorm + 1e-6));
    const whole = { parameter: this.arena.data, gradient: this.gradient, ...this.moments };
    await this.#onShares((range) => {
      const arrays = Object.fromEntries(Object.entries(whole).map(([name, data]) => [name, within(data, range)]));
      const rate = learningRate * range.rate;
      const update = { arrays, gradientScale, learningRate: rate, decays: range.decays, step: this.step + 1 };
      return [
        updateCall(optimizer, update),
        ...(this.average
          ? [{ kernel: 'average' as const, average: within(this.average, range), x: arrays['parameter']!, decay }]
          : []),
      ];
    });
  }

  /** Puts the average in the place of the weights, and the weights in that of the average; the second time as before. */
  exchangeAverage(): void {
    const { average } = this;
    if (!average) return;
    const { data } = this.arena;
    for (let i = 0; i < average.length; i++) {
      const weight = data[i]!;
      data[i] = average[i]!;
      average[i] = weight;
    }
  }

  /** Runs work on every range, each lane on its own share; gives all numbers, in order. */
  async #onShares(work: (range: Range) => FlatCall[]): Promise<number[]> {
    const results = await Promise.all(
      this.#shares.map((share, lane) => this.#runtime.runFlat(share.flatMap(work), lane)),
    );
    return results.flat();
  }
}

type Mode = 'write' | 'add';

/** Rows of a batch that one run computes the gradient of. */
interface Piece {
  readonly tensors: Tensors;
  readonly seed?: readonly [number, number];
}

interface PieceResult {
  readonly losses: Readonly<Record<string, number>>;
  readonly rows: readonly TableRows[];
}

/** Rows [N, …] of a gradient for the rows `indices` [N] of a table. */
interface TableRows {
  readonly placement: Placement;
  /** Whether the table's gradient has nothing else. */
  readonly isAlone: boolean;
  readonly indices: Int32Array;
  readonly rows: Float32Array;
}

/**
 * Token rows that one run takes at most. What a layer writes is then still in the cache when the next layer, or the
 * backward pass, reads it, and memory for activations is bounded however large the batch is. Measured in docs/performance.md.
 */
const ROWS_PER_PIECE = 1024;

interface Cut {
  readonly lanes: number;
  /** Sizes to compile for. */
  readonly sizes: Bindings;
  /** Pieces of a batch, over all lanes; undefined: as its shape has it. */
  readonly pieces: number | undefined;
}

/** For a batch of fixed size, equal pieces: a static program serves one size. A batch that the lanes cannot share evenly stays whole. */
function cutFor(lanes: number, bindings: Bindings): Cut {
  const { B: rows, ...lengths } = bindings;
  if (rows === undefined) return { lanes, sizes: bindings, pieces: undefined };
  if (rows % lanes !== 0) return { lanes: 1, sizes: bindings, pieces: 1 };
  let perPiece = rows / lanes;
  const length = Math.max(1, ...Object.values(lengths));
  for (let size = perPiece; size >= 1; size--) {
    if ((rows / lanes) % size !== 0) continue;
    perPiece = size;
    if (size * length <= ROWS_PER_PIECE) break;
  }
  return { lanes, sizes: { ...bindings, B: perPiece }, pieces: rows / perPiece };
}

/** Pieces of a batch by its shape: as many for each lane, each of at most ROWS_PER_PIECE token rows. */
function piecesOf(batch: Tensors, lanes: number): number {
  const tokens = Math.max(...Object.values(batch).map(({ shape }) => sizeOf(shape)));
  return lanes * Math.ceil(tokens / lanes / ROWS_PER_PIECE);
}

interface Range {
  readonly start: number;
  readonly end: number;
  readonly decays: boolean;
  /** Factor of the learning rate. */
  readonly rate: number;
  /** Whether each lane writes its part of the gradient; otherwise it is only rows, which are added to the first lane's. */
  readonly isWhole: boolean;
}

function within(data: Float32Array, { start, end }: Pick<Range, 'start' | 'end'>): Float32Array {
  return data.subarray(start, end);
}

/** The trained part of the arena in as many equal shares as there are lanes, cut where what is done with it changes. */
function sharesOf(
  split: readonly SplitGradient[],
  { decayLength, trainedLength }: ParameterArena,
  lanes: number,
  rates: ReadonlyMap<string, number>,
): Range[][] {
  const ranges: Range[] = [];
  for (const [i, { placement, whole }] of split.entries()) {
    const { path, offset } = placement;
    const range = { decays: offset < decayLength, rate: rates.get(path) ?? 1, isWhole: whole !== undefined };
    const end = split[i + 1]?.placement.offset ?? trainedLength;
    const last = ranges.at(-1);
    const isAlike = last?.decays === range.decays && last.rate === range.rate && last.isWhole === range.isWhole;
    if (isAlike) ranges[ranges.length - 1] = { ...last, end };
    else ranges.push({ ...range, start: offset, end });
  }
  return Array.from({ length: lanes }, (_, lane) => {
    const [from, to] = [lane, lane + 1].map((i) => Math.round((trainedLength * i) / lanes)) as [number, number];
    return ranges
      .map((range) => ({ ...range, start: Math.max(from, range.start), end: Math.min(to, range.end) }))
      .filter(({ start, end }) => start < end);
  });
}

/** A batch's tensors, which all have the batch as their first axis, cut into `parts` runs of rows; fewer where rows are few. */
export function splitRows(batch: Tensors, parts: number): Tensors[] {
  const [first] = Object.values(batch);
  const rows = first?.shape[0];
  if (rows === undefined || Object.values(batch).some(({ shape }) => shape[0] !== rows)) {
    const got = Object.entries(batch).map(([name, { shape }]) => `${name} [${shape.join(', ')}]`);
    throw new QkvError('shape', {
      where: 'batch',
      got: got.join(', ') || 'no tensors',
      expected: 'tensors with as many rows each',
    });
  }
  const count = Math.min(parts, rows);
  if (count <= 1) return [batch];
  return Array.from({ length: count }, (_, i) => {
    const [from, to] = [Math.round((rows * i) / count), Math.round((rows * (i + 1)) / count)];
    return Object.fromEntries(Object.entries(batch).map(([name, tensor]) => [name, rowsOf(tensor, from, to)]));
  });
}

function rowsOf(tensor: HostTensor, from: number, to: number): HostTensor {
  const size = sizeOf(tensor.shape.slice(1));
  return {
    dtype: tensor.dtype,
    shape: [to - from, ...tensor.shape.slice(1)],
    data: tensor.data.subarray(from * size, to * size),
  };
}

function scalars(values: Readonly<Record<string, number>> = {}): Tensors {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, scalar(value)]));
}

/** By name, over all records, in their order. */
function sumsOf(records: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const record of records) {
    for (const [name, value] of Object.entries(record)) sums[name] = (sums[name] ?? 0) + value;
  }
  return sums;
}

/** `loss.a` → `a` */
function withoutPrefix(terms: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(terms).map(([name, value]) => [name.slice(name.indexOf('.') + 1), value]));
}

function prefixed(prefix: string, views: Tensors): Tensors {
  return Object.fromEntries(Object.entries(views).map(([path, tensor]) => [`${prefix}.${path}`, tensor]));
}
