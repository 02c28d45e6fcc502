import { readFile } from 'node:fs/promises';
import { afterAll, describe, expect, it } from 'vitest';
import type { HostTensor } from '../../src/base/tensor.ts';
import { openSafetensors, readHostTensor } from '../../src/checkpoint/safetensors.ts';
import { nodeStorage } from '../../src/checkpoint/storage.node.ts';
import { activationPatching } from '../../src/inspect/activationPatching.ts';
import { gradientTimesInput, integratedGradients } from '../../src/inspect/attribution.ts';
import { capture } from '../../src/inspect/capture.ts';
import { directLogitAttribution } from '../../src/inspect/directLogit.ts';
import { headStatistics } from '../../src/inspect/headStatistics.ts';
import { lens } from '../../src/inspect/lens.ts';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';
import { opened } from './opened.ts';

const runtime = await createNodeRuntime({ threads: 1, spinning: false });
afterAll(() => runtime[Symbol.asyncDispose]());

const folder = new URL('../../fixtures/inspect/', import.meta.url).pathname;
const { tensors } = await openSafetensors(nodeStorage(folder), 'expected.safetensors');
const json = JSON.parse(await readFile(`${folder}expected.json`, 'utf8'));
const { ids, corrupt, position, token, against, head } = json;
const score = { position, token, against };

/** The largest difference, relative to the largest expected value. */
function difference(found: ArrayLike<number>, expected: HostTensor): number {
  expect(found.length).toBe(expected.data.length);
  let [most, size] = [0, 0];
  for (let i = 0; i < found.length; i++) {
    most = Math.max(most, Math.abs(found[i]! - expected.data[i]!));
    size = Math.max(size, Math.abs(expected.data[i]!));
  }
  return most / size;
}

describe.each(['gpt2', 'llama'])('%s, as TransformerLens sees it', async (name) => {
  const expected = (key: string): Promise<HostTensor> => readHostTensor(tensors.get(`${name}.${key}`)!);
  const { inspection } = await opened(`parity/${name}`, runtime);
  const reading = { ids };

  it('has the same values everywhere', async () => {
    const names = [...tensors.keys()].flatMap((key) =>
      key.startsWith(`${name}.layers.`) ? [key.slice(name.length + 1)] : [],
    );
    expect(names.length).toBe(20);
    for (const [value, found] of await capture(inspection, reading, [...names, 'logits'])) {
      const wanted = await expected(value);
      expect(found.shape, value).toEqual(wanted.shape);
      expect(difference(found.data, wanted), value).toBeLessThan(1e-5);
    }
  });

  it.each(['zero', 'mean'] as const)('says the same without a head: %s', async (how) => {
    const edits = { heads: [{ path: `layers.${head[0]}.attention`, head: head[1], how }] };
    const found = await capture(inspection, reading, ['logits'], { edits });
    expect(difference(found.get('logits')!.data, await expected(how))).toBeLessThan(1e-5);
  });

  it('has the same grids of patches', async () => {
    const patch = (names: string[], by: 'position' | 'head') =>
      activationPatching(inspection, { ids }, { ids: corrupt }, { names, by, score });
    const positions = await patch(['layers.*.residualPre'], 'position');
    const heads = await patch(['layers.*.attention.context'], 'head');
    const scoresOf = ({ cells }: typeof heads): number[] => cells.map((cell) => cell.score);
    expect(difference(scoresOf(positions), await expected('patch.residualPre'))).toBeLessThan(1e-5);
    expect(difference(scoresOf(heads), await expected('patch.heads'))).toBeLessThan(1e-5);
  });

  it('has the same logit lens', async () => {
    const wanted = await expected('lens');
    const [layers, length, vocab] = wanted.shape as [number, number, number];
    const { choices } = await lens(inspection, reading, { top: vocab });
    for (let layer = 0; layer < layers; layer++) {
      for (let t = 0; t < length; t++) {
        const logits = [...wanted.data.subarray((layer * length + t) * vocab, (layer * length + t + 1) * vocab)];
        const total = logits.reduce((sum, z) => sum + Math.exp(z), 0);
        for (const { id, probability } of choices[layer + 1]![t]!) {
          expect(probability).toBeCloseTo(Math.exp(logits[id]!) / total, 5);
        }
      }
    }
  });

  it('has the same direct parts of a difference of logits', async () => {
    const { parts, score: whole } = await directLogitAttribution(inspection, reading, score);
    const heads = parts.filter((part) => part.head !== null).map(({ value }) => value);
    expect(difference(heads, await expected('direct.heads'))).toBeLessThan(1e-4);
    const direct = json[`${name}.direct`] as Record<string, number>;
    expect(whole).toBeCloseTo(direct['score']!, 4);
    const byName = Object.fromEntries(parts.map((part) => [part.name, part.value]));
    expect(byName['layers.0.mlp']).toBeCloseTo(direct['0_mlp_out']!, 4);
    expect(byName['layers.1.mlp']).toBeCloseTo(direct['1_mlp_out']!, 4);
    expect(byName['embedding']).toBeCloseTo(direct['embed']! + (direct['pos_embed'] ?? 0), 4);
  });

  it('has the same scores of heads', async () => {
    const found = await headStatistics(inspection, reading);
    for (const measure of ['previous', 'induction', 'duplicate'] as const) {
      const all = found.map((one) => one[measure]);
      expect(Math.max(...all)).toBeGreaterThan(0);
      expect(difference(all, await expected(`scores.${measure}`)), measure).toBeLessThan(1e-5);
    }
  });

  it("has captum's attributions", async () => {
    const times = await gradientTimesInput(inspection, reading, score);
    expect(difference(times.target, await expected('gradientTimesInput'))).toBeLessThan(1e-4);
    const integrated = await integratedGradients(inspection, reading, score, { steps: 400 });
    expect(Math.abs(integrated.gap)).toBeLessThan(1e-3);
    // of Llama captum has none: make.py says why
    if (name === 'gpt2')
      expect(difference(integrated.target, await expected('integratedGradients'))).toBeLessThan(1e-3);
  });
});
