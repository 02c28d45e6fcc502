import { symbol } from '../base/dim.ts';
import { QkvError } from '../base/errors.ts';
import { type HostTensor, int32, type StorageDType } from '../base/tensor.ts';
import { claimsOf, compileKeyMap } from '../checkpoint/keyMap.ts';
import { tiedTo } from '../checkpoint/loadStrict.ts';
import { readHostTensor, type StoredTensor } from '../checkpoint/safetensors.ts';
import { toCheckpoint } from '../checkpoint/toCheckpoint.ts';
import type { Graph } from '../graph/graph.ts';
import type { Value } from '../graph/value.ts';
import type { CausalModel, Model } from '../models/model.ts';
import type { ParameterArena } from '../nn/parameterArena.ts';
import { Trace } from '../nn/scope.ts';
import { input } from '../ops/leaf.ts';
import { reshape } from '../ops/shape.ts';
import type { Pretrained } from '../pretrained/pretrained.ts';
import type { Runtime, Tensors } from '../runtime/runtime.ts';
import { lossAndGradients } from '../train/gradientGraph.ts';
import { traceHead, traceLoss } from '../train/objectives.ts';
import { type Comparison, compareTensors, maxAbs } from './comparison.ts';
import { argumentOf, lossInputs, type ReferenceBatch } from './referenceBatch.ts';
import { referenceValue } from './referenceNames.ts';

export interface AgainstOptions {
  /**
   * The largest difference in outputs and in the loss, as a share of the largest value of the tensor; in gradients it is ten
   * times that. 1e-5 by default: ten times what float32 and float64 differ by in the reference. To it comes the rounding of
   * values that are stored as F16 (2⁻¹¹) or BF16 (2⁻⁸).
   */
  readonly tolerance?: number;
  /** Keys of parameters whose exact gradient is 0, so that what is stored for it is rounding noise. */
  readonly zeroGradients?: readonly string[];
  /** Names, with `*` for any characters, that are left out. */
  readonly skip?: readonly string[];
}

export interface Against {
  readonly comparisons: readonly Comparison[];
  /** What the file holds and nothing here could be compared with. */
  readonly notCompared: readonly { readonly name: string; readonly reason: string }[];
  readonly skipped: readonly string[];
  /** Keys of trained parameters whose gradient the file does not have; all of them where it has none. */
  readonly gradientsAbsent: readonly string[];
}

export const defaultTolerance = 1e-5;
const GRADIENT_FACTOR = 10;
/**
 * A stored gradient below this share of the model's largest is taken for rounding noise: that of a key's bias is exactly 0,
 * since softmax cancels it, and what float32 leaves of it is no two times the same.
 */
const NOISE = 1e-6;
const rounding: Readonly<Partial<Record<StorageDType, number>>> = { F16: 2 ** -11, BF16: 2 ** -8 };

interface Expected {
  readonly tensor: HostTensor;
  readonly rounding: number;
}

/**
 * Feeds `input.*` of a file to the model and compares `output.*`, the gradients `grad.<key>` of the loss and, of a model that
 * continues texts, `left.*` (left padding): see fixtures/parity/README.md.
 *
 * @throws QkvError `data` where an input is missing or unknown, or where the file has nothing to compare
 */
export async function checkAgainst(
  runtime: Runtime,
  { model, arena }: Pick<Pretrained, 'model' | 'arena'>,
  tensors: ReadonlyMap<string, StoredTensor>,
  { tolerance = defaultTolerance, zeroGradients = [], skip = [] }: AgainstOptions = {},
): Promise<Against> {
  const patterns = skip.map((text) => new RegExp(`^${text.split('*').map(escaped).join('.*')}$`));
  const skipped = [...tensors.keys()].filter((name) => patterns.some((pattern) => pattern.test(name)));
  const kept = [...tensors].filter(([name]) => !skipped.includes(name));
  const read = async (prefix: string): Promise<Map<string, Expected>> => {
    const found = kept.filter(([name]) => name.startsWith(prefix));
    const all = found.map(async ([name, stored]) => {
      const expected = { tensor: await readHostTensor(stored), rounding: rounding[stored.dtype] ?? 0 };
      return [name.slice(prefix.length), expected] as const;
    });
    return new Map(await Promise.all(all));
  };
  const [outputs, grads, left] = [await read('output.'), await read('grad.'), await read('left.')];
  if (outputs.size + grads.size + left.size === 0) {
    throw new QkvError('data', {
      where: 'the file to compare with',
      got: tensors.size === 0 ? 'no tensors' : `${[...tensors.keys()].slice(0, 6).join(', ')}, …`,
      expected: 'tensors named output.*, grad.* or left.*',
    });
  }
  const notCompared = kept
    .filter(([name]) => !/^(input|output|grad|left)\./.test(name))
    .map(([name]) => ({ name, reason: 'a name that begins with none of input., output., grad., left.' }));
  const comparisons: Comparison[] = [];
  let gradientsAbsent = claimsOf(compileKeyMap(model.keyMap), arena.trained).map(({ key }) => key);

  if (outputs.size + grads.size > 0) {
    const batch = new Map(
      [...(await read('input.'))].map(([name, { tensor }]) => [name, asInput(model, name, tensor)]),
    );
    const graph = wholePass(model, batch);
    const names = new Map<string, string>();
    for (const name of outputs.keys()) {
      const own = referenceValue(name, model, graph);
      if (own !== undefined) names.set(name, own);
      else notCompared.push({ name: `output.${name}`, reason: `nothing of this name in a ${model.family} model` });
    }
    const canDerive = graph.outputs['loss'] !== undefined;
    if (!canDerive) {
      for (const name of grads.keys()) notCompared.push({ name: `grad.${name}`, reason: 'the model has no loss' });
    }
    const withGradients = canDerive && grads.size > 0;
    const wanted = {
      ...(withGradients && lossAndGradients(graph, arena).outputs),
      ...Object.fromEntries([...names.values()].map((name) => [name, graph.outputs[name] ?? graph.names.get(name)!])),
    };
    const found = await runOnce(runtime, wanted, { ...lossInputs(model, batch), ...arena.tensors }).catch((cause) => {
      const longest = Math.max(...[...batch.values()].map(({ shape }) => shape.at(-1) ?? 0));
      // with relative positions a longer text may well be read
      if (longest <= model.maxLength) throw cause;
      const expected = `at most ${model.maxLength}, the positions of the model`;
      throw new QkvError('data', { where: 'inputs of the file', got: `${longest} tokens`, expected, cause });
    });
    for (const [name, own] of names) {
      const expected = outputs.get(name)!;
      const limit = tolerance + expected.rounding;
      const pair = compared(name, found[own]!, expected.tensor, batch);
      comparisons.push(compareTensors({ name: `output.${name}`, kind: kindOf(name), limit }, ...pair));
    }
    if (withGradients) {
      const own = await inCheckpoint(model, arena, (path) => flat(found[`gradient.${path}`]!));
      const result = compareGradients(model, own, grads, { tolerance, zeroGradients });
      comparisons.push(...result.comparisons);
      notCompared.push(...result.notCompared);
      gradientsAbsent = [...own.keys()].filter((key) => !result.used.has(key));
    }
  }
  if (left.size > 0) {
    const result = await checkLeftPadding(runtime, model, arena, left, tolerance);
    comparisons.push(...result.comparisons);
    notCompared.push(...result.notCompared);
  }
  return { comparisons, notCompared, skipped, gradientsAbsent };
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

function flat({ data }: HostTensor): Float32Array {
  return data as Float32Array;
}

/** Masks as 0 and 1 however they are stored; labels as the loss takes them. */
function asInput(model: Model, name: string, tensor: HostTensor): HostTensor {
  const takesFloats = model.kind === 'encoder' && name === 'labels' && model.head.labels[0]?.dtype === 'float32';
  const { shape, data, dtype } = tensor;
  if (takesFloats) return { dtype: 'float32', shape, data: Float32Array.from(data) };
  if (dtype === 'int32') return tensor;
  if (data.every((value) => Number.isInteger(value))) return int32(shape, Int32Array.from(data));
  throw new QkvError('data', { where: `input.${name}`, got: 'numbers with fractions', expected: 'whole numbers' });
}

/** The loss of the batch and all that it is made of, or, of a model without a head, the pass alone. */
function wholePass(model: Model, batch: ReferenceBatch): Graph {
  const options = { padded: batch.has('attention_mask'), segments: batch.has('token_type_ids') };
  if (model.kind !== 'encoder' || model.head.loss) {
    return traceLoss(model, { training: false, smoothing: 0, ...options }).graph;
  }
  const trace = new Trace();
  traceHead(trace.root, model, options);
  return trace.graph({});
}

async function runOnce(runtime: Runtime, outputs: Readonly<Record<string, Value>>, feeds: Tensors): Promise<Tensors> {
  if (Object.keys(outputs).length === 0) return {};
  using program = await runtime.compile({ outputs, names: new Map() }, { label: 'check' });
  const missing = program.feeds.filter((name) => !feeds[name] && !name.endsWith('Scale'));
  if (missing.length > 0) {
    const expected = 'the labels too: the loss and the gradients, which the file holds, are made of them';
    throw new QkvError('data', {
      where: 'inputs of the file',
      got: `no ${missing.map(argumentOf).join(', ')}`,
      expected,
    });
  }
  const [found] = await runtime.run([
    { program, feeds: Object.fromEntries(program.feeds.map((name) => [name, feeds[name]!])) },
  ]);
  return found!;
}

/** Under the checkpoint's names and in its layouts, tied weights once or under either name. */
function compareGradients(
  { keyMap }: Model,
  own: ReadonlyMap<string, HostTensor>,
  expected: ReadonlyMap<string, Expected>,
  { tolerance, zeroGradients }: Required<Pick<AgainstOptions, 'tolerance' | 'zeroGradients'>>,
): Pick<Against, 'comparisons' | 'notCompared'> & { readonly used: ReadonlySet<string> } {
  const compiled = compileKeyMap(keyMap);
  const largest = Math.max(...[...expected.values()].map(({ tensor }) => maxAbs(tensor.data)));
  const comparisons: Comparison[] = [];
  const notCompared: { name: string; reason: string }[] = [];
  const used = new Set<string>();
  for (const [key, { tensor, rounding }] of expected) {
    const name = `grad.${key}`;
    const ownKey = own.has(key) ? key : tiedTo(compiled, own, key);
    const most = maxAbs(tensor.data);
    if (ownKey === undefined) {
      if (most === 0) {
        const note = 'nothing depends on this parameter, and the model here has none';
        comparisons.push({ name, kind: 'gradients', difference: 0, ratio: 0, limit: 0, note });
      } else notCompared.push({ name, reason: 'the model has no parameter of this key' });
      continue;
    }
    used.add(ownKey);
    const isZero = zeroGradients.includes(key);
    const isNoise = isZero || most <= NOISE * largest;
    const limit = isNoise ? tolerance : GRADIENT_FACTOR * tolerance + rounding;
    const note = `${isZero ? 'its exact value is 0' : 'rounding noise'}: measured by the largest gradient of the model`;
    const measure = isNoise && largest > 0 ? { scale: largest, note } : {};
    comparisons.push(compareTensors({ name, kind: 'gradients', limit }, own.get(ownKey)!, tensor, measure));
  }
  return { comparisons, notCompared, used };
}

/** Left padding with its mask and, where they are given, position ids: logits at real tokens. */
async function checkLeftPadding(
  runtime: Runtime,
  model: Model,
  arena: ParameterArena,
  left: ReadonlyMap<string, Expected>,
  tolerance: number,
): Promise<Pick<Against, 'comparisons' | 'notCompared'>> {
  const names = { ids: 'input_ids', mask: 'attention_mask', positions: 'position_ids' };
  const expected = left.get('logits');
  const notCompared = [...left.keys()]
    .filter((name) => name !== 'logits' && !Object.values(names).includes(name))
    .map((name) => ({ name: `left.${name}`, reason: 'under left padding only the logits are compared' }));
  if (!expected) return { comparisons: [], notCompared };
  if (model.kind !== 'causal') {
    const reason = 'left padding is for models that continue a text';
    return { comparisons: [], notCompared: [...notCompared, { name: 'left.logits', reason }] };
  }
  const given = Object.entries(names).filter(([, name]) => left.has(name));
  const feeds = Object.fromEntries(given.map(([own, name]) => [own, asInput(model, name, left.get(name)!.tensor)]));
  for (const own of ['ids', 'mask'] as const) {
    if (feeds[own]) continue;
    const got = 'nothing';
    throw new QkvError('data', { where: `left.${names[own]}`, got, expected: 'it, since there is left.logits' });
  }
  const outputs = traceLogits(model, Object.keys(feeds)).outputs;
  const found = await runOnce(runtime, outputs, { ...feeds, ...arena.tensors });
  const mask = feeds['mask']!;
  const pair = [zeroedWhere(found['logits']!, mask), zeroedWhere(expected.tensor, mask)] as const;
  const limit = tolerance + expected.rounding;
  return { comparisons: [compareTensors({ name: 'left.logits', kind: 'logits', limit }, ...pair)], notCompared };
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

function kindOf(output: string): Comparison['kind'] {
  if (output === 'loss') return 'loss';
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
  batch: ReferenceBatch,
): readonly [HostTensor, HostTensor] {
  const mask = batch.get('decoder_attention_mask');
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
