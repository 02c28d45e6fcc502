import { gradients } from '../autodiff/gradients.ts';
import { sharedFloats } from '../base/sharedFloats.ts';
import { float32, type HostTensor, int32, scalar } from '../base/tensor.ts';
import type { Value } from '../graph/value.ts';
import { ParameterArena } from '../nn/parameterArena.ts';
import { Trace } from '../nn/scope.ts';
import { add, cast, equal, mul } from '../ops/elementwise.ts';
import { input, scalarConstant } from '../ops/leaf.ts';
import { crossEntropy } from '../ops/loss.ts';
import { argmax, sum } from '../ops/reduce.ts';
import type { FlatCall } from '../runtime/flatKernels.ts';
import type { Call, Program, Runtime, Tensors } from '../runtime/runtime.ts';
import { momentsOf, updateCall } from '../train/optimizer.ts';
import { type LstmConfig, lstmLogits, lstmModel, namedStates, stateInputs, timeMajor } from './lstmModel.ts';
import { type LabelledSequences, type Measured, optimizer, type SequenceLearner } from './sequenceLearner.ts';

/**
 * Positions of one program. A graph unrolled over a whole sequence takes ONNX Runtime a time to prepare that grows with the
 * square of its length (0.9 s for 32 positions, 15 s for 256, minutes for 1,024), and one for every length.
 */
const CHUNK = 16;

interface Programs {
  /** States before → after. */
  readonly forward: Program;
  /** The same, and `loss` (a sum) and `hits`. */
  readonly measure: Program;
  /** States before, and the gradient of those after → the gradient of those before; adds to that of the parameters. */
  readonly backward: Program;
  /** The same, from `seed` on the rows instead of the loss, to the gradient of the embedding. */
  readonly reach: Program;
}

/**
 * Trains an LSTM by backpropagation through time, exactly and whole: sequences are cut into chunks; a forward sweep keeps
 * the states between them, the backward sweep takes the chunks from the last to the first, computes each anew from the
 * state before it, and hands the gradient of that state to the chunk before. The chain is one request to the runtime for each
 * lane, and each lane has its share of the sequences.
 */
export class LstmLearner implements SequenceLearner {
  readonly batch: number;
  readonly length: number;
  readonly arena: ParameterArena;
  readonly #runtime: Runtime;
  readonly #config: LstmConfig;
  readonly #programs: Programs;
  readonly #lanes: number;
  readonly #gradients: readonly Float32Array[];
  readonly #moments: Readonly<Record<string, Float32Array>>;
  /** By lane and chunk, what the chunk begins with; then two that gradients of states change places in. */
  readonly #states: readonly (readonly Tensors[])[];
  readonly #stateGradients: readonly (readonly Tensors[])[];
  #step = 0;

  private constructor(
    runtime: Runtime,
    config: LstmConfig,
    sizes: SequenceSizes,
    arena: ParameterArena,
    programs: Programs,
  ) {
    this.batch = sizes.batch;
    this.length = sizes.length;
    this.arena = arena;
    this.#runtime = runtime;
    this.#config = config;
    this.#programs = programs;
    this.#lanes = lanesFor(runtime, sizes.batch);
    const lanes = Array.from({ length: this.#lanes });
    this.#gradients = lanes.map(() => arena.trainedArray());
    this.#moments = Object.fromEntries(momentsOf(optimizer).map((name) => [name, arena.trainedArray()]));
    this.#states = lanes.map(() => Array.from({ length: this.#chunks + 1 }, () => this.#newStates()));
    this.#stateGradients = lanes.map(() => Array.from({ length: 3 }, () => this.#newStates()));
  }

  static async create(
    runtime: Runtime,
    config: LstmConfig,
    sizes: SequenceSizes & { seed: number },
  ): Promise<LstmLearner> {
    const traced = traceChunk(config, sizes.batch / lanesFor(runtime, sizes.batch), chunkOf(sizes.length));
    const arena = new ParameterArena(traced.trace.declarations);
    arena.initialise(sizes.seed);
    const programs = await compile(runtime, traced, arena);
    return new LstmLearner(runtime, config, sizes, arena, programs);
  }

  get width(): number {
    return this.#config.width;
  }

  /** Of the last step, before clipping, laid out as the arena. */
  get gradient(): Float32Array {
    return this.#gradients[0]!;
  }

  async step(sequences: LabelledSequences, learningRate: number): Promise<number> {
    const targets = sequences.labels.reduce((count, label) => count + (label < 0 ? 0 : 1), 0);
    const losses = await this.#onLanes(async (lane) => {
      const gradient = this.#gradients[lane]!;
      await this.#runtime.runFlat([{ kernel: 'zero', x: gradient }], lane);
      const common = { lossScale: scalar(1 / targets), ...this.#into(gradient, 'before') };
      const outputs = await this.#sweep(
        lane,
        this.#programs.backward,
        sequences,
        common,
        this.#into(gradient, 'gradient'),
      );
      return outputs.reduce((total, { loss }) => total + (loss?.data[0] ?? 0), 0);
    });
    await this.#update(learningRate);
    return losses.reduce((a, b) => a + b, 0);
  }

  async measure(sequences: LabelledSequences): Promise<Measured> {
    const targets = sequences.labels.reduce((count, label) => count + (label < 0 ? 0 : 1), 0);
    const sums = await this.#onLanes(async (lane) => {
      const calls = this.#chunkNumbers.map((k) => ({
        ...this.#call(this.#programs.measure, lane, k, sequences, { lossScale: scalar(1 / targets) }),
        into: renamed(this.#states[lane]![k + 1]!, 'next'),
      }));
      return this.#runtime.run(calls, lane);
    });
    const total = (name: string): number => sums.flat().reduce((sum, outputs) => sum + outputs[name]!.data[0]!, 0);
    return { loss: total('loss'), accuracy: total('hits') / targets };
  }

  async reach(ids: Int32Array, seed: Float32Array): Promise<number[]> {
    const { width } = this.#config;
    const rows = this.batch / this.#lanes;
    const chunk = chunkOf(this.length);
    const found = await this.#onLanes(async (lane) => {
      const seeds = (isLast: boolean): HostTensor => {
        const data = new Float32Array(chunk * rows * width);
        if (isLast) data.set(seed.subarray(lane * rows * width, (lane + 1) * rows * width), (chunk - 1) * rows * width);
        return float32([chunk * rows, width], data);
      };
      const sequences = { ids, labels: ids };
      return this.#sweep(lane, this.#programs.reach, sequences, {}, {}, (k) => ({
        seed: seeds(k === this.#chunks - 1),
      }));
    });
    // each lane's outputs are from the last chunk to the first, each [C·B, H]
    return Array.from({ length: this.length }, (_, t) => {
      const k = this.#chunks - 1 - Math.floor(t / chunk);
      let squares = 0;
      for (const outputs of found) {
        const { data } = outputs[k]!['embedding']!;
        for (const x of data.subarray((t % chunk) * rows * width, ((t % chunk) + 1) * rows * width)) squares += x * x;
      }
      return Math.sqrt(squares / (this.batch * width));
    });
  }

  get #chunks(): number {
    return this.length / chunkOf(this.length);
  }

  get #chunkNumbers(): number[] {
    return Array.from({ length: this.#chunks }, (_, k) => k);
  }

  /** Forward to the states before the last chunk, then back; gives the outputs of the backward calls, the last chunk's first. */
  async #sweep(
    lane: number,
    backward: Program,
    sequences: LabelledSequences,
    common: Tensors,
    into: Tensors,
    ofChunk: (k: number) => Tensors = () => ({}),
  ): Promise<Tensors[]> {
    const states = this.#states[lane]!;
    const [zero, ...places] = this.#stateGradients[lane]! as [Tensors, Tensors, Tensors];
    const forwards = this.#chunkNumbers.slice(0, -1).map((k) => ({
      ...this.#call(this.#programs.forward, lane, k, sequences, {}),
      into: renamed(states[k + 1]!, 'next'),
    }));
    const backwards = this.#chunkNumbers.reverse().map((k, i) => {
      const upstream = i === 0 ? zero : places[(i + 1) % 2]!;
      return {
        ...this.#call(backward, lane, k, sequences, { ...common, ...ofChunk(k), ...renamed(upstream, 'upstream') }),
        into: { ...into, ...renamed(places[i % 2]!, 'back') },
      };
    });
    const outputs = await this.#runtime.run([...forwards, ...backwards], lane);
    return outputs.slice(forwards.length);
  }

  #call(program: Program, lane: number, k: number, { ids, labels }: LabelledSequences, extra: Tensors): Call {
    const chunk = chunkOf(this.length);
    const rows = this.batch / this.#lanes;
    const part = (data: Int32Array): HostTensor => {
      const cut = new Int32Array(rows * chunk);
      for (let b = 0; b < rows; b++) {
        const start = (lane * rows + b) * this.length + k * chunk;
        cut.set(data.subarray(start, start + chunk), b * chunk);
      }
      return int32([rows, chunk], cut);
    };
    const feeds: Tensors = {
      ...this.arena.tensors,
      ...renamed(this.#states[lane]![k]!, 'state'),
      ids: part(ids),
      labels: part(labels),
      ...extra,
    };
    return { program, feeds: Object.fromEntries(program.feeds.map((name) => [name, feeds[name]!])) };
  }

  #into(gradient: Float32Array, prefix: string): Tensors {
    const views = this.arena.viewsOf(gradient);
    return Object.fromEntries(Object.entries(views).map(([path, view]) => [`${prefix}.${path}`, view]));
  }

  async #update(learningRate: number): Promise<void> {
    const [gradient, ...others] = this.#gradients as [Float32Array, ...Float32Array[]];
    const sums = others.map((part): FlatCall => ({ kernel: 'accumulate', sum: gradient, part }));
    const squares = await this.#runtime.runFlat([...sums, { kernel: 'sumOfSquares', x: gradient }]);
    const gradientScale = Math.min(1, 1 / (Math.sqrt(squares.at(-1)!) + 1e-6));
    const parameter = this.arena.data.subarray(0, this.arena.trainedLength);
    const arrays = { parameter, gradient, ...this.#moments };
    const update = { arrays, gradientScale, learningRate, decays: false, step: ++this.#step };
    await this.#runtime.runFlat([updateCall(optimizer, update)]);
  }

  #onLanes<T>(work: (lane: number) => Promise<T>): Promise<T[]> {
    return Promise.all(Array.from({ length: this.#lanes }, (_, lane) => work(lane)));
  }

  #newStates(): Tensors {
    const { layers, width } = this.#config;
    const rows = this.batch / this.#lanes;
    const zero = (): HostTensor => float32([rows, width], sharedFloats(rows * width));
    return Object.fromEntries(
      Array.from({ length: layers }, (_, i) => [
        [`.${i}.hidden`, zero()],
        [`.${i}.cell`, zero()],
      ]).flat(),
    );
  }

  [Symbol.dispose](): void {
    for (const program of Object.values(this.#programs) as Program[]) program[Symbol.dispose]();
  }
}

export interface SequenceSizes {
  /** Sequences of a batch; what a runtime of several lanes cannot halve stays on one. */
  readonly batch: number;
  /** Positions of each: up to 16, or a multiple of 16. */
  readonly length: number;
}

function chunkOf(length: number): number {
  return Math.min(length, CHUNK);
}

function lanesFor(runtime: Runtime, batch: number): number {
  return batch % runtime.lanes === 0 ? runtime.lanes : 1;
}

export interface TracedChunk {
  readonly trace: Trace;
  readonly loss: Value;
  readonly hits: Value;
  readonly before: Readonly<Record<string, Value>>;
  readonly after: Readonly<Record<string, Value>>;
  readonly embedding: Value;
  readonly rows: Value;
}

/** One chunk, or a whole sequence, of `length` positions: `ids` and `labels` int32 [B, length], `lossScale`, the states before. */
export function traceChunk(config: LstmConfig, batch: number, length: number): TracedChunk {
  const trace = new Trace();
  const { root } = trace;
  const states = stateInputs('state', config, batch);
  const pass = lstmModel(root, config, input('ids', 'int32', [batch, length]), states);
  const logits = lstmLogits(root, config, pass.rows);
  const labels = timeMajor(input('labels', 'int32', [batch, length]));
  return {
    trace,
    loss: mul(sum(crossEntropy(logits, labels), [0]), input('lossScale', 'float32', [])),
    hits: sum(cast(equal(argmax(logits, 1), labels), 'float32'), [0]),
    before: namedStates('state', states),
    after: namedStates('next', pass.states),
    embedding: pass.embedding,
    rows: pass.rows,
  };
}

async function compile(runtime: Runtime, traced: TracedChunk, arena: ParameterArena): Promise<Programs> {
  const { trace, loss, hits, before, after, embedding, rows } = traced;
  const make = (label: string, outputs: Readonly<Record<string, Value>>): Promise<Program> =>
    runtime.compile(trace.graph(outputs), { label });
  const upstream = Object.entries(after).map(([name, value]) => ({
    value,
    seed: input(name.replace('next', 'upstream'), 'float32', value.shape),
  }));
  const names = Object.keys(before).map((name) => name.replace('state', 'back'));
  const paths = arena.trained.map(({ path }) => path);
  const parameters = paths.map((path) => trace.parameters.get(path)!.value);
  const all = gradients(
    [{ value: loss, seed: scalarConstant(1) }, ...upstream],
    [...parameters, ...Object.values(before)],
  );
  const sums = parameters.map((value, i): [string, Value] => {
    const soFar = input(`before.${paths[i]}`, 'float32', value.shape);
    return [`gradient.${paths[i]}`, add(soFar, all[i]!)];
  });
  const back = names.map((name, i): [string, Value] => [name, all[parameters.length + i]!]);
  const rowSeed = { value: rows, seed: input('seed', 'float32', rows.shape) };
  const [toEmbedding, ...toStates] = gradients([rowSeed, ...upstream], [embedding, ...Object.values(before)]);
  const [forward, measure, backward, reach] = await Promise.all([
    make('lstm forward', after),
    make('lstm measure', { ...after, loss, hits }),
    make('lstm backward', { loss, ...Object.fromEntries(sums), ...Object.fromEntries(back) }),
    make('lstm reach', {
      embedding: toEmbedding!,
      ...Object.fromEntries(names.map((name, i) => [name, toStates[i]!])),
    }),
  ]);
  return { forward, measure, backward, reach } as Programs;
}

/** `.0.hidden` → `PREFIX.0.hidden` */
function renamed(states: Tensors, prefix: string): Tensors {
  return Object.fromEntries(Object.entries(states).map(([name, tensor]) => [`${prefix}${name}`, tensor]));
}
