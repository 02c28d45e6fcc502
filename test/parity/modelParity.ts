import { symbol } from '../../src/base/dim.ts';
import { type HostTensor, int32, scalar } from '../../src/base/tensor.ts';
import { nodeStorage } from '../../src/checkpoint/storage.node.ts';
import { toCheckpoint } from '../../src/checkpoint/toCheckpoint.ts';
import { findValue, type Graph } from '../../src/graph/graph.ts';
import type { CausalModel, EncoderModel, Model } from '../../src/models/model.ts';
import type { ParameterArena } from '../../src/nn/parameterArena.ts';
import { Trace } from '../../src/nn/scope.ts';
import { input } from '../../src/ops/leaf.ts';
import { reshape } from '../../src/ops/shape.ts';
import { loadPretrained } from '../../src/pretrained/pretrained.ts';
import type { Runtime, Tensors } from '../../src/runtime/runtime.ts';
import { lossScales, traceHead, traceLoss } from '../../src/train/objectives.ts';
import { lossAndGradients } from '../../src/train/trainStep.ts';
import { limits, type Measure, maxAbs, relative, relativeToMax } from './measure.ts';
import { type ParityCase, readJson, readTensors, under } from './parityCase.ts';

/** Outputs, loss and every gradient of a case's batch. */
export async function forwardAndGradients(runtime: Runtime, { folder }: ParityCase): Promise<Measure[]> {
  const { model, arena } = await loadPretrained(nodeStorage(folder));
  const expected = await readTensors(folder, 'expected.safetensors');
  const info = await readJson(folder, 'expected.json');
  const inputs = under(expected, 'input.');
  const outputs = under(expected, 'output.');
  const graph = caseGraph(model, inputs);
  const names = valueNames([...outputs.keys()]);
  const found = await runOnce(
    runtime,
    {
      outputs: {
        ...(graph.outputs['loss'] && lossAndGradients(graph, arena).outputs),
        ...Object.fromEntries([...names.values()].map((name) => [name, findValue(graph, name)])),
      },
      names: graph.names,
    },
    { ...lossInputs(model, inputs), ...arena.tensors },
  );
  const measures: Measure[] = [];
  for (const [name, tensor] of outputs) {
    const own = found[names.get(name)!]!;
    if (name === 'loss') {
      const difference = relative(own.data[0]!, tensor.data[0]!);
      measures.push({ kind: 'loss', name, difference, limit: limits.loss });
    } else {
      const difference = relativeToMax(...compared(name, own, tensor, inputs));
      measures.push({ kind: kindOf(name), name, difference, limit: limits.output });
    }
  }
  const zero = Object.keys((info['exact_gradient_is_zero'] ?? {}) as object);
  return [...measures, ...(await compareGradients(model, arena, found, under(expected, 'grad.'), zero))];
}

/** The loss of the case's batch, or, of a model without a head, the pass alone. */
function caseGraph(model: Model, inputs: ReadonlyMap<string, HostTensor>): Graph {
  const options = { padded: inputs.has('attention_mask'), segments: inputs.has('token_type_ids') };
  if (model.kind !== 'encoder' || model.head.loss) {
    return traceLoss(model, { training: false, smoothing: 0, ...options }).graph;
  }
  const trace = new Trace();
  traceHead(trace, model, options);
  return trace.graph({});
}

/** Under the checkpoint's names and in its layouts, tied weights once, as the reference stores them. */
async function compareGradients(
  model: Model,
  arena: ParameterArena,
  found: Tensors,
  expected: ReadonlyMap<string, HostTensor>,
  exactlyZero: readonly string[],
): Promise<Measure[]> {
  const own = await inCheckpoint(model, arena, (path) => found[`gradient.${path}`]!.data as Float32Array);
  const names = new Set([...own.keys(), ...expected.keys()]);
  return [...names].map((name): Measure => {
    const [a, b] = [own.get(name), expected.get(name)];
    // a parameter of the reference on which nothing depends
    if (!a && b && maxAbs(b.data) === 0) return { kind: 'gradients', name, difference: 0, limit: 0 };
    if (!a || !b) {
      const absent = a ? 'not in the reference' : 'not in the model';
      return { kind: 'gradients', name: `${name} (${absent})`, difference: Number.POSITIVE_INFINITY, limit: 0 };
    }
    if (exactlyZero.includes(name)) {
      return { kind: 'gradients', name, difference: maxAbs(a.data), limit: limits.zeroGradient };
    }
    return { kind: 'gradients', name, difference: relativeToMax(a, b), limit: limits.gradient };
  });
}

/** Left padding with its mask and position ids: logits at real tokens. */
export async function leftPadding(runtime: Runtime, { folder }: ParityCase): Promise<Measure[]> {
  const { model, arena } = await loadPretrained(nodeStorage(folder));
  if (model.kind !== 'causal') throw new Error('left padding is for models that continue a text');
  const left = under(await readTensors(folder, 'expected.safetensors'), 'left.');
  const feeds = {
    ids: left.get('input_ids')!,
    mask: left.get('attention_mask')!,
    positions: left.get('position_ids')!,
  };
  const found = await runOnce(runtime, traceLogits(model, Object.keys(feeds)), { ...feeds, ...arena.tensors });
  const logits = zeroedWhere(found['logits']!, feeds.mask);
  const difference = relativeToMax(logits, left.get('logits')!);
  return [{ kind: 'logits', name: 'left.logits', difference, limit: limits.output }];
}

/** Logits [B, T, V] of a causal model from those of `ids`, `mask` and `positions` that are given. */
export function traceLogits(model: CausalModel, given: readonly string[]): Graph {
  const trace = new Trace();
  const [ids, mask, positions] = ['ids', 'mask', 'positions'].map((name) =>
    given.includes(name) ? input(name, 'int32', [symbol('B'), symbol('T')]) : undefined,
  );
  const { rows, batch, length } = model.forward(trace.root, {
    ids: ids!,
    ...(mask && { mask }),
    ...(positions && { positions }),
  });
  return trace.graph({ logits: reshape(model.logits(trace.root, rows), [batch, length, model.vocabSize]) });
}

/** The inputs of the loss from a batch as the reference's model takes it. */
export function lossInputs(
  model: Model,
  batch: ReadonlyMap<string, HostTensor>,
  targetTokens?: number,
): Record<string, HostTensor> {
  if (model.kind === 'encoder') return encoderInputs(model, batch, targetTokens === undefined);
  const labels = model.kind === 'causal' ? nextTokens(batch.get('labels')!) : batch.get('labels')!;
  const mask = batch.get('attention_mask');
  return {
    inputIds: batch.get('input_ids')!,
    ...(mask && { attentionMask: mask }),
    ...(model.kind === 'encoder-decoder' && { decoderInputIds: decoderInputs(model, batch) }),
    labels,
    ...(targetTokens === undefined && { lossScale: scalar(1 / countLabels(labels)) }),
  };
}

const encoderInputNames: Readonly<Record<string, string>> = {
  input_ids: 'inputIds',
  attention_mask: 'attentionMask',
  token_type_ids: 'segments',
  labels: 'labels',
  next_sentence_label: 'sentenceLabels',
  sentence_order_label: 'sentenceLabels',
  start_positions: 'startPositions',
  end_positions: 'endPositions',
};

function encoderInputs(
  model: EncoderModel,
  batch: ReadonlyMap<string, HostTensor>,
  isMean: boolean,
): Record<string, HostTensor> {
  const inputs = Object.fromEntries([...batch].map(([name, tensor]) => [encoderInputNames[name]!, tensor]));
  if (!isMean || !model.head.loss) return inputs;
  const scales = Object.entries(lossScales(model, [inputs])).map(([name, value]) => [name, scalar(value)]);
  return { ...inputs, ...Object.fromEntries(scales) };
}

export function countLabels({ data }: HostTensor): number {
  return [...data].filter((label) => label !== IGNORED).length;
}

const IGNORED = -100;

/** The label of a position is the token after it: the last has none. */
function nextTokens(labels: HostTensor): HostTensor {
  const [batch, length] = labels.shape as [number, number];
  const shifted = new Int32Array(batch * length).fill(IGNORED);
  for (let b = 0; b < batch; b++) {
    for (let t = 0; t + 1 < length; t++) shifted[b * length + t] = labels.data[b * length + t + 1]!;
  }
  return int32(labels.shape, shifted);
}

/** As given, or the start token and then the labels, ignored ones as padding. */
function decoderInputs(
  { startId, padId }: { readonly startId: number; readonly padId: number | null },
  batch: ReadonlyMap<string, HostTensor>,
): HostTensor {
  const given = batch.get('decoder_input_ids');
  if (given) return given;
  const labels = batch.get('labels')!;
  const length = labels.shape[1]!;
  const previous = (i: number): number => (i % length === 0 ? startId : labels.data[i - 1]!);
  const ids = Int32Array.from(labels.data, (_, i) => (previous(i) === IGNORED ? padId! : previous(i)));
  return int32(labels.shape, ids);
}

/** Values of every trained parameter as the checkpoint names and lays them out. */
export async function inCheckpoint(
  { keyMap }: Model,
  arena: ParameterArena,
  values: (path: string) => Float32Array,
): Promise<Map<string, HostTensor>> {
  const stored = toCheckpoint(
    keyMap,
    arena.trained.map(({ path, shape }) => ({ path, shape, data: values(path) })),
  );
  const read = stored.map(async ({ name, shape, data }) => {
    const array = (typeof data === 'function' ? await data() : data) as Float32Array;
    return [name, { dtype: 'float32', shape, data: array }] as const;
  });
  return new Map(await Promise.all(read));
}

export async function runOnce(runtime: Runtime, graph: Graph, feeds: Tensors): Promise<Tensors> {
  using program = await runtime.compile(graph, { label: 'parity' });
  const needed = Object.fromEntries(program.feeds.map((name) => [name, feeds[name]!]));
  const [outputs] = await runtime.run([{ program, feeds: needed }]);
  return outputs!;
}

const headOutputs: Readonly<Record<string, string>> = {
  prediction_logits: 'predictionLogits',
  seq_relationship_logits: 'sentenceLogits',
  sop_logits: 'sentenceLogits',
  start_logits: 'startLogits',
  end_logits: 'endLogits',
  pooler_output: 'pooled',
};

/** The reference's outputs by our names. Hidden state 0 is the embedding, the last one comes after the final norm. */
function valueNames(outputs: readonly string[]): Map<string, string> {
  const names = new Map<string, string>();
  for (const output of outputs) names.set(output, valueName(output, outputs));
  return names;
}

function valueName(output: string, all: readonly string[]): string {
  if (output === 'loss' || output === 'logits') return output;
  if (headOutputs[output]) return headOutputs[output];
  const found = /^(?:(encoder|decoder|cross)_)?(hidden_states|attentions|last_hidden_state)(?:\.(\d+))?$/.exec(output);
  if (!found) throw new Error(`output ${output} has no name in our models`);
  const [, side, kind, index] = found;
  if (side === 'cross') return `decoder.layers.${index}.crossAttention.weights`;
  const prefix = side === undefined ? '' : `${side}.`;
  if (kind === 'attentions') return `${prefix}layers.${index}.attention.weights`;
  if (kind === 'last_hidden_state') return `${prefix}output`;
  if (index === '0') return `${prefix}embedding`;
  const stem = output.slice(0, output.lastIndexOf('.') + 1);
  const isLast = !all.includes(`${stem}${Number(index) + 1}`);
  return isLast ? `${prefix}output` : `${prefix}layers.${Number(index) - 1}.residualPost`;
}

function kindOf(output: string): Measure['kind'] {
  if (output.endsWith('logits')) return 'logits';
  return output.includes('attentions') ? 'attentions' : 'hidden states';
}

/**
 * Where the decoder's padding is masked (`decoder_attention_mask`), what is computed at padded positions of the target is of
 * no use to anyone, and our decoder does not mask it: loss and gradients do not depend on it. It is left out.
 */
function compared(
  output: string,
  own: HostTensor,
  expected: HostTensor,
  inputs: ReadonlyMap<string, HostTensor>,
): [HostTensor, HostTensor] {
  const mask = inputs.get('decoder_attention_mask');
  if (!mask || !/^(logits|decoder_|cross_)/.test(output)) return [own, expected];
  return [zeroedWhere(own, mask), zeroedWhere(expected, mask)];
}

/** Zero at the positions (axis 1; of attention maps axis 2) where the mask [B, T] is 0. */
function zeroedWhere(tensor: HostTensor, mask: HostTensor): HostTensor {
  const { shape } = tensor;
  const length = mask.shape[1]!;
  const axis = shape.length - 2;
  const row = shape.at(-1)!;
  const perBatch = shape.slice(1, axis).reduce((a, b) => a * b, 1);
  const data = Float32Array.from(tensor.data);
  for (let r = 0; r * row < data.length; r++) {
    const batch = Math.floor(r / (perBatch * length));
    if (mask.data[batch * length + (r % length)] === 0) data.fill(0, r * row, (r + 1) * row);
  }
  return { dtype: 'float32', shape, data };
}
