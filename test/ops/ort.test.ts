import { afterAll, describe, expect, it } from 'vitest';
import type { Graph } from '../../src/graph/graph.ts';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';
import { evaluate } from '../../src/runtime/reference/reference.ts';
import type { Tensors } from '../../src/runtime/runtime.ts';
import { deviation } from './deviation.ts';
import { opsParityCases } from './opsParity.ts';
import { allSamples, buildSample, withGradients } from './samples.ts';

/** Of float32 results, relative to the largest element of the tensor. */
const usual = 2e-6;

const runtime = await createNodeRuntime({ threads: 1, spinning: false });
afterAll(() => runtime[Symbol.asyncDispose]());

async function compare(graph: Graph, feeds: Tensors, tolerance: number): Promise<void> {
  using program = await runtime.compile(graph);
  const [results] = await runtime.run([{ program, feeds }]);
  for (const [name, expected] of Object.entries(evaluate(graph, feeds))) {
    expect(deviation(results![name]!, expected), name).toBeLessThanOrEqual(
      expected.dtype === 'float32' ? tolerance : 0,
    );
  }
}

describe('ONNX Runtime against the reference', () => {
  it.each(allSamples())('$title', async ({ op, sample }) => {
    const built = buildSample(op, sample);
    const tolerance = sample.tolerance ?? usual;
    await compare(built.graph, built.feeds, tolerance);
    const backward = withGradients(built);
    if (backward) await compare(backward.graph, backward.feeds, tolerance);
  });
});

describe('ONNX Runtime against PyTorch', async () => {
  it.each(await opsParityCases(runtime))('$name', async ({ run }) => {
    const deviations = await run();
    expect(deviations.length).toBeGreaterThan(0);
    for (const { tensor, deviation: found } of deviations) expect(found, tensor).toBeLessThan(usual);
  });
});
