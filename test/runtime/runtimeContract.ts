import { QkvError } from '../../src/base/errors.ts';
import { sharedFloats } from '../../src/base/sharedFloats.ts';
import { bool, float32, type HostTensor } from '../../src/base/tensor.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { mul } from '../../src/ops/elementwise.ts';
import { input, scalarConstant } from '../../src/ops/leaf.ts';
import type { Call, Runtime } from '../../src/runtime/runtime.ts';

const graphOf = (outputs: Graph['outputs']): Graph => ({ outputs, names: new Map() });

/** Each promise of `Runtime` that this one breaks, in words: for runtimes wherever they run. */
export async function brokenPromises(runtime: Runtime): Promise<string[]> {
  const broken: string[] = [];
  const require = (what: string, got: unknown, expected: unknown): void => {
    const [a, b] = [got, expected].map((value) => JSON.stringify(value));
    if (a !== b) broken.push(`${what}: got ${a}, expected ${b}`);
  };
  const refused = async (what: string, call: Call): Promise<void> => {
    const error = await runtime.run([call]).then(
      () => undefined,
      (cause: unknown) => cause,
    );
    if (!(error instanceof QkvError)) broken.push(`${what}: got ${String(error)}, expected a QkvError`);
  };
  const doubled = graphOf({ y: mul(input('x', 'float32', [2]), scalarConstant(2)) });
  const shared = (values: readonly number[]): HostTensor => {
    const data = sharedFloats(values.length);
    data.set(values);
    return float32([values.length], data);
  };

  const program = await runtime.compile(doubled, { label: 'double' });
  require('feeds', program.feeds, ['x']);
  require('fetches', program.fetches, ['y']);
  const x = shared([1, 2]);
  const results = await runtime.run([
    { program, feeds: { x }, into: { y: x } },
    { program, feeds: { x } },
  ]);
  require('the second call sees what the first wrote', [...results[1]!['y']!.data], [4, 8]);
  require('what is written into a target is not returned', Object.keys(results[0]!), []);
  require('the target', [...x.data], [2, 4]);
  results[1]!['y']!.data[0] = 100;
  require('results share no memory with feeds', [...x.data], [2, 4]);

  const feeds = { x: float32([2], [1, 2]) };
  await refused('a missing feed', { program, feeds: {} });
  await refused('an unexpected feed', { program, feeds: { ...feeds, z: x } });
  await refused('a feed of another shape', { program, feeds: { x: float32([1], [1]) } });
  await refused('a target for nothing', { program, feeds, into: { z: shared([0, 0]) } });
  await refused('a target of another shape', { program, feeds, into: { y: shared([0]) } });
  await refused('a target of another type', { program, feeds, into: { y: bool([2], [0, 0]) } });
  await refused('a program of nobody', { program: { ...program, [Symbol.dispose]: () => {} }, feeds });

  const [again] = await runtime.run([{ program, feeds }]);
  require('an error leaves no trace', [...again!['y']!.data], [2, 4]);
  const same = await runtime.compile(doubled);
  program[Symbol.dispose]();
  require('an equal graph', [...(await runtime.run([{ program: same, feeds }]))[0]!['y']!.data], [2, 4]);
  same[Symbol.dispose]();
  await refused('a disposed program', { program: same, feeds });

  const [sum, part] = [shared([1, 2, 3, 4, 5]), shared([1, 1, 1, 1, 1])] as [HostTensor, HostTensor];
  const flat = await runtime.runFlat([
    { kernel: 'accumulate', sum: sum.data as Float32Array, part: part.data as Float32Array },
    { kernel: 'sumOfSquares', x: sum.data as Float32Array },
  ]);
  require('flat kernels write in place', [...sum.data], [2, 3, 4, 5, 6]);
  require('flat kernels give numbers', flat, [0, 90]);
  return broken;
}
