import { QkvError } from '../../base/errors.ts';
import { deriveSeed, normal } from '../../base/random.ts';
import { float32, type HostTensor, int32, sizeOf } from '../../base/tensor.ts';
import type { Graph } from '../../graph/graph.ts';
import { gelu } from '../../ops/activation.ts';
import { add } from '../../ops/elementwise.ts';
import { gather } from '../../ops/gather.ts';
import { input } from '../../ops/leaf.ts';
import { matmul } from '../../ops/matmul.ts';
import { layerNorm } from '../../ops/norm.ts';
import { sum } from '../../ops/reduce.ts';
import { reshape, transpose } from '../../ops/shape.ts';
import { softmax } from '../../ops/softmax.ts';
import { evaluate } from '../reference/reference.ts';
import type { Runtime, Tensors } from '../runtime.ts';

/** Largest |difference| / max |reference| that rounding explains. */
const TOLERANCE = 1e-3;

/** Odd sizes, so that no kernel's tiles fit: rows, width, heads, width of a head, vocabulary. */
const [T, D, H, K, V] = [37, 60, 3, 20, 101];

const shapes = { table: [V, D], weight: [D], bias: [D], w: [D, D] } as const;

/** Attention and what stands around it, each kind of kernel once. */
function graph(): Graph {
  const leaf = (name: keyof typeof shapes) => input(name, 'float32', shapes[name]);
  const [table, w] = [leaf('table'), leaf('w')];
  const x = layerNorm(gather(table, input('ids', 'int32', [T])), leaf('weight'), leaf('bias'), 1e-5);
  const heads = transpose(reshape(matmul(x, w), [T, H, K]), [1, 0, 2]);
  const maps = softmax(matmul(heads, heads, { transposeB: true, alpha: 0.2 }));
  const context = reshape(transpose(matmul(maps, heads), [1, 0, 2]), [T, D]);
  const y = add(x, gelu(context));
  const product = matmul(y, x, { transposeA: true });
  return { outputs: { maps, y, product, sum: sum(product, [0]) }, names: new Map() };
}

/**
 * Some GPUs compute other numbers than they should, and say nothing: this compares a few with the exact ones.
 *
 * @throws QkvError `runtime` where they are not the same
 */
export async function compareWithReference(runtime: Runtime): Promise<void> {
  const ids = int32(
    [T],
    Array.from({ length: T }, (_, i) => (i * 29) % V),
  );
  const floats = Object.entries(shapes).map(([name, shape]): [string, HostTensor] => [
    name,
    float32(shape, Float32Array.from(normal(deriveSeed(1, name), sizeOf(shape)))),
  ]);
  const feeds: Tensors = { ids, ...Object.fromEntries(floats) };
  using program = await runtime.compile(graph(), { label: 'comparison' });
  const [found] = await runtime.run([{ program, feeds }]);
  for (const [name, expected] of Object.entries(evaluate(graph(), feeds))) {
    const difference = deviation(found![name]!.data, expected.data);
    if (difference <= TOLERANCE) continue;
    throw new QkvError('runtime', {
      where: `${runtime.name}: comparison, ${name}`,
      got: `numbers that differ by ${difference.toPrecision(2)} of the largest from the exact ones`,
      expected: `at most ${TOLERANCE}`,
      hint: "This GPU, or its driver, is not to be trusted: use the backend 'wasm'",
    });
  }
}

function deviation(actual: HostTensor['data'], expected: HostTensor['data']): number {
  let [difference, largest] = [0, 0];
  expected.forEach((value, i) => {
    const distance = Math.abs(actual[i]! - value);
    difference = Number.isNaN(distance) ? Infinity : Math.max(difference, distance);
    largest = Math.max(largest, Math.abs(value));
  });
  return difference / largest;
}
