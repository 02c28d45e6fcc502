import { gradients } from '../autodiff/gradients.ts';
import type { Bindings } from '../base/dim.ts';
import { QkvError } from '../base/errors.ts';
import { type HostTensor, int32, scalar, sizeOf } from '../base/tensor.ts';
import type { Graph } from '../graph/graph.ts';
import { bind } from '../graph/rewrite.ts';
import { reachable } from '../graph/value.ts';
import type { ParameterArena } from '../nn/parameterArena.ts';
import { scalarConstant } from '../ops/leaf.ts';
import type { FlatCall } from '../runtime/flatKernels.ts';
import type { Program, Runtime, Tensors } from '../runtime/runtime.ts';
import { momentsOf, type OptimizerConfig, updateCall } from './optimizer.ts';

export interface TrainStepOptions {
  readonly optimizer: OptimizerConfig;
  /** Largest global norm of the gradient; null: no clipping. */
  readonly clipNorm: number | null;
  /** Sizes of a batch to compile for; without them one program serves all sizes. `B` is the whole batch, over all lanes. */
  readonly bindings?: Bindings;
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
  readonly moments: Readonly<Record<string, Float32Array<SharedArrayBuffer>>>;
  /** Optimizer steps done. */
  step = 0;

  readonly #runtime: Runtime;
  readonly #options: TrainStepOptions;
  readonly #program: Program;
  /** A gradient for each lane; that of the first becomes the sum. */
  readonly #gradients: readonly Float32Array<SharedArrayBuffer>[];
  /** Where later parts go before they are added; made when first needed. */
  readonly #scratch: Float32Array<SharedArrayBuffer>[] = [];
  /** Parts of the arena for each lane, within one group of decay each. */
  readonly #shares: readonly (readonly Range[])[];

  private constructor(
    runtime: Runtime,
    arena: ParameterArena,
    options: TrainStepOptions,
    program: Program,
    lanes: number,
  ) {
    this.arena = arena;
    this.#runtime = runtime;
    this.#options = options;
    this.#program = program;
    this.#gradients = Array.from({ length: lanes }, () => arena.trainedArray());
    this.moments = Object.fromEntries(momentsOf(options.optimizer).map((name) => [name, arena.trainedArray()]));
    this.#shares = sharesOf(arena, runtime.lanes);
  }

  static async create(
    runtime: Runtime,
    loss: Graph,
    arena: ParameterArena,
    options: TrainStepOptions,
  ): Promise<TrainStep> {
    const { bindings = {} } = options;
    const rows = bindings['B'];
    // a static batch that the lanes cannot share evenly stays whole
    const lanes = rows !== undefined && rows % runtime.lanes !== 0 ? 1 : runtime.lanes;
    const sizes = rows === undefined ? bindings : { ...bindings, B: rows / lanes };
    const program = await runtime.compile(bind(lossAndGradients(loss, arena), sizes), { label: 'gradient' });
    return new TrainStep(runtime, arena, options, program, lanes);
  }

  /** The gradient of the last step, before clipping, laid out as the arena. */
  get gradient(): Float32Array<SharedArrayBuffer> {
    return this.#gradients[0]!;
  }

  async run(inputs: StepInputs): Promise<StepResult> {
    const split = inputs.micros.map((micro) => splitRows(micro, this.#gradients.length));
    const busy = Math.max(...split.map((parts) => parts.length));
    const losses = await Promise.all(
      this.#gradients.slice(0, busy).map((_, lane) =>
        this.#gradientOn(
          lane,
          split.map((parts) => parts[lane]),
          inputs,
        ),
      ),
    );
    const gradientNorm = Math.sqrt(await this.#reduce(busy));
    await this.#update(inputs.learningRate, gradientNorm);
    this.step++;
    return { loss: losses.reduce((a, b) => a + b, 0), gradientNorm };
  }

  /** The gradient of one lane's rows of every part, summed in the lane's array; gives their loss. */
  async #gradientOn(lane: number, parts: readonly (Tensors | undefined)[], inputs: StepInputs): Promise<number> {
    const sum = this.#gradients[lane]!;
    let loss = 0;
    let isFirst = true;
    for (const [i, part] of parts.entries()) {
      if (!part) continue;
      const target = isFirst ? sum : (this.#scratch[lane] ??= this.arena.trainedArray());
      const seed = inputs.dropoutSeeds?.[i];
      const feeds: Record<string, HostTensor> = {
        ...this.arena.tensors,
        ...part,
        lossScale: scalar(1 / inputs.targetTokens),
        ...scalars(inputs.scales),
        ...(seed && { dropoutSeed: int32([2], [(seed[0] + lane * 0x9e3779b9) | 0, seed[1] | 0]) }),
      };
      const call = {
        program: this.#program,
        feeds: Object.fromEntries(this.#program.feeds.map((name) => [name, feeds[name]!])),
        into: gradientViews(this.arena, target),
      };
      const [outputs] = await this.#runtime.run([call], lane);
      loss += outputs!['loss']!.data[0]!;
      if (!isFirst) await this.#runtime.runFlat([{ kernel: 'accumulate', sum, part: target }], lane);
      isFirst = false;
    }
    return loss;
  }

  /** Adds the lanes' gradients up in the first; gives the sum of its squares. */
  async #reduce(busy: number): Promise<number> {
    const [total, ...others] = this.#gradients.slice(0, busy) as [Float32Array, ...Float32Array[]];
    const squares = await this.#onShares((range) => [
      ...others.map(
        (part): FlatCall => ({ kernel: 'accumulate', sum: within(total, range), part: within(part, range) }),
      ),
      { kernel: 'sumOfSquares', x: within(total, range) },
    ]);
    return squares.reduce((a, b) => a + b, 0);
  }

  async #update(learningRate: number, gradientNorm: number): Promise<void> {
    const { optimizer, clipNorm } = this.#options;
    // as torch.nn.utils.clip_grad_norm_
    const gradientScale = clipNorm === null ? 1 : Math.min(1, clipNorm / (gradientNorm + 1e-6));
    const whole = { parameter: this.arena.data, gradient: this.gradient, ...this.moments };
    await this.#onShares((range) => {
      const arrays = Object.fromEntries(Object.entries(whole).map(([name, data]) => [name, within(data, range)]));
      return [
        updateCall(optimizer, { arrays, gradientScale, learningRate, decays: range.decays, step: this.step + 1 }),
      ];
    });
  }

  /** Runs work on every range, each lane on its own share; gives all numbers, in order. */
  async #onShares(work: (range: Range) => FlatCall[]): Promise<number[]> {
    const results = await Promise.all(
      this.#shares.map((share, lane) => this.#runtime.runFlat(share.flatMap(work), lane)),
    );
    return results.flat();
  }
}

interface Range {
  readonly start: number;
  readonly end: number;
  readonly decays: boolean;
}

function within(data: Float32Array, { start, end }: Range): Float32Array {
  return data.subarray(start, end);
}

/** The trained part of the arena in as many equal shares as there are lanes, cut where decay ends. */
function sharesOf({ decayLength, trainedLength }: ParameterArena, lanes: number): Range[][] {
  return Array.from({ length: lanes }, (_, lane) => {
    const [from, to] = [lane, lane + 1].map((i) => Math.round((trainedLength * i) / lanes)) as [number, number];
    const ranges = [
      { start: from, end: Math.min(to, decayLength), decays: true },
      { start: Math.max(from, decayLength), end: to, decays: false },
    ];
    return ranges.filter(({ start, end }) => start < end);
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

function gradientViews(arena: ParameterArena, data: Float32Array): Tensors {
  return Object.fromEntries(Object.entries(arena.viewsOf(data)).map(([path, tensor]) => [`gradient.${path}`, tensor]));
}

/** Outputs `loss` and `gradient.<path>` for every trained parameter. */
export function lossAndGradients(loss: Graph, arena: ParameterArena): Graph {
  const value = loss.outputs['loss']!;
  const leaves = reachable([value]).filter(({ op }) => op === 'parameter');
  const parameters = new Map(leaves.map((leaf) => [leaf.attrs['name'] as string, leaf]));
  const trained = arena.trained.map(({ path }) => parameters.get(path)!);
  const all = gradients([{ value, seed: scalarConstant(1) }], trained);
  return {
    outputs: { loss: value, ...Object.fromEntries(arena.trained.map(({ path }, i) => [`gradient.${path}`, all[i]!])) },
    names: loss.names,
  };
}
