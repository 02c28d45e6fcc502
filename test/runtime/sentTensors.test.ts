import { describe, expect, it } from 'vitest';
import { float32 } from '../../src/base/tensor.ts';
import { add } from '../../src/ops/elementwise.ts';
import { input, scalarConstant } from '../../src/ops/leaf.ts';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';
import { SentTensors } from '../../src/runtime/node/sentTensors.ts';

const shared = (...values: number[]) => {
  const data = new Float32Array(new SharedArrayBuffer(4 * values.length));
  data.set(values);
  return float32([values.length], data);
};

describe('tensors that cross the thread boundary', () => {
  it('on shared memory go once, then as a number', () => {
    const sent = new SentTensors();
    const [a, b] = [shared(1), shared(2)];
    expect(sent.refer({ a, b })).toEqual({ a: 0, b: 1 });
    expect(sent.news().learn.map(([number]) => number)).toEqual([0, 1]);
    expect(sent.refer({ again: b, other: { ...a } })).toEqual({ again: 1, other: 2 });
    expect(sent.news().learn.map(([number]) => number)).toEqual([2]);
    expect(sent.news()).toEqual({ learn: [], forget: [] });
  });

  it('of this thread alone go every time', () => {
    const sent = new SentTensors();
    const tensor = float32([2], Float32Array.of(1, 2));
    expect(sent.refer({ tensor })).toEqual({ tensor });
    expect(sent.news().learn).toEqual([]);
  });

  it('are seen as they are at each run, as feeds and as targets, on every lane', async () => {
    await using runtime = await createNodeRuntime({ lanes: 2, threads: 1 });
    const x = input('x', 'float32', [2]);
    using program = await runtime.compile({ outputs: { y: add(x, scalarConstant(1)) }, names: new Map() });
    const [feed, target] = [shared(1, 2), shared(0, 0)];
    for (const [run, lane] of [0, 1, 0, 1].entries()) {
      feed.data[0] = 10 * run;
      await runtime.run([{ program, feeds: { x: feed }, into: { y: target } }], lane);
      expect([...target.data]).toEqual([10 * run + 1, 3]);
    }
  });
});
