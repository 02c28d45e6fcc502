import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { int32 } from '../../src/base/tensor.ts';
import { Trace } from '../../src/nn/scope.ts';
import { input } from '../../src/ops/leaf.ts';
import { openModel } from '../../src/pretrained/openModel.node.ts';
import type { Pretrained } from '../../src/pretrained/pretrained.ts';
import { evaluate } from '../../src/runtime/reference/reference.ts';

const fixtures = join(import.meta.dirname, '../../fixtures');
/** What fixtures/lora/make.py wrote: the last 24 logits of the batch. */
const expected = JSON.parse(readFileSync(join(fixtures, 'lora/expected.json'), 'utf8')) as Readonly<
  Record<string, { readonly ids: readonly (readonly number[])[]; readonly logits: readonly number[] }>
>;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'qkv-adapter-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The logits of ids [B, T], all of them. */
function logitsOf({ model, arena }: Pretrained, ids: readonly (readonly number[])[]): number[] {
  const shape = [ids.length, ids[0]!.length];
  const { root } = new Trace();
  const leaf = input('ids', 'int32', shape);
  if (model.kind === 'encoder-decoder') throw new Error('a model that reads one sequence');
  const logits =
    model.kind === 'causal'
      ? model.logits(root, model.forward(root, { ids: leaf }).rows)
      : model.head.outputs(root, model.encode(root, { ids: leaf }))['logits']!;
  const graph = { outputs: { logits }, names: new Map() };
  return Array.from(evaluate(graph, { ...arena.tensors, ids: int32(shape, ids.flat()) })['logits']!.data);
}

function expectClose(got: readonly number[], wanted: readonly number[]): void {
  const last = got.slice(-wanted.length);
  expect(last).toHaveLength(wanted.length);
  for (const [i, value] of wanted.entries()) expect(last[i]).toBeCloseTo(value, 4);
}

describe('an adapter that peft made', () => {
  it.each(Object.keys(expected))('of %s opens by its folder, with its base beside', async (name) => {
    const { ids, logits } = expected[name]!;
    expectClose(logitsOf(await openModel(join(fixtures, 'lora', name)), ids), logits);
  });

  it('is swapped in, and out again', async () => {
    const base = join(fixtures, 'parity/llama');
    const { ids, logits } = expected['llama']!;
    const adapted = await openModel(base, { adapter: join(fixtures, 'lora/llama') });
    expectClose(logitsOf(adapted, ids), logits);
    const plain = logitsOf(await openModel(base), ids).slice(-24);
    expect(plain.some((value, i) => Math.abs(value - logits[i]!) > 0.01)).toBe(true);
  });

  it('is refused for another base, by name', async () => {
    const opening = openModel(join(fixtures, 'parity/gpt2'), { adapter: join(fixtures, 'lora/llama') });
    await expect(opening).rejects.toThrow(/model\.layers\.0\.self_attn\.q_proj: the base has no such layer/);
  });

  it('is refused where it is of another kind, or its base cannot be found', async () => {
    const copy = join(folder, 'dora');
    cpSync(join(fixtures, 'lora/llama'), copy, { recursive: true });
    const file = join(copy, 'adapter_config.json');
    const config = JSON.parse(readFileSync(file, 'utf8')) as object;
    await expect(openModel(copy)).rejects.toThrow(/base model of .*no folder/);
    writeFileSync(file, JSON.stringify({ ...config, use_dora: true }));
    const opening = openModel(join(fixtures, 'parity/llama'), { adapter: copy });
    await expect(opening).rejects.toThrow(/use_dora/);
    await expect(openModel(join(fixtures, 'parity/llama'), { adapter: folder })).rejects.toThrow(
      /a folder with adapter_config.json/,
    );
  });
});
