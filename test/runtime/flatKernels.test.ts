import { afterAll, describe, expect, it } from 'vitest';
import { deriveSeed, normal } from '../../src/base/random.ts';
import { memoryOf, sharedFloats } from '../../src/base/sharedFloats.ts';
import { type FlatCall, runFlat } from '../../src/runtime/flatKernels.ts';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';

// The node runtime's WebAssembly kernels, in float32, against the plain loops, in float64: ranges with every remainder of
// four and every kind of start, in memories of all offsets, and arrays that no WebAssembly memory lies under.

const runtime = await createNodeRuntime({ lanes: 2, threads: 1, spinning: false });
afterAll(() => runtime[Symbol.asyncDispose]());

type Make = (length: number) => Float32Array;
const makers: Record<string, Make> = {
  'on WebAssembly memories': sharedFloats,
  'on plain shared memory': (length) => new Float32Array(new SharedArrayBuffer(4 * length)),
};
const lengths = [0, 1, 3, 4, 5, 31, 1000, 70_001];

function filled(make: Make, length: number, name: string): Float32Array {
  // one element before the range and one behind it, which no kernel may touch; second moments are not negative
  const whole = make(length + 2);
  whole.set(normal(deriveSeed(3, name), length + 2).map((x) => (name === 'second' ? x * x : x)));
  return whole.subarray(1, length + 1);
}

/** The largest difference between two arrays, their neighbours included, relative to the largest element. */
function difference(actual: Float32Array, expected: Float32Array): number {
  const around = (x: Float32Array): Float32Array => new Float32Array(x.buffer, x.byteOffset - 4, x.length + 2);
  const [a, b] = [around(actual), around(expected)];
  const largest = b.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  return a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0) / largest;
}

const adamScalars = { learningRate: 1e-2, beta1: 0.9, beta2: 0.98, eps: 1e-6, gradientScale: 0.7, step: 3 };

describe.each(Object.entries(makers))('flat kernels %s', (_, make) => {
  it.each(lengths)('adam and adamw on %i elements', async (length) => {
    for (const [decoupled, weightDecay] of [
      [true, 0.1],
      [false, 0.1],
      [true, 0],
    ] as const) {
      const arraysBy = (maker: Make): Extract<FlatCall, { kernel: 'adam' }>['arrays'] => ({
        parameter: filled(maker, length, 'parameter'),
        gradient: filled(maker, length, 'gradient'),
        exp_avg: filled(maker, length, 'first'),
        exp_avg_sq: filled(maker, length, 'second'),
      });
      const [actual, expected] = [arraysBy(make), arraysBy((n) => new Float32Array(n))];
      const scalars = { ...adamScalars, decoupled, weightDecay };
      await runtime.runFlat([{ kernel: 'adam', arrays: actual, scalars }]);
      runFlat({ kernel: 'adam', arrays: expected, scalars });
      expect(difference(actual.parameter, expected.parameter)).toBeLessThan(2e-7);
      expect(difference(actual.exp_avg, expected.exp_avg)).toBeLessThan(2e-7);
      expect(difference(actual.exp_avg_sq, expected.exp_avg_sq)).toBeLessThan(2e-7);
      expect(difference(actual.gradient, expected.gradient)).toBe(0);
    }
  });

  it.each(lengths)('accumulate and sumOfSquares on %i elements', async (length) => {
    const [sum, part] = [filled(make, length, 'sum'), filled(make, length, 'part')];
    const expected = filled((n) => new Float32Array(n), length, 'sum');
    for (let i = 0; i < length; i++) expected[i] = expected[i]! + part[i]!;
    const results = await runtime.runFlat([
      { kernel: 'accumulate', sum, part },
      { kernel: 'sumOfSquares', x: sum },
    ]);
    expect(difference(sum, expected)).toBe(0);
    const square = expected.reduce((total, x) => total + x * x, 0);
    expect(Math.abs(results[1]! - square)).toBeLessThanOrEqual(1e-12 * square);
  });
});

it('keeps what is not a number', async () => {
  const x = sharedFloats(8);
  x[5] = Number.NaN;
  expect(await runtime.runFlat([{ kernel: 'sumOfSquares', x }])).toEqual([Number.NaN]);
});

it('works for more arrays than it keeps instances for, on both lanes', async () => {
  const arrays = Array.from({ length: 40 }, (_, i) => sharedFloats(16).fill(i));
  for (const lane of [0, 1, 0]) {
    const sums = await runtime.runFlat(
      arrays.map((x): FlatCall => ({ kernel: 'sumOfSquares', x })),
      lane,
    );
    expect(sums).toEqual(arrays.map((_, i) => 16 * i * i));
  }
});

it('gives an array a place of its own, zeros that all threads see', () => {
  const [a, b] = [sharedFloats(100), sharedFloats(100)];
  expect(a.every((x) => x === 0)).toBe(true);
  expect(memoryOf(a.subarray(7))).toBeDefined();
  expect(memoryOf(a)).not.toBe(memoryOf(b));
  expect(a.byteOffset % 64).toBe(0);
  expect(memoryOf(new Float32Array(new SharedArrayBuffer(8)))).toBeUndefined();
});
