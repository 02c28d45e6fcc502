import * as ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { float32, int32 } from '../../src/base/tensor.ts';
import { ModelBuilder, type OnnxDim, type OnnxValue } from '../../src/onnx/modelBuilder.ts';
import { int64, type OnnxDType, uint32 } from '../../src/onnx/onnxTensor.ts';
import * as ops from '../../src/onnx/operators.gen.ts';

// What the builders write must mean to ONNX Runtime what it means here: every case runs there.

interface Result {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

async function session(b: ModelBuilder): Promise<ort.InferenceSession> {
  return await ort.InferenceSession.create(b.finish(), { logSeverityLevel: 3 });
}

async function run(s: ort.InferenceSession, feeds: Record<string, ort.Tensor> = {}): Promise<Record<string, Result>> {
  const fetched = await s.run(feeds);
  return Object.fromEntries(
    Object.entries(fetched).map(([name, { dims, data }]) => [
      name,
      { shape: dims, data: Array.from(data as Float32Array, Number) },
    ]),
  );
}

function feed(dims: readonly number[], data: readonly number[]): ort.Tensor {
  return new ort.Tensor('float32', Float32Array.from(data), dims);
}

/** Runs a graph of constants that ends in one value. */
async function evaluate(
  make: (b: ModelBuilder) => OnnxValue,
  dtype: OnnxDType = 'float32',
  dims: readonly OnnxDim[] = ['n'],
): Promise<Result> {
  const b = new ModelBuilder();
  b.output('out', make(b), dtype, dims);
  const { out } = await run(await session(b));
  return out as Result;
}

describe('operators in ONNX Runtime', () => {
  it('MatMul + Add with symbolic dims serves several lengths', async () => {
    const b = new ModelBuilder();
    const x = b.input('x', 'float32', ['batch', 'length', 2]);
    const product = ops.matMul(b.scope('proj'), x, b.constant(float32([2, 3], [1, 2, 3, 4, 5, 6])));
    b.output('y', ops.add(b, product, b.constant(float32([3], [10, 20, 30]))), 'float32', ['batch', 'length', 3]);
    b.output('product', product, 'float32', ['batch', 'length', 3]);
    const s = await session(b);
    expect(await run(s, { x: feed([1, 1, 2], [1, -1]) })).toEqual({
      y: { shape: [1, 1, 3], data: [7, 17, 27] },
      product: { shape: [1, 1, 3], data: [-3, -3, -3] },
    });
    const { y } = await run(s, { x: feed([2, 2, 2], [1, 0, 0, 1, 0, 0, 1, 1]) });
    expect(y).toEqual({ shape: [2, 2, 3], data: [11, 22, 33, 14, 25, 36, 10, 20, 30, 15, 27, 39] });
  });

  it('LayerNormalization gives mean and inverse deviation', async () => {
    const b = new ModelBuilder();
    const x = b.input('x', 'float32', ['rows', 4]);
    const scale = b.constant(float32([4], [1, 2, 1, 1]));
    const bias = b.constant(float32([4], [0, 0, 5, 0]));
    const [y, mean, invStd] = ops.layerNormalization(b, x, scale, bias, { axis: -1, epsilon: 0.75 });
    b.output('y', y, 'float32', ['rows', 4]);
    b.output('mean', mean, 'float32', ['rows', 1]);
    b.output('invStd', invStd, 'float32', ['rows', 1]);
    // Mean 2.5, variance 1.25, 1 / sqrt(1.25 + 0.75) = sqrt(0.5).
    const out = new Map(Object.entries(await run(await session(b), { x: feed([1, 4], [1, 2, 3, 4]) })));
    expect(out.get('mean')).toEqual({ shape: [1, 1], data: [2.5] });
    expect(out.get('invStd')?.data[0]).toBeCloseTo(Math.SQRT1_2, 6);
    const expected = [-1.5, -0.5 * 2, 0.5, 1.5].map((z, i) => z * Math.SQRT1_2 + (i === 2 ? 5 : 0));
    expect(out.get('y')?.data.every((value, i) => Math.abs(value - (expected[i] as number)) < 1e-6)).toBe(true);
  });

  it('FusedMatMul transposes and scales', async () => {
    const out = await evaluate(
      (b) => {
        const a = b.constant(float32([1, 2], [1, 2]));
        return ops.fusedMatMul(b, a, b.constant(float32([3, 2], [1, 0, 0, 1, 2, 2])), { transB: true, alpha: 0.5 });
      },
      'float32',
      [1, 3],
    );
    expect(out).toEqual({ shape: [1, 3], data: [0.5, 1, 3] });
  });

  it('SimplifiedLayerNormalization is an RMS norm', async () => {
    const out = await evaluate(
      (b) => {
        const x = b.constant(float32([1, 2], [3, 4]));
        return ops.simplifiedLayerNormalization(b, x, b.constant(float32([2], [1, 2])), { axis: -1, epsilon: 0 })[0];
      },
      'float32',
      [1, 2],
    );
    const rms = Math.sqrt(12.5);
    expect(out.data[0]).toBeCloseTo(3 / rms, 6);
    expect(out.data[1]).toBeCloseTo(8 / rms, 6);
  });

  it('MultiHeadAttention takes its inputs by name', async () => {
    const out = await evaluate(
      (b) => {
        const query = b.constant(float32([1, 1, 2], [0, 0]));
        const key = b.constant(float32([1, 2, 2], [1, 2, 3, 4]));
        const attentionBias = b.constant(float32([1, 1, 1, 2], [Math.log(3), 0]));
        return ops.multiHeadAttention(b, { query, key, value: key, attentionBias }, { numHeads: 1 })[0];
      },
      'float32',
      [1, 1, 2],
    );
    expect(out.data[0]).toBeCloseTo(0.75 * 1 + 0.25 * 3, 5);
    expect(out.data[1]).toBeCloseTo(0.75 * 2 + 0.25 * 4, 5);
  });

  it('Gather, and ScatterND that adds repeated rows', async () => {
    const rows = (b: ModelBuilder) => b.constant(float32([3, 2], [1, 2, 3, 4, 5, 6]));
    const gathered = await evaluate(
      (b) => ops.gather(b, rows(b), b.constant(int32([2], [2, 0])), { axis: 0 }),
      'float32',
      [2, 2],
    );
    expect(gathered).toEqual({ shape: [2, 2], data: [5, 6, 1, 2] });
    const scattered = await evaluate(
      (b) => {
        const indices = b.constant({ dtype: 'int64', shape: [3, 1], data: BigInt64Array.of(1n, 1n, 0n) });
        const zeros = b.constant(float32([3, 2], [0, 0, 0, 0, 0, 0]));
        return ops.scatterND(b, zeros, indices, rows(b), { reduction: 'add' });
      },
      'float32',
      [3, 2],
    );
    expect(scattered).toEqual({ shape: [3, 2], data: [5, 6, 4, 6, 0, 0] });
  });

  it('Split, Concat, Slice and Pad', async () => {
    const out = await evaluate((b) => {
      const x = b.constant(float32([6], [0, 1, 2, 3, 4, 5]));
      const [first, second, third] = ops.split(b, x, undefined, { axis: 0, numOutputs: 3 }, 3);
      const swapped = ops.concat(b, [third as OnnxValue, first as OnnxValue, second as OnnxValue], { axis: 0 });
      const every = ops.slice(b, swapped, b.constant([5]), b.constant([-100]), b.constant([0]), b.constant([-2]));
      return ops.pad(b, every, b.constant([1, 0]), b.constant(float32([], [9])), undefined, { mode: 'constant' });
    });
    expect(out).toEqual({ shape: [4], data: [9, 3, 1, 5] });
  });

  it('reductions, TopK and attributes that are flags', async () => {
    const matrix = (b: ModelBuilder) => b.constant(float32([2, 3], [1, 5, 3, 4, 2, 6]));
    expect(await evaluate((b) => ops.reduceSum(b, matrix(b), b.constant([-1]), { keepdims: false }))).toEqual({
      shape: [2],
      data: [9, 12],
    });
    expect((await evaluate((b) => ops.reduceMax(b, matrix(b), b.constant([0])), 'float32', [1, 3])).data).toEqual([
      4, 5, 6,
    ]);
    const smallest = (b: ModelBuilder) => ops.topK(b, matrix(b), b.constant([2]), { largest: false });
    expect((await evaluate((b) => smallest(b)[0], 'float32', [2, 2])).data).toEqual([1, 3, 2, 4]);
    expect((await evaluate((b) => smallest(b)[1], 'int64', [2, 2])).data).toEqual([0, 2, 1, 0]);
    const sums = await evaluate((b) =>
      ops.cumSum(b, b.constant(float32([3], [1, 2, 3])), b.constant(int64(0)), { exclusive: true, reverse: true }),
    );
    expect(sums.data).toEqual([5, 3, 0]);
  });

  it('uint32 arithmetic wraps, as counter-based random numbers need', async () => {
    const out = await evaluate((b) => {
      const x = b.constant(uint32([2], [0xffffffff, 3]));
      const product = ops.mul(b, x, b.constant(uint32([], [0x9e3779b9])));
      return ops.bitwiseXor(b, product, ops.bitShift(b, product, b.constant(uint32([], [16])), { direction: 'RIGHT' }));
    }, 'uint32');
    const expected = [0xffffffff, 3].map((x) => {
      const product = Math.imul(x, 0x9e3779b9) >>> 0;
      return (product ^ (product >>> 16)) >>> 0;
    });
    expect(out.data).toEqual(expected);
  });

  it('Cast, Where, ConstantOfShape and Constant', async () => {
    const out = await evaluate((b) => {
      const x = ops.constant(b, { valueFloats: [-1.5, 0, 2.5] });
      const positive = ops.greater(b, x, b.constant(float32([], [0])));
      const filler = ops.constantOfShape(b, ops.shape(b, x), { value: int32([1], [7]) });
      return ops.where(b, positive, ops.cast(b, x, { to: 'int32' }), filler);
    }, 'int32');
    expect(out).toEqual({ shape: [3], data: [7, 7, 2] });
  });
});
