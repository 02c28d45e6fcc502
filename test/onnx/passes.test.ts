import { fromBinary } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gradients } from '../../src/autodiff/gradients.ts';
import { float32, type HostTensor, int32 } from '../../src/base/tensor.ts';
import { reachable, type Value } from '../../src/graph/value.ts';
import { rotate, rotation } from '../../src/nn/rope.ts';
import { lower } from '../../src/onnx/lower.ts';
import { ModelProtoSchema } from '../../src/onnx/proto/onnx_pb.ts';
import { gelu, relu, silu } from '../../src/ops/activation.ts';
import { add, cast, erf, greater, mul, sub } from '../../src/ops/elementwise.ts';
import { gather } from '../../src/ops/gather.ts';
import { input, iota, scalarConstant } from '../../src/ops/leaf.ts';
import { matmul } from '../../src/ops/matmul.ts';
import { rmsNorm } from '../../src/ops/norm.ts';
import { sum } from '../../src/ops/reduce.ts';
import { concat, reshape, slice } from '../../src/ops/shape.ts';
import { softmax } from '../../src/ops/softmax.ts';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';
import { evaluate } from '../../src/runtime/reference/reference.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';

/*
 * Every fusion: where it applies the ONNX model has the fused nodes and gives the reference's values; where it must not,
 * the nodes stay apart and the values are the same too.
 */
let runtime: Runtime;
beforeAll(async () => {
  runtime = await createNodeRuntime();
});
afterAll(async () => {
  await runtime[Symbol.asyncDispose]();
});

function values(shape: readonly number[], seed: number): HostTensor {
  const size = shape.reduce((a, b) => a * b, 1);
  return float32(
    shape,
    Float32Array.from({ length: size }, (_, i) => Math.sin(seed + 1.7 * i) * 1.5),
  );
}

const feed = (name: string, ...shape: number[]): Value => input(name, 'float32', shape);

/** How often each operator stands in the model. */
function operators(outputs: Record<string, Value>, contrib = true): Record<string, number> {
  const counts: Record<string, number> = {};
  const model = fromBinary(ModelProtoSchema, lower({ outputs, names: new Map() }, { contrib }).bytes);
  for (const { opType } of model.graph!.node) counts[opType] = (counts[opType] ?? 0) + 1;
  return counts;
}

async function expectReferenceValues(outputs: Record<string, Value>): Promise<void> {
  const graph = { outputs, names: new Map<string, Value>() };
  const leaves = reachable(Object.values(outputs)).filter(({ op }) => op === 'input');
  const feeds = Object.fromEntries(
    leaves.map(({ attrs, shape, dtype }, i) => {
      const sizes = shape as number[];
      return [attrs['name'] as string, dtype === 'int32' ? int32(sizes, [2, 0, 2]) : values(sizes, i)];
    }),
  );
  using program = await runtime.compile(graph);
  const [got] = await runtime.run([{ program, feeds }]);
  const expected = evaluate(graph, feeds);
  for (const [name, { data }] of Object.entries(expected)) {
    const scale = Array.from<number>(data).reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    data.forEach((x, i) => void expect(Math.abs(got![name]!.data[i]! - x)).toBeLessThanOrEqual(2e-6 * scale));
  }
}

describe('a product and what is added to it', () => {
  const product = (): Value => matmul(feed('x', 4, 3), feed('w', 3, 5));

  it.each<[string, () => Value]>([
    ['a bias', () => add(product(), feed('b', 5))],
    ['a matrix', () => add(feed('r', 4, 5), product())],
    ['another product', () => add(product(), matmul(feed('u', 4, 2), feed('v', 2, 5)))],
  ])('%s goes into the Gemm', async (_, build) => {
    const outputs = { y: build() };
    expect(operators(outputs)).toMatchObject({ Gemm: 1 });
    expect(operators(outputs)).not.toHaveProperty('Add');
    await expectReferenceValues(outputs);
  });

  it('stays apart where the product is read elsewhere too', async () => {
    const p = product();
    const outputs = { y: add(p, feed('b', 5)), p };
    expect(operators(outputs)).toMatchObject({ MatMul: 1, Add: 1 });
    await expectReferenceValues(outputs);
  });

  it('stays apart where the sum is larger than the product', async () => {
    const outputs = { y: add(matmul(feed('x', 1, 3), feed('w', 3, 5)), feed('r', 4, 5)) };
    expect(operators(outputs)).toMatchObject({ MatMul: 1, Add: 1 });
    await expectReferenceValues(outputs);
  });
});

describe('gradients of weights', () => {
  it('transpose an input once for all products that read it', async () => {
    const x = feed('x', 6, 3);
    const outputs = {
      a: matmul(x, feed('g', 6, 4), { transposeA: true }),
      b: add(matmul(x, feed('h', 6, 5), { transposeA: true, alpha: 0.5 }), feed('before', 3, 5)),
    };
    expect(operators(outputs)).toEqual({ Transpose: 1, Gemm: 2 });
    await expectReferenceValues(outputs);
  });

  it('leave both operands as they are where both are transposed', async () => {
    const outputs = { y: matmul(feed('x', 6, 3), feed('w', 5, 6), { transposeA: true, transposeB: true }) };
    expect(operators(outputs)).toEqual({ Gemm: 1 });
    await expectReferenceValues(outputs);
  });

  it('of a table that serves twice start from the other use', async () => {
    const table = feed('table', 4, 3);
    const rows = gather(table, input('index', 'int32', [3]));
    const loss = add(sum(mul(rows, feed('c', 3, 3)), [0, 1]), sum(matmul(table, feed('w', 3, 2)), [0, 1]));
    const [gradient] = gradients([{ value: loss, seed: scalarConstant(1) }], [table]);
    expect(operators({ g: gradient! })).toMatchObject({ ScatterND: 1 });
    expect(operators({ g: gradient! })).not.toHaveProperty('Add');
    await expectReferenceValues({ g: gradient! });
  });
});

describe('activations', () => {
  it('the gradient of relu is a product with a step function', async () => {
    const x = feed('x', 7);
    const [gradient] = gradients([{ value: sum(relu(x), [0]), seed: scalarConstant(1) }], [x]);
    expect(operators({ g: gradient! })).toMatchObject({ HardSigmoid: 1 });
    expect(operators({ g: gradient! })).not.toHaveProperty('Greater');
    await expectReferenceValues({ g: gradient! });
  });

  it('a comparison with another number is no step function', async () => {
    const outputs = { y: cast(greater(feed('x', 7), scalarConstant(0.5)), 'float32') };
    expect(operators(outputs)).toMatchObject({ Greater: 1, Cast: 1 });
    await expectReferenceValues(outputs);
  });

  it('gelu shares Φ with its gradient', async () => {
    const x = feed('x', 9);
    const y = gelu(x);
    const [gradient] = gradients([{ value: sum(y, [0]), seed: scalarConstant(1) }], [x]);
    const counts = operators({ y, g: gradient! });
    expect(counts).toMatchObject({ Erf: 1, HardSigmoid: 1 });
    expect(counts).not.toHaveProperty('Gelu');
    await expectReferenceValues({ y, g: gradient! });
  });

  it('gelu alone is one kernel', async () => {
    const outputs = { y: gelu(feed('x', 9)) };
    expect(operators(outputs)).toEqual({ Gelu: 1 });
    await expectReferenceValues(outputs);
  });

  it('½ + ¼ erf is not ½ + ½ erf', async () => {
    const outputs = { y: add(mul(erf(feed('x', 9)), scalarConstant(0.25)), scalarConstant(0.5)) };
    expect(operators(outputs)).toEqual({ Erf: 1, Mul: 1, Add: 1 });
    await expectReferenceValues(outputs);
  });
});

describe('the row sums of softmax gradients', () => {
  /** Gradient of Σ c ⊙ (softmax(x) V) for x, and the attended values where they are read. */
  const attention = (queries: number, keys: number, width: number, isRead: boolean): Record<string, Value> => {
    const x = feed('x', 2, queries, keys);
    const out = matmul(softmax(x), feed('v', 2, keys, width));
    const loss = sum(mul(out, feed('c', 2, queries, width)), [0, 1, 2]);
    const [g] = gradients([{ value: loss, seed: scalarConstant(1) }], [x]);
    return isRead ? { out, g: g! } : { g: g! };
  };
  const summed = (outputs: Record<string, Value>): string => {
    const model = fromBinary(ModelProtoSchema, lower({ outputs, names: new Map() }).bytes).graph!;
    const source = model.node.find(({ opType }) => opType === 'ReduceSum')!.input[0];
    return model.node
      .find(({ output }) => output[0] === source)!
      .input.map((name) => model.node.find(({ output }) => output[0] === name)?.opType ?? 'input')
      .join();
  };

  it('are taken over the attended values, which are fewer', async () => {
    const outputs = attention(5, 7, 3, true);
    expect(operators(outputs)).toMatchObject({ MatMul: 1, FusedMatMul: 1, ReduceSum: 1 });
    expect(summed(outputs)).toContain('MatMul');
    expect(summed(outputs)).not.toContain('Softmax');
    await expectReferenceValues(outputs);
  });

  it.each([
    ['the attended values are wider', attention(5, 3, 7, true)],
    ['nothing else needs the attended values', attention(5, 7, 3, false)],
  ])('stay where they are where %s', async (_, outputs) => {
    expect(summed(outputs)).toBe('FusedMatMul,Softmax');
    await expectReferenceValues(outputs);
  });
});

describe('the rotation of queries and keys', () => {
  const options = { headSize: 6, theta: 100, scaling: { kind: 'none' } } as const;
  const x = feed('x', 2, 3, 4, 6);

  it.each<[string, () => Value]>([
    ['of positions that all of a batch share', () => rotate(x, rotation(iota(4), options))],
    ['of positions of its own', () => rotate(x, rotation(reshape(iota(8), [2, 4]), options))],
  ])('is one kernel, %s', async (_, build) => {
    const outputs = { y: build() };
    expect(operators(outputs)).toMatchObject({ RotaryEmbedding: 1 });
    expect(operators(outputs)).not.toHaveProperty('Slice');
    expect(operators(outputs, false)).toMatchObject({ Slice: 2, Concat: 1 });
    expect(operators(outputs, false)).not.toHaveProperty('RotaryEmbedding');
    await expectReferenceValues(outputs);
  });

  it('stays apart where a half is read elsewhere, or the halves change places', async () => {
    const turned = rotation(iota(4), options);
    const [a, b] = [slice(x, -1, 0, 3), slice(x, -1, 3, 6)];
    const swapped = concat(
      [sub(mul(b, turned.cos), mul(a, turned.sin)), add(mul(a, turned.cos), mul(b, turned.sin))],
      -1,
    );
    for (const outputs of [{ y: rotate(x, turned), a }, { y: swapped }]) {
      expect(operators(outputs)).not.toHaveProperty('RotaryEmbedding');
      await expectReferenceValues(outputs);
    }
  });
});

describe('norms and activations that ONNX Runtime has as one kernel', () => {
  const weight = (): Value => feed('weight', 6);

  it.each<[string, () => Value, string, string]>([
    ['rms norm', () => rmsNorm(feed('x', 4, 6), weight(), 1e-5), 'SimplifiedLayerNormalization', 'ReduceMean'],
    ['silu', () => silu(feed('x', 9)), 'QuickGelu', 'Sigmoid'],
  ])('%s', async (_, build, own, standard) => {
    const outputs = { y: build() };
    expect(operators(outputs)).toEqual({ [own]: 1 });
    expect(operators(outputs, false)).toMatchObject({ [standard]: 1 });
    await expectReferenceValues(outputs);
  });

  it('rms norm gives its gradient what it found', async () => {
    const [x, w] = [feed('x', 4, 6), weight()];
    const y = rmsNorm(x, w, 1e-5);
    const [gx, gw] = gradients([{ value: sum(mul(y, y), [0, 1]), seed: scalarConstant(1) }], [x, w]);
    const outputs = { gx: gx!, gw: gw! };
    expect(operators(outputs)).toMatchObject({ SimplifiedLayerNormalization: 1 });
    expect(operators(outputs)).not.toHaveProperty('Sqrt');
    await expectReferenceValues(outputs);
  });
});

describe('algebra', () => {
  it('drops what changes nothing', async () => {
    const x = feed('x', 2, 3);
    const outputs = { y: mul(sub(add(x, scalarConstant(0)), scalarConstant(0)), scalarConstant(1)) };
    expect(operators(outputs)).toEqual({ Identity: 1 });
    await expectReferenceValues(outputs);
  });

  it('keeps a neutral operand that makes the shape', async () => {
    const outputs = { y: add(feed('x', 1, 3), mul(feed('z', 2, 1), scalarConstant(0))) };
    expect(operators(outputs)).toMatchObject({ Add: 1 });
    await expectReferenceValues(outputs);
  });
});
