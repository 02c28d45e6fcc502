import { dimEquals, symbol } from '../base/dim.ts';
import { float32, type HostTensor, sizeOf } from '../base/tensor.ts';
import { Decoding } from '../generate/decoding.ts';
import { GenerationSession } from '../generate/session.ts';
import { fetch, type Graph } from '../graph/graph.ts';
import { reachable, type Value } from '../graph/value.ts';
import type { GenerativeModel, Model } from '../models/model.ts';
import { Trace } from '../nn/scope.ts';
import { input } from '../ops/leaf.ts';
import { reshape } from '../ops/shape.ts';
import type { Pretrained } from '../pretrained/pretrained.ts';
import { feedLeaves } from '../runtime/checkFeeds.ts';
import type { Runtime, Tensors } from '../runtime/runtime.ts';
import { traceHead } from '../train/objectives.ts';
import { type Comparison, compareTensors, maxAbs } from './comparison.ts';
import { makeSample, padded, type Sample } from './sample.ts';

export interface SelfCheckOptions {
  /** As a share of the largest value of a tensor. */
  readonly tolerance: number;
  /** The oracle in float64 that `runtime` is compared with; without it that is left out. */
  readonly reference?: Runtime | undefined;
}

export interface SelfCheck {
  /** What the model was fed. */
  readonly sample: string;
  readonly comparisons: readonly Comparison[];
  /** What was not, or only in part, checked, and why. */
  readonly notes: readonly string[];
}

/**
 * What must hold of any model, on a short input: step by step with the cache it gives what it gives at once (of what
 * generates), a batch gives what its rows give alone, padding changes nothing, and `runtime` computes what `reference` does.
 */
export async function selfCheck(
  runtime: Runtime,
  { model, arena, tokenizer }: Pick<Pretrained, 'model' | 'arena' | 'tokenizer'>,
  { tolerance, reference }: SelfCheckOptions,
): Promise<SelfCheck> {
  const sample = makeSample(model, tokenizer);
  const on = { model, parameters: arena.tensors, runtime };
  using alone = await compile(on, wholePass(model, false));
  using together = await compile(on, wholePass(model, true));
  const notes: string[] = [];
  const worst = (check: string, pairs: Pairs): Comparison[] =>
    Object.entries(pairs).map(([output, list]) => {
      const kind = /logits$/i.test(output) ? 'logits' : 'hidden states';
      // by the largest of all rows: one number of a row alone may be next to 0
      const scale = Math.max(...list.map(([, expected]) => maxAbs(expected.data)));
      const all = list.map(([own, expected]) =>
        compareTensors({ name: `${check}: ${output}`, kind, limit: tolerance }, own, expected, { scale }),
      );
      return all.reduce((a, b) => (b.ratio > a.ratio ? b : a));
    });

  const comparisons: Comparison[] = [];
  if (model.kind !== 'encoder') {
    comparisons.push(...worst('cached = uncached', await cachedAndNot({ ...on, model }, sample, alone)));
  }
  const alike = cutTo(sample, Math.min(...[...sample.rows, ...sample.targets].map((row) => row.length)));
  comparisons.push(...worst('batch = singles', await batchAndSingles(on, alike, { alone, together: alone })));
  comparisons.push(...worst('padded = not padded', await batchAndSingles(on, sample, { alone, together, most: 3 })));
  if (reference) {
    const part = affordable(alone.graph, sample);
    if (part.note !== undefined) notes.push(part.note);
    if (part.graph) {
      const fed = feeds(model, part.sample);
      const own = await (part.graph === alone.graph ? alone.run(fed) : runOnce(on, part.graph, fed));
      const expected = await runOnce({ ...on, runtime: reference }, part.graph, fed);
      const pairs = Object.keys(expected).map((name) => [name, [[own[name]!, expected[name]!]]] as const);
      comparisons.push(...worst(`${runtime.name} = ${reference.name}`, Object.fromEntries(pairs)));
    }
  }
  return { sample: sample.what, comparisons, notes };
}

interface On<M extends Model = Model> {
  readonly runtime: Runtime;
  readonly model: M;
  readonly parameters: Tensors;
}

/** By output: tensors that should be equal, two by two. */
type Pairs = Readonly<Record<string, readonly (readonly [HostTensor, HostTensor])[]>>;

function cutTo({ what, rows, targets }: Sample, length: number, count: number = rows.length): Sample {
  const cut = (all: readonly (readonly number[])[]) => all.slice(0, count).map((row) => row.slice(0, length));
  return { what, rows: cut(rows), targets: cut(targets) };
}

function single({ what, rows, targets }: Sample, i: number): Sample {
  return { what, rows: [rows[i]!], targets: targets.slice(i, i + 1) };
}

/** A whole pass: what the model's head gives, of an encoder also its last hidden state. */
export function wholePass(model: Model, isPadded: boolean): Graph {
  const trace = new Trace();
  const { root } = trace;
  const [batch, length] = [symbol('B'), symbol('T')];
  const ids = (name: string, extent = length): Value => input(name, 'int32', [batch, extent]);
  if (model.kind === 'encoder') {
    const { outputs } = traceHead(trace.root, model, { padded: isPadded });
    return trace.graph({ ...outputs, output: trace.names.get('output')! });
  }
  const options = (extent = length) => (isPadded ? { mask: ids('attentionMask', extent) } : {});
  let rows: Value;
  if (model.kind === 'causal') {
    const positions = isPadded ? { positions: ids('positions') } : {};
    ({ rows } = model.forward(root, { ids: ids('inputIds'), ...options(), ...positions }));
  } else {
    const source = options(symbol('S'));
    const memory = model.encode(root, { ids: ids('inputIds', symbol('S')), ...source });
    const memoryMask = source.mask ? { memoryMask: source.mask } : {};
    ({ rows } = model.decode(root, { ids: ids('decoderInputIds'), memory, ...memoryMask }));
  }
  return trace.graph({ logits: reshape(model.logits(root, rows), [batch, length, model.vocabSize]) });
}

/** The inputs of `wholePass`: all rows as long as the longest, and `more`. */
function feeds(model: Model, { rows, targets }: Sample, more = 0): Tensors {
  const padId = model.padId ?? 0;
  const side = model.kind === 'causal' ? 'left' : 'right';
  const { ids, mask, positions } = padded(rows, { padId, side, more });
  const isChoice = model.kind === 'encoder' && model.head.name === 'multiple-choice';
  const shaped = (tensor: HostTensor): HostTensor =>
    isChoice ? { ...tensor, shape: [tensor.shape[0]!, 1, tensor.shape[1]!] } : tensor;
  return {
    inputIds: shaped(ids),
    attentionMask: shaped(mask),
    positions,
    ...(model.kind === 'encoder-decoder' && {
      decoderInputIds: padded(started(model.startId, targets), { padId, more }).ids,
    }),
  };
}

function started(startId: number, targets: readonly (readonly number[])[]): number[][] {
  return targets.map((target) => [startId, ...target]);
}

/** A graph, ready to run on the parameters. */
interface Pass extends Disposable {
  readonly graph: Graph;
  run(inputs: Tensors): Promise<Tensors>;
}

async function compile({ runtime, parameters }: On, graph: Graph): Promise<Pass> {
  const program = await runtime.compile(graph, { label: 'check' });
  return {
    graph,
    async run(inputs) {
      const feeds = Object.fromEntries(program.feeds.map((name) => [name, inputs[name] ?? parameters[name]!]));
      const [outputs] = await runtime.run([{ program, feeds }]);
      return outputs!;
    },
    [Symbol.dispose]: () => program[Symbol.dispose](),
  };
}

async function runOnce(on: On, graph: Graph, inputs: Tensors): Promise<Tensors> {
  using pass = await compile(on, graph);
  return await pass.run(inputs);
}

/** Each row in the batch, with at most so many positions of padding after the longest, and each row alone. */
async function batchAndSingles(
  { model }: On,
  sample: Sample,
  { alone, together, most = 0 }: { readonly alone: Pass; readonly together: Pass; readonly most?: number },
): Promise<Pairs> {
  const written = model.kind === 'encoder-decoder' ? started(model.startId, sample.targets) : sample.rows;
  const longest = Math.max(...sample.rows.map((row) => row.length), ...written.map((row) => row.length));
  const batch = await together.run(feeds(model, sample, Math.min(most, model.maxLength - longest)));
  const pairs: Record<string, [HostTensor, HostTensor][]> = {};
  for (const [i, row] of written.entries()) {
    const own = await alone.run(feeds(model, single(sample, i)));
    for (const [name, tensor] of Object.entries(own)) {
      const value = alone.graph.outputs[name]!;
      const isOfTokens = value.shape.length > 1 && dimEquals(value.shape[1]!, symbol('T'));
      const all = batch[name]!;
      const start = model.kind === 'causal' ? all.shape[1]! - row.length : 0;
      (pairs[name] ??= []).push([slice(all, i, isOfTokens ? [start, start + row.length] : undefined), tensor]);
    }
  }
  return pairs;
}

/** [1, …] of row i of a tensor, or the part `from` to `to` of its second axis. */
function slice({ shape, data }: HostTensor, i: number, part?: readonly [number, number]): HostTensor {
  const [from, to] = part ?? [0, shape[1] ?? 1];
  const inner = sizeOf(shape.slice(2));
  const start = i * sizeOf(shape.slice(1));
  const values = (data as Float32Array).slice(start + from * inner, start + to * inner);
  return float32(shape.length > 1 ? [1, to - from, ...shape.slice(2)] : [1], values);
}

/** Scores of the next token: step by step with the cache, all rows together, and of each row at once without. */
async function cachedAndNot(on: On<GenerativeModel>, sample: Sample, alone: Pass): Promise<Pairs> {
  const { model, runtime, parameters } = on;
  const { rows, targets } = sample;
  // of what continues a text the first half is read at once
  const texts = model.kind === 'causal' ? rows : targets;
  const read = texts.map((row) => (model.kind === 'causal' ? Math.ceil(row.length / 2) : 0));
  const steps = Math.min(...texts.map((row, i) => row.length - read[i]!));
  const wanted = { kind: 'logits' } as const;
  const scores: Float32Array[] = [];
  using session = new GenerationSession(runtime, model, parameters);
  const inputs = model.kind === 'causal' ? rows.map((row, i) => row.slice(0, read[i])) : rows;
  const { decoding, scores: first } = await Decoding.start(session, inputs, wanted);
  scores.push(first.logits!.slice());
  for (let step = 0; step < steps; step++) {
    const tokens = Int32Array.from(texts, (row, i) => row[read[i]! + step]!);
    scores.push((await decoding.step(tokens, new Int32Array(tokens.length), wanted)).logits!.slice());
  }
  const width = model.vocabSize;
  const logits: [HostTensor, HostTensor][] = [];
  for (const i of texts.keys()) {
    const whole = (await alone.run(feeds(model, single(sample, i))))['logits']!;
    const start = model.kind === 'causal' ? read[i]! - 1 : 0;
    const cached = float32(
      [1, scores.length, width],
      scores.flatMap((all) => [...all.subarray(i * width, (i + 1) * width)]),
    );
    logits.push([cached, slice(whole, 0, [start, start + scores.length])]);
  }
  return { logits };
}

/** Products and parameters in float64 that take the reference about a minute, and 2 GiB. */
const MAX_PRODUCTS = 5e9;
const MAX_PARAMETERS = 250e6;

/** As much of one whole pass as the reference can do: fewer tokens, then only the first layers. */
export function affordable(
  whole: Graph,
  sample: Sample,
): { readonly graph?: Graph; readonly sample: Sample; readonly note?: string } {
  const cost = (graph: Graph): { perToken: number; parameters: number } => ({
    perToken: reachable(Object.values(graph.outputs))
      .filter(({ op }) => op === 'matmul')
      .flatMap(({ inputs }) => inputs.filter(({ op }) => op === 'parameter'))
      .reduce((sum, { shape }) => sum + sizeOf(shape as number[]), 0),
    parameters: feedLeaves(graph)
      .filter(({ value }) => value.op === 'parameter')
      .reduce((sum, { value }) => sum + sizeOf(value.shape as number[]), 0),
  });
  const tokensFor = (graph: Graph): number => {
    const { perToken, parameters } = cost(graph);
    return parameters > MAX_PARAMETERS ? 0 : Math.min(8, Math.floor(MAX_PRODUCTS / Math.max(1, perToken)));
  };
  const [full, few] = [tokensFor(whole), 2];
  if (full >= few) return { graph: whole, sample: cutTo(sample, full, 1) };
  const all = `all of it is too much for the reference (${cost(whole).parameters} parameters in float64)`;
  const layers = [...whole.names.keys()].filter((name) => /(^|\.)(embedding|residualPost)$/.test(name));
  const deepest = layers.findLast((name) => tokensFor(fetch(whole, [name])) >= few);
  if (deepest === undefined) return { sample, note: `not compared with the reference: ${all}` };
  const graph = fetch(whole, [deepest]);
  return {
    graph,
    sample: cutTo(sample, tokensFor(graph), 1),
    note: `compared with the reference up to ${deepest}: ${all}`,
  };
}
