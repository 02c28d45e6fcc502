import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gradients } from '../../src/autodiff/gradients.ts';
import { float32, type HostTensor } from '../../src/base/tensor.ts';
import { openSafetensors, readHostTensor } from '../../src/checkpoint/safetensors.ts';
import { nodeStorage } from '../../src/checkpoint/storage.node.ts';
import type { Value } from '../../src/graph/value.ts';
import { rotate, rotation } from '../../src/nn/rope.ts';
import { gelu, relu, silu } from '../../src/ops/activation.ts';
import { add, cast, div, equal, greaterEqual, mul, not, sigmoid, tanh, where } from '../../src/ops/elementwise.ts';
import { gather } from '../../src/ops/gather.ts';
import { constant, input, intConstant, iota, scalarConstant } from '../../src/ops/leaf.ts';
import { crossEntropy } from '../../src/ops/loss.ts';
import { matmul } from '../../src/ops/matmul.ts';
import { layerNorm, rmsNorm } from '../../src/ops/norm.ts';
import { sum } from '../../src/ops/reduce.ts';
import { reshape, split, transpose } from '../../src/ops/shape.ts';
import { logSoftmax, softmax } from '../../src/ops/softmax.ts';
import type { Runtime, Tensors } from '../../src/runtime/runtime.ts';
import { deviation } from './deviation.ts';

/** Bare operations as PyTorch computes them, see fixtures/parity/README.md. */
const ownFolder = join(import.meta.dirname, '../../fixtures/parity/ops');

type Values = Readonly<Record<string, Value>>;

interface Facts {
  readonly name: string;
  /** What expected.json says of the operation. */
  readonly what: string;
  readonly inputs: Tensors;
  readonly outputs: Tensors;
}

type Expression = (inputs: Values, facts: Facts) => Values;

/** Tables of constants, which have no gradient: the layers that make them are compared with them. */
export function isTable(key: string): boolean {
  return key.startsWith('sinusoidal/output.encoding') || key.startsWith('t5_buckets_');
}

const masked = scalarConstant(-1e30);
const allowedKeys = (allowed: Value): Value => reshape(allowed, [allowed.shape[0]!, 1, 1, allowed.shape[1]!]);
const causal = (x: Value): Value => greaterEqual(reshape(iota(x.shape.at(-2)!), [-1, 1]), iota(x.shape.at(-2)!));

/** q [B, H, T, K], k and v [B, H, S, K]; `edit` changes the scores [B, H, T, S]. */
function attend(q: Value, k: Value, v: Value, edit: (scores: Value) => Value): Values {
  const headSize = q.shape.at(-1) as number;
  const probs = softmax(edit(matmul(q, k, { transposeB: true, alpha: 1 / Math.sqrt(headSize) })));
  return { out: matmul(probs, v), probs };
}

const maskedBy =
  (mask: Value) =>
  (scores: Value): Value =>
    where(mask, scores, masked);

/** torch.nn.MultiheadAttention */
function multiHead(x: Values, { outputs }: Facts, query: Value, memory: Value, mask: (scores: Value) => Value): Values {
  const heads = outputs['probs']!.shape[1]!;
  const weights = split(x['in_proj_weight']!, 3, 0);
  const biases = x['in_proj_bias'] ? split(x['in_proj_bias'], 3, 0) : [];
  const project = (source: Value, i: number): Value => {
    const y = matmul(source, weights[i]!, { transposeB: true });
    const [batch, length, width] = y.shape as [number, number, number];
    return transpose(reshape(biases[i] ? add(y, biases[i]) : y, [batch, length, heads, width / heads]), [0, 2, 1, 3]);
  };
  const { out, probs } = attend(project(query, 0), project(memory, 1), project(memory, 2), mask);
  const joined = reshape(transpose(out!, [0, 2, 1, 3]), query.shape);
  const y = matmul(joined, x['out_proj_weight']!, { transposeB: true });
  return { out: x['out_proj_bias'] ? add(y, x['out_proj_bias']) : y, probs: probs! };
}

/** PE(p, 2i) = sin(p / 10000^(2i/d)), PE(p, 2i + 1) = cos(the same): [length, d] (Vaswani et al. 2017, section 3.5). */
function sinusoids(length: number, width: number): HostTensor {
  const angle = (p: number, column: number): number => p / 10000 ** ((column - (column % 2)) / width);
  return float32(
    [length, width],
    Float32Array.from({ length: length * width }, (_, at) => {
      const column = at % width;
      return (column % 2 === 0 ? Math.sin : Math.cos)(angle((at - column) / width, column));
    }),
  );
}

const ofX =
  (f: (x: Value) => Value): Expression =>
  ({ x }) => ({ out: f(x!) });

const crossAttention: Expression = (x, facts) =>
  multiHead(x, facts, x['query']!, x['memory']!, maskedBy(allowedKeys(not(x['key_padding_mask']!))));

const normOf =
  (epsilon: number) =>
  ({ x, weight, bias }: Values): Values => ({ out: layerNorm(x!, weight!, bias!, epsilon) });

/** torch.nn.functional.cross_entropy: the mean over rows that are not ignored. */
const meanCrossEntropy: Expression = ({ logits, labels }, { name }) => {
  const smoothing = numberIn(name, /smoothing_(.+)/);
  const counted = cast(not(equal(labels!, intConstant(-100))), 'float32');
  return { loss: div(sum(crossEntropy(logits!, labels!, { smoothing }), [0]), sum(counted, [0])) };
};

function numberIn(text: string, pattern: RegExp): number {
  const number = Number(pattern.exec(text)?.[1]);
  if (Number.isNaN(number)) throw new Error(`no number like ${pattern} in ${text}`);
  return number;
}

/** By name; a word in capitals stands for a number. */
const expressions: Readonly<Record<string, Expression>> = {
  sdpa: ({ q, k, v }) => attend(q!, k!, v!, (scores) => scores),
  sdpa_padding: ({ q, k, v, allowed }) => attend(q!, k!, v!, maskedBy(allowedKeys(allowed!))),
  sdpa_causal: ({ q, k, v }) => attend(q!, k!, v!, maskedBy(causal(q!))),
  sdpa_causal_padding: ({ q, k, v, allowed }) =>
    attend(q!, k!, v!, (scores) => where(causal(q!), where(allowedKeys(allowed!), scores, masked), masked)),
  sdpa_bias: ({ q, k, v, bias }) => attend(q!, k!, v!, (scores) => add(scores, bias!)),
  mha_self_causal: (x, facts) => multiHead(x, facts, x['query']!, x['query']!, maskedBy(causal(x['query']!))),
  mha_cross_padding: crossAttention,
  mha_no_bias: crossAttention,
  sinusoidal: ({ table, ids }) => {
    const [length, width] = [ids!.shape[1] as number, table!.shape[1] as number];
    const scaled = mul(gather(table!, ids!), scalarConstant(Math.sqrt(width)));
    return { out: add(scaled, constant(sinusoids(length, width))) };
  },
  layer_norm_EPSILON: (x, { name }) => normOf(numberIn(name, /layer_norm_(.+)/))(x),
  layer_norm_small: normOf(1e-5),
  rms_norm: ({ x, weight }) => ({ out: rmsNorm(x!, weight!, 1e-6) }),
  gelu: ofX((x) => gelu(x)),
  gelu_new: ofX((x) => gelu(x, 'tanh')),
  silu: ofX(silu),
  relu: ofX(relu),
  tanh: ofX(tanh),
  quick_gelu: ofX((x) => mul(x, sigmoid(mul(x, scalarConstant(1.702))))),
  cross_entropy_smoothing_EPSILON: meanCrossEntropy,
  softmax_large: ({ x }) => ({ softmax: softmax(x!), log_softmax: logSoftmax(x!) }),
  rope: ({ x, pos }, { what }) => {
    const headSize = x!.shape.at(-1) as number;
    const theta = numberIn(what, /theta ([\de.+]+)/);
    return { out: rotate(x!, rotation(pos!, { headSize, theta, scaling: { kind: 'none' } })) };
  },
};

function expressionOf(name: string): Expression {
  const expression = expressions[name] ?? expressions[name.replace(/_[\d.]+(e[-+]\d+)?$/, '_EPSILON')];
  if (!expression) throw new Error(`no expression for ${name}`);
  return expression;
}

export interface Deviation {
  /** e.g. `output.probs` or `grad.q` */
  readonly tensor: string;
  /** max |difference| / max |expected| */
  readonly deviation: number;
}

export interface ParityCase {
  readonly name: string;
  /** Every stored output and gradient, compared. */
  run(): Promise<Deviation[]>;
}

/** Every case of the fixture, with the operator expressions compiled and run by `runtime`: outputs and gradients. */
export async function opsParityCases(runtime: Runtime, folder: string = ownFolder): Promise<ParityCase[]> {
  const { tensors } = await openSafetensors(nodeStorage(folder), 'expected.safetensors');
  const { ops } = JSON.parse(await readFile(join(folder, 'expected.json'), 'utf8')) as {
    readonly ops: Readonly<Record<string, { readonly what: string }>>;
  };
  const keys = [...tensors.keys()].filter((key) => !isTable(key));
  const names = [...new Set(keys.map((key) => key.split('/')[0]!))];
  return names.map((name) => ({
    name,
    run: async () => {
      const group = async (kind: string): Promise<Tensors> => {
        const prefix = `${name}/${kind}.`;
        const found = [...tensors].filter(([key]) => key.startsWith(prefix) && !isTable(key));
        return Object.fromEntries(
          await Promise.all(
            found.map(async ([key, stored]) => [key.slice(prefix.length), await readHostTensor(stored)] as const),
          ),
        );
      };
      return compareCase(runtime, name, {
        what: ops[name]!.what,
        inputs: await group('input'),
        upstream: await group('upstream'),
        expected: { output: await group('output'), grad: await group('grad') },
      });
    },
  }));
}

async function compareCase(
  runtime: Runtime,
  name: string,
  fixture: {
    readonly what: string;
    readonly inputs: Tensors;
    readonly upstream: Tensors;
    readonly expected: { readonly output: Tensors; readonly grad: Tensors };
  },
): Promise<Deviation[]> {
  const leaves = (tensors: Tensors, prefix: string): Values =>
    Object.fromEntries(
      Object.entries(tensors).map(([key, { dtype, shape }]) => [key, input(prefix + key, dtype, shape)]),
    );
  const inputs = leaves(fixture.inputs, '');
  const seeds = leaves(fixture.upstream, 'upstream.');
  const { what } = fixture;
  const outputs = expressionOf(name)(inputs, { name, what, inputs: fixture.inputs, outputs: fixture.expected.output });
  const wrt = Object.keys(fixture.expected.grad);
  const found = gradients(
    Object.entries(seeds).map(([key, seed]) => ({ value: outputs[key]!, seed })),
    wrt.map((key) => inputs[key]!),
  );
  const fetches: Record<string, Value> = {};
  for (const key of Object.keys(fixture.expected.output)) fetches[`output.${key}`] = outputs[key]!;
  wrt.forEach((key, i) => {
    fetches[`grad.${key}`] = found[i]!;
  });
  using program = await runtime.compile({ outputs: fetches, names: new Map() }, { label: name });
  const feeds = {
    ...fixture.inputs,
    ...Object.fromEntries(Object.entries(fixture.upstream).map(([key, tensor]) => [`upstream.${key}`, tensor])),
  };
  const [results] = await runtime.run([{ program, feeds }]);
  return Object.entries(fixture.expected).flatMap(([kind, tensors]) =>
    Object.entries(tensors).map(([key, expected]) => {
      const tensor = `${kind}.${key}`;
      return { tensor, deviation: deviation(results![tensor]!, expected) };
    }),
  );
}
