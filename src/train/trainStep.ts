import { gradients } from '../autodiff/gradients.ts';
import { type Bindings, symbol } from '../base/dim.ts';
import { float32, type HostTensor, int32, scalar } from '../base/tensor.ts';
import type { Graph } from '../graph/graph.ts';
import { bind } from '../graph/rewrite.ts';
import { reachable } from '../graph/value.ts';
import type { ParameterArena } from '../nn/parameterArena.ts';
import { add, div, minimum, mul, sqrt } from '../ops/elementwise.ts';
import { input, scalarConstant } from '../ops/leaf.ts';
import { sum } from '../ops/reduce.ts';
import type { Call, Program, Runtime, Tensors } from '../runtime/runtime.ts';
import { momentsOf, type OptimizerConfig, stepScalars, traceUpdate } from './optimizer.ts';

export interface TrainStepOptions {
  readonly optimizer: OptimizerConfig;
  /** Largest global norm of the gradient; null: no clipping. */
  readonly clipNorm: number | null;
  /** Sizes to compile for; without them one program serves all sizes. */
  readonly bindings?: Bindings;
}

export interface StepInputs {
  /** The parts of the batch, each the loss's inputs but `lossScale` and `dropoutSeed`. */
  readonly micros: readonly Tensors[];
  /** Labels that count, over all parts. */
  readonly targetTokens: number;
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

/** Elements of one call of the optimizer: its arrays stay in the cache while their update is computed. */
const CHUNK = 1 << 18;

/**
 * One optimizer step: gradients of the loss over the parts of a batch, their global norm, clipping, update. All of it is
 * one request to the runtime; parameters, gradients and moments are written in place in shared memory.
 */
export class TrainStep {
  readonly arena: ParameterArena;
  /** Name to array, laid out as the arena: what a snapshot must keep besides the parameters. */
  readonly moments: Readonly<Record<string, Float32Array<SharedArrayBuffer>>>;
  readonly gradient: Float32Array<SharedArrayBuffer>;
  /** Optimizer steps done. */
  step = 0;

  readonly #runtime: Runtime;
  readonly #options: TrainStepOptions;
  readonly #programs: Programs;
  readonly #scratch: Float32Array<SharedArrayBuffer> | undefined;
  readonly #squares: HostTensor;
  readonly #chunks: readonly Chunk[];

  private constructor(
    runtime: Runtime,
    arena: ParameterArena,
    options: TrainStepOptions,
    programs: Programs,
    parts: number,
  ) {
    this.arena = arena;
    this.#runtime = runtime;
    this.#options = options;
    this.#programs = programs;
    this.gradient = arena.trainedArray();
    this.#scratch = parts > 1 ? arena.trainedArray() : undefined;
    this.moments = Object.fromEntries(momentsOf(options.optimizer).map((name) => [name, arena.trainedArray()]));
    this.#chunks = chunksOf(arena);
    this.#squares = float32([this.#chunks.length], new Float32Array(new SharedArrayBuffer(this.#chunks.length * 4)));
  }

  /** `parts`: the largest number of parts that a batch will have. */
  static async create(
    runtime: Runtime,
    loss: Graph,
    arena: ParameterArena,
    options: TrainStepOptions,
    parts = 1,
  ): Promise<TrainStep> {
    const programs = {
      gradient: await runtime.compile(bind(lossAndGradients(loss, arena), options.bindings ?? {}), {
        label: 'gradient',
      }),
      squares: await runtime.compile(traceSquares(), { label: 'gradient norm' }),
      clip: await runtime.compile(traceClip(options.clipNorm), { label: 'clipping' }),
      update: await runtime.compile(traceUpdate(options.optimizer), { label: 'update' }),
      accumulate: parts > 1 ? await runtime.compile(traceAccumulate(), { label: 'accumulation' }) : undefined,
    };
    return new TrainStep(runtime, arena, options, programs, parts);
  }

  async run(inputs: StepInputs): Promise<StepResult> {
    const gradientCalls = inputs.micros.flatMap((micro, i) => this.#gradientCalls(inputs, micro, i));
    const scale = float32([], new Float32Array(new SharedArrayBuffer(4)));
    const calls: Call[] = [
      ...gradientCalls,
      ...this.#chunks.map((chunk, i) => ({
        program: this.#programs.squares,
        feeds: { gradient: view(this.gradient, chunk) },
        into: { squares: float32([1], (this.#squares.data as Float32Array).subarray(i, i + 1)) },
      })),
      { program: this.#programs.clip, feeds: { squares: this.#squares }, into: { scale } },
      ...this.#chunks.map((chunk) => this.#updateCall(chunk, scale, inputs.learningRate)),
    ];
    const outputs = await this.#runtime.run(calls);
    this.step++;
    const losses = inputs.micros.map((_, i) => outputs[gradientIndex(gradientCalls, i)]!['loss']!.data[0]!);
    return {
      loss: losses.reduce((a, b) => a + b, 0),
      gradientNorm: outputs[calls.findIndex(({ program }) => program === this.#programs.clip)]!['norm']!.data[0]!,
    };
  }

  #gradientCalls(inputs: StepInputs, micro: Tensors, index: number): Call[] {
    const target = index === 0 ? this.gradient : this.#scratch!;
    const seeds = inputs.dropoutSeeds;
    const call: Call = {
      program: this.#programs.gradient,
      feeds: pick(this.#programs.gradient, {
        ...this.arena.tensors,
        ...micro,
        lossScale: scalar(1 / inputs.targetTokens),
        ...(seeds && { dropoutSeed: int32([2], [seeds[index]![0] | 0, seeds[index]![1] | 0]) }),
      }),
      into: prefixed(this.arena.viewsOf(target)),
    };
    if (index === 0) return [call];
    const additions = this.#chunks.map((chunk) => ({
      program: this.#programs.accumulate!,
      feeds: { sum: view(this.gradient, chunk), part: view(target, chunk) },
      into: { sum: view(this.gradient, chunk) },
    }));
    return [call, ...additions];
  }

  #updateCall(chunk: Chunk, scale: HostTensor, rate: number): Call {
    const moments = Object.fromEntries(Object.entries(this.moments).map(([name, data]) => [name, view(data, chunk)]));
    const arrays = { parameter: view(this.arena.data, chunk), ...moments };
    const numbers = Object.entries(stepScalars(this.#options.optimizer, this.step, rate, chunk.decays)).map(
      ([name, value]) => [name, scalar(value)],
    );
    return {
      program: this.#programs.update,
      feeds: pick(this.#programs.update, {
        ...arrays,
        gradient: view(this.gradient, chunk),
        gradientScale: scale,
        ...Object.fromEntries(numbers),
      }),
      into: arrays,
    };
  }
}

interface Programs {
  readonly gradient: Program;
  readonly squares: Program;
  readonly clip: Program;
  readonly update: Program;
  readonly accumulate: Program | undefined;
}

interface Chunk {
  readonly start: number;
  readonly end: number;
  readonly decays: boolean;
}

function chunksOf({ decayLength, trainedLength }: ParameterArena): Chunk[] {
  const chunks: Chunk[] = [];
  for (const [from, to, decays] of [
    [0, decayLength, true],
    [decayLength, trainedLength, false],
  ] as const) {
    for (let start = from; start < to; start += CHUNK) chunks.push({ start, end: Math.min(to, start + CHUNK), decays });
  }
  return chunks;
}

function view(data: Float32Array, { start, end }: Chunk): HostTensor {
  return float32([end - start], data.subarray(start, end));
}

/** The place of part i's gradient among the calls: each later part is followed by its additions. */
function gradientIndex(calls: readonly Call[], part: number): number {
  return calls.map(({ into }, i) => (into && !('sum' in into) ? i : -1)).filter((i) => i >= 0)[part]!;
}

function pick(program: Program, tensors: Readonly<Record<string, HostTensor>>): Tensors {
  return Object.fromEntries(program.feeds.map((name) => [name, tensors[name]!]));
}

function prefixed(views: Readonly<Record<string, HostTensor>>): Tensors {
  return Object.fromEntries(Object.entries(views).map(([path, tensor]) => [`gradient.${path}`, tensor]));
}

/** Outputs `loss` and `gradient.<path>` for every trained parameter. */
export function lossAndGradients(loss: Graph, arena: ParameterArena): Graph {
  const value = loss.outputs['loss']!;
  const parameters = new Map(
    reachable([value])
      .filter(({ op }) => op === 'parameter')
      .map((p) => [p.attrs['name'] as string, p]),
  );
  const trained = arena.trained.map(({ path }) => parameters.get(path)!);
  const all = gradients([{ value, seed: scalarConstant(1) }], trained);
  return {
    outputs: { loss: value, ...Object.fromEntries(arena.trained.map(({ path }, i) => [`gradient.${path}`, all[i]!])) },
    names: loss.names,
  };
}

function traceSquares(): Graph {
  const gradient = input('gradient', 'float32', [symbol('N')]);
  return { outputs: { squares: sum(mul(gradient, gradient), [0], true) }, names: new Map() };
}

/** min(1, clipNorm / (norm + 1e-6)), as torch.nn.utils.clip_grad_norm_ */
function traceClip(clipNorm: number | null): Graph {
  const norm = sqrt(sum(input('squares', 'float32', [symbol('C')]), [0]));
  const one = scalarConstant(1);
  const scale =
    clipNorm === null
      ? add(mul(norm, scalarConstant(0)), one)
      : minimum(one, div(scalarConstant(clipNorm), add(norm, scalarConstant(1e-6))));
  return { outputs: { norm, scale }, names: new Map() };
}

function traceAccumulate(): Graph {
  const total = input('sum', 'float32', [symbol('N')]);
  return { outputs: { sum: add(total, input('part', 'float32', [symbol('N')])) }, names: new Map() };
}
