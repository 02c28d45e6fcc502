import { gradients } from '../autodiff/gradients.ts';
import { symbol } from '../base/dim.ts';
import { float32, int32, scalar } from '../base/tensor.ts';
import type { Graph } from '../graph/graph.ts';
import { bind } from '../graph/rewrite.ts';
import type { Value } from '../graph/value.ts';
import { parseGpt2 } from '../models/gpt2.ts';
import type { CausalModel } from '../models/model.ts';
import { ParameterArena } from '../nn/parameterArena.ts';
import { Trace } from '../nn/scope.ts';
import { cast, equal, mul } from '../ops/elementwise.ts';
import { input } from '../ops/leaf.ts';
import { crossEntropy } from '../ops/loss.ts';
import { argmax, sum } from '../ops/reduce.ts';
import { pad, reshape } from '../ops/shape.ts';
import type { Program, Runtime, Tensors } from '../runtime/runtime.ts';
import { TrainStep } from '../train/trainStep.ts';
import { type LabelledSequences, type Measured, optimizer, type SequenceLearner } from './sequenceLearner.ts';

/** GPT-2 without dropout: learned positions, a norm before each block, GELU. */
export interface GptConfig {
  readonly vocabSize: number;
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  /** Rows of the table of positions. */
  readonly maxLength: number;
}

export function gptModel({ vocabSize, width, layers, heads, maxLength }: GptConfig): CausalModel {
  return parseGpt2({
    vocab_size: vocabSize,
    n_positions: maxLength,
    n_embd: width,
    n_layer: layers,
    n_head: heads,
    initializer_range: 0.5 * width ** -0.5,
    embd_pdrop: 0,
    resid_pdrop: 0,
    attn_pdrop: 0,
    tie_word_embeddings: false,
    bos_token_id: null,
    eos_token_id: null,
  });
}

export interface TracedGpt {
  readonly trace: Trace;
  /** Outputs `loss` (a sum times the input `lossScale`) and `hits`. */
  readonly graph: Graph;
  /** [B, T, D] */
  readonly embedding: Value;
  readonly output: Value;
}

/** The whole of a batch: `ids` and `labels` int32 [B, T], `lossScale`. */
export function traceGpt(config: GptConfig): TracedGpt {
  const trace = new Trace();
  const { root } = trace;
  const model = gptModel(config);
  const [batch, length] = [symbol('B'), symbol('T')];
  const { rows } = model.forward(root, { ids: input('ids', 'int32', [batch, length]) });
  const logits = model.logits(root, rows);
  const labels = reshape(input('labels', 'int32', [batch, length]), [logits.shape[0]!]);
  const loss = mul(sum(crossEntropy(logits, labels), [0]), input('lossScale', 'float32', []));
  const hits = sum(cast(equal(argmax(logits, 1), labels), 'float32'), [0]);
  return {
    trace,
    graph: trace.graph({ loss, hits }),
    embedding: trace.names.get('embedding')!,
    output: trace.names.get('output')!,
  };
}

/** The Transformer of a comparison: `TrainStep` on GPT-2, sizes compiled for. */
export class TransformerLearner implements SequenceLearner {
  readonly batch: number;
  readonly length: number;
  readonly arena: ParameterArena;
  readonly #runtime: Runtime;
  readonly width: number;
  readonly #trainStep: TrainStep;
  readonly #measure: Program;
  readonly #reach: Program;

  private constructor(
    runtime: Runtime,
    width: number,
    { batch, length }: Sizes,
    trainStep: TrainStep,
    programs: { readonly measure: Program; readonly reach: Program },
  ) {
    this.batch = batch;
    this.length = length;
    this.arena = trainStep.arena;
    this.#runtime = runtime;
    this.width = width;
    this.#trainStep = trainStep;
    this.#measure = programs.measure;
    this.#reach = programs.reach;
  }

  static async create(
    runtime: Runtime,
    config: GptConfig,
    { batch, length, seed }: Sizes & { seed: number },
  ): Promise<TransformerLearner> {
    const { trace, graph, embedding, output } = traceGpt(config);
    const arena = new ParameterArena(trace.declarations);
    arena.initialise(seed);
    const bindings = { B: batch, T: length };
    const loss = trace.graph({ loss: graph.outputs['loss']! });
    const trainStep = await TrainStep.create(runtime, loss, arena, { optimizer, clipNorm: 1, bindings });
    const { width } = config;
    const bound = bind(trace.graph({ output, embedding }), bindings);
    const toEmbedding = gradients(
      [{ value: bound.outputs['output']!, seed: pad(input('seed', 'float32', [batch, 1, width]), 1, length - 1, 0) }],
      [bound.outputs['embedding']!],
    )[0]!;
    const [measure, reach] = await Promise.all([
      runtime.compile(bind(graph, bindings), { label: 'transformer measure' }),
      runtime.compile({ outputs: { embedding: toEmbedding }, names: new Map() }, { label: 'transformer reach' }),
    ]);
    return new TransformerLearner(runtime, width, { batch, length }, trainStep, { measure, reach });
  }

  async step(sequences: LabelledSequences, learningRate: number): Promise<number> {
    const { loss } = await this.#trainStep.run({
      micros: [this.#tensors(sequences)],
      targetTokens: targetsOf(sequences),
      learningRate,
    });
    return loss;
  }

  async measure(sequences: LabelledSequences): Promise<Measured> {
    const targets = targetsOf(sequences);
    const feeds = { ...this.arena.tensors, ...this.#tensors(sequences), lossScale: scalar(1 / targets) };
    const { loss, hits } = await this.#run(this.#measure, feeds);
    return { loss: loss!.data[0]!, accuracy: hits!.data[0]! / targets };
  }

  async reach(ids: Int32Array, seed: Float32Array): Promise<number[]> {
    const feeds = {
      ...this.arena.tensors,
      ids: int32([this.batch, this.length], ids),
      seed: float32([this.batch, 1, this.width], seed),
    };
    const { data } = (await this.#run(this.#reach, feeds))['embedding']!;
    return Array.from({ length: this.length }, (_, t) => {
      let squares = 0;
      for (let b = 0; b < this.batch; b++) {
        const start = (b * this.length + t) * this.width;
        for (const x of data.subarray(start, start + this.width)) squares += x * x;
      }
      return Math.sqrt(squares / (this.batch * this.width));
    });
  }

  async #run(program: Program, feeds: Tensors): Promise<Tensors> {
    const own = Object.fromEntries(program.feeds.map((name) => [name, feeds[name]!]));
    const [outputs] = await this.#runtime.run([{ program, feeds: own }]);
    return outputs!;
  }

  #tensors({ ids, labels }: LabelledSequences): Tensors {
    const shape = [this.batch, this.length];
    return { ids: int32(shape, ids), labels: int32(shape, labels) };
  }

  [Symbol.dispose](): void {
    this.#measure[Symbol.dispose]();
    this.#reach[Symbol.dispose]();
  }
}

interface Sizes {
  readonly batch: number;
  readonly length: number;
}

function targetsOf({ labels }: LabelledSequences): number {
  return labels.reduce((count, label) => count + (label < 0 ? 0 : 1), 0);
}
