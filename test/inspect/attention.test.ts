import { afterAll, describe, expect, it } from 'vitest';
import { openSafetensors, readHostTensor } from '../../src/checkpoint/safetensors.ts';
import { nodeStorage } from '../../src/checkpoint/storage.node.ts';
import { captureAttention, headWeights, type LayerAttention } from '../../src/inspect/attention.ts';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';
import { parityCase } from '../generate/parityCase.ts';

const runtime = await createNodeRuntime({ threads: 1, spinning: false });
afterAll(() => runtime[Symbol.asyncDispose]());

async function expectedOf(name: string) {
  const folder = new URL(`../../fixtures/parity/${name}/`, import.meta.url).pathname;
  const { tensors } = await openSafetensors(nodeStorage(folder), 'expected.safetensors');
  return (key: string) => readHostTensor(tensors.get(key)!);
}

/** The largest |difference| between a map and example `b` of the reference's, which is padded to more rows and columns. */
function difference(
  { weights }: LayerAttention,
  expected: { shape: readonly number[]; data: ArrayLike<number> },
  b: number,
) {
  const [heads, queries, keys] = weights.shape as [number, number, number];
  const [, , T, S] = expected.shape as [number, number, number, number];
  let most = 0;
  for (let h = 0; h < heads; h++) {
    for (let t = 0; t < queries; t++) {
      for (let s = 0; s < keys; s++) {
        const found = weights.data[(h * queries + t) * keys + s]!;
        most = Math.max(most, Math.abs(found - expected.data[((b * heads + h) * T + t) * S + s]!));
      }
    }
  }
  return most;
}

/** Example b's ids, without padding. */
function idsOf(
  ids: { shape: readonly number[]; data: ArrayLike<number> },
  mask: ArrayLike<number>,
  b: number,
): number[] {
  const length = ids.shape[1]!;
  return Array.from({ length }, (_, t) => b * length + t)
    .filter((at) => mask[at] !== 0)
    .map((at) => ids.data[at]!);
}

describe('captureAttention', () => {
  it.each(['marian', 'transformer'])('gives every map of %s as the reference has it', async (name) => {
    const { session } = await parityCase(name, runtime);
    const expected = await expectedOf(name);
    const mask = (await expected('input.attention_mask')).data;
    const decoderIds = await expected('input.decoder_input_ids');
    const length = decoderIds.shape[1]!;
    for (let b = 0; b < 2; b++) {
      const source = idsOf(await expected('input.input_ids'), mask, b);
      const target = Array.from({ length: length - 1 }, (_, t) => decoderIds.data[b * length + t + 1]!);
      const maps = await captureAttention(session, source, target);
      expect(maps.map(({ kind, layer }) => `${kind} ${layer}`)).toEqual([
        'encoder 0',
        'encoder 1',
        'decoder 0',
        'decoder 1',
        'cross 0',
        'cross 1',
      ]);
      for (const map of maps) {
        const { data, shape } = await expected(`output.${map.kind}_attentions.${map.layer}`);
        expect(map.weights.shape).toEqual([4, map.queryIds.length, map.keyIds.length]);
        expect(difference(map, { data, shape }, b), map.name).toBeLessThan(1e-5);
      }
    }
  });

  it('gives every map of gpt2, and heads and their mean out of them', async () => {
    const { session } = await parityCase('gpt2', runtime);
    const expected = await expectedOf('gpt2');
    const ids = idsOf(await expected('input.input_ids'), (await expected('input.attention_mask')).data, 1);
    const maps = await captureAttention(session, null, ids);
    expect(maps.map(({ name }) => name)).toEqual(['layers.0.attention.weights', 'layers.1.attention.weights']);
    for (const map of maps) {
      const { data, shape } = await expected(`output.attentions.${map.layer}`);
      expect(difference(map, { data, shape }, 1), map.name).toBeLessThan(1e-5);
      const heads = [0, 1, 2, 3].map((head) => headWeights(map, head));
      expect(heads[2]![ids.length]).toBe(map.weights.data[2 * ids.length ** 2 + ids.length]);
      headWeights(map, 'mean').forEach((mean, i) => {
        expect(mean).toBeCloseTo(heads.reduce((sum, head) => sum + head[i]!, 0) / 4, 6);
      });
    }
  });

  it('refuses a source for a decoder, none for an encoder-decoder, and unknown ids', async () => {
    const [gpt2, marian] = [await parityCase('gpt2', runtime), await parityCase('marian', runtime)];
    await expect(captureAttention(gpt2.session, [1], [2])).rejects.toMatchObject({ code: 'usage' });
    await expect(captureAttention(marian.session, null, [2])).rejects.toMatchObject({ code: 'usage' });
    await expect(captureAttention(marian.session, [3, 100], [2])).rejects.toThrow('token 100');
  });
});
