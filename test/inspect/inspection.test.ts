import { afterAll, describe, expect, it } from 'vitest';
import type { HostTensor } from '../../src/base/tensor.ts';
import { attentionMaps, placesOf } from '../../src/inspect/attention.ts';
import { capture, captureEach, valueNames } from '../../src/inspect/capture.ts';
import type { Edits } from '../../src/inspect/edits.ts';
import { headSteps } from '../../src/inspect/headSteps.ts';
import type { Inspection } from '../../src/inspect/inspection.ts';
import { predictions } from '../../src/inspect/predictions.ts';
import type { Reading } from '../../src/inspect/reading.ts';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';
import { families, opened } from './opened.ts';

const runtime = await createNodeRuntime({ threads: 1, spinning: false });
afterAll(() => runtime[Symbol.asyncDispose]());

const open = (name: string) => opened(`parity/${name}`, runtime);

function difference(a: HostTensor, b: HostTensor): number {
  expect(a.shape).toEqual(b.shape);
  let most = 0;
  for (let i = 0; i < a.data.length; i++) most = Math.max(most, Math.abs(a.data[i]! - b.data[i]!));
  return most;
}

const outputName = ({ pass }: Inspection): string =>
  ['logits', 'predictionLogits'].find((name) => name in pass.graph.outputs)!;

async function outputOf(inspection: Inspection, reading: Reading, edits: Edits = {}): Promise<HostTensor> {
  const name = outputName(inspection);
  return (await capture(inspection, reading, [name], { edits })).get(name)!;
}

/** Of a layer's norm; of ALBERT the group's. */
function normParameter({ parameters }: Inspection, path: string): ArrayLike<number> | undefined {
  return (parameters[path] ?? parameters[path.replace(/^layers\.\d+/, 'groups.0.0')])?.data;
}

describe.each(families)('%s', (family) => {
  it('is not changed when every value is patched with itself, alone and together', async () => {
    const { inspection, reading } = await open(family);
    const names = valueNames(inspection).filter((name) => inspection.pass.graph.names.has(name) && name !== 'pooled');
    const captured = await capture(inspection, reading, names);
    const plain = await outputOf(inspection, reading);
    const values = names.map((name) => ({ name, how: 'patch' as const, value: captured.get(name)! }));
    expect(difference(await outputOf(inspection, reading, { values }), plain)).toBe(0);
    for (const value of values.filter(({ name }) => /layers\.1\./.test(name))) {
      expect(difference(await outputOf(inspection, reading, { values: [value] }), plain), value.name).toBe(0);
    }
  });

  it('is changed by every kind of edit, and each does what it says', async () => {
    const { inspection, reading } = await open(family);
    const plain = await outputOf(inspection, reading);
    const places = placesOf(inspection.pass);
    for (const { path } of places) {
      for (const how of ['zero', 'mean'] as const) {
        const edits: Edits = { heads: [{ path, head: 1, how }] };
        const context = (await capture(inspection, reading, [`${path}.context`], { edits })).get(`${path}.context`)!;
        const before = (await capture(inspection, reading, [`${path}.context`])).get(`${path}.context`)!;
        const [length, width] = context.shape as [number, number];
        const size = width / places.find((place) => place.path === path)!.heads;
        for (let k = 0; k < width; k++) {
          const column = Array.from({ length }, (_, t) => before.data[t * width + k]!);
          const mean = column.reduce((sum, x) => sum + x, 0) / length;
          for (let t = 0; t < length; t++) {
            const wanted = Math.floor(k / size) !== 1 ? column[t]! : how === 'zero' ? 0 : mean;
            expect(context.data[t * width + k]).toBeCloseTo(wanted, 5);
          }
        }
        const after = difference(await outputOf(inspection, reading, edits), plain);
        expect(after, `${path} ${how}`).toBeGreaterThan(1e-6);
      }
      const hidden = [{ side: 'source', position: 2 } as const, { side: 'target', position: 2 } as const];
      const [map] = await attentionMaps(inspection, reading, { edits: { hidden }, paths: [path] });
      const keys = map!.weights.shape[2]!;
      map!.weights.data.forEach((weight, i) => {
        if (i % keys === 2) expect(weight).toBe(0);
      });
    }
    const layer = inspection.model.kind === 'encoder-decoder' ? 'decoder.layers.0' : 'layers.0';
    const kinds: Edits[] = [{ mlps: [layer] }, { scoreFactor: 3 }, { positions: false }];
    if (inspection.model.kind !== 'encoder') kinds.push({ causalMask: false });
    for (const edits of kinds) {
      expect(difference(await outputOf(inspection, reading, edits), plain), JSON.stringify(edits)).toBeGreaterThan(
        1e-6,
      );
    }
    expect(difference(await outputOf(inspection, reading, { scoreFactor: 1, causalMask: true }), plain)).toBe(0);
  });

  it('without positions and without the order from left to right sees a bag of tokens', async () => {
    const { inspection, reading } = await open(family);
    const edits: Edits = { positions: false, causalMask: false };
    const [ids, sourceIds] = [reading.ids.toReversed(), reading.sourceIds?.toReversed()];
    const segments = reading.segments?.toReversed();
    const plain = await outputOf(inspection, reading, edits);
    const turned = { ids, ...(sourceIds && { sourceIds }), ...(segments && { segments }) };
    const other = await outputOf(inspection, turned, edits);
    const [length, width] = plain.shape as [number, number];
    for (let t = 0; t < length; t++) {
      for (let v = 0; v < width; v++) {
        expect(other.data[(length - 1 - t) * width + v]).toBeCloseTo(plain.data[t * width + v]!, 4);
      }
    }
  });

  it('is followed by the numbers of the steps, from the product to the residual stream', async () => {
    const { inspection, reading } = await open(family);
    const places = placesOf(inspection.pass);
    for (const { path, heads } of places) {
      const steps = await headSteps(inspection, reading, { path, head: heads - 1, position: 1 });
      const { headSize, products, scaled, masked, weights, values, context, scale } = steps;
      const [map] = await attentionMaps(inspection, reading, { paths: [path] });
      const keys = map!.keyIds.length;
      for (const [s, product] of products.entries()) expect(product * scale).toBeCloseTo(scaled[s]!, 4);
      const exponentials = masked.map((score) => Math.exp(score - Math.max(...masked)));
      const total = exponentials.reduce((sum, x) => sum + x, 0);
      for (const [s, x] of exponentials.entries()) expect(x / total).toBeCloseTo(weights[s]!, 5);
      const at = ((heads - 1) * map!.queryIds.length + 1) * keys;
      expect([...weights]).toEqual([...map!.weights.data.subarray(at, at + keys)]);
      context.forEach((x, k) => {
        expect(weights.reduce((sum, weight, s) => sum + weight * values[s * headSize + k]!, 0)).toBeCloseTo(x, 4);
      });
      const layer = path.replace(/\.\w+$/, '');
      const captured = async (name: string): Promise<number[]> => {
        const value = (await capture(inspection, reading, [name])).get(name)!;
        const width = value.shape.at(-1)!;
        return [...value.data.subarray(width, 2 * width)]; // of position 1
      };
      // what has a name is that value; each sublayer's sum and norm, by hand
      const { sublayers, norm } = steps;
      const hasCross = places.some((place) => place.path === `${layer}.crossAttention`);
      const names = ['attention', ...(hasCross ? ['crossAttention'] : []), 'mlp'];
      expect(sublayers.map(({ name }) => name)).toEqual(names);
      expect([...sublayers[0]!.before]).toEqual(await captured(`${layer}.residualPre`));
      expect([...sublayers.at(-1)!.before]).toEqual(await captured(`${layer}.residualMid`));
      expect([...sublayers.at(-1)!.after]).toEqual(await captured(`${layer}.residualPost`));
      for (const [i, { name, before, input, out, sum, after }] of sublayers.entries()) {
        expect([...out]).toEqual(await captured(`${layer}.${name}.${name === 'mlp' ? 'mlpOut' : 'attentionOut'}`));
        const normed = (x: Float32Array): number[] => {
          const parameter = (part: string) => normParameter(inspection, `${layer}.${name}Norm.${part}`);
          const [weight, bias] = [parameter('weight')!, parameter('bias')];
          const mean = norm.kind === 'rms' ? 0 : x.reduce((total, one) => total + one, 0) / x.length;
          const size = Math.sqrt(x.reduce((total, one) => total + (one - mean) ** 2, 0) / x.length);
          return Array.from(x, (one, k) => ((one - mean) / size) * weight[k]! + (bias?.[k] ?? 0));
        };
        const near = (actual: Float32Array, expected: Iterable<number>, what: string, digits = 5): void => {
          const all = [...expected];
          for (const [k, x] of actual.entries()) expect(x, `${path}: ${what} of ${name}`).toBeCloseTo(all[k]!, digits);
        };
        near(
          sum,
          before.map((x, k) => x + out[k]!),
          'sum',
        );
        if (norm.placement === 'pre') near(input, normed(before), 'norm', 2);
        else near(after, normed(sum), 'norm', 2);
        expect([...(norm.placement === 'pre' ? after : input)]).toEqual([...(norm.placement === 'pre' ? sum : before)]);
        if (i > 0) expect([...before]).toEqual([...sublayers[i - 1]!.after]);
      }
      expect([...steps.attentionOut]).toEqual(await captured(`${path}.attentionOut`));
      expect(norm.placement).toBe(
        ['bert', 'roberta', 'albert', 'distilbert', 'bart', 'marian', 'transformer'].includes(family.split('-')[0]!)
          ? 'post'
          : 'pre',
      );
    }
  });

  it('predicts what its logits say', async () => {
    const { inspection, reading } = await open(family);
    const logits = await outputOf(inspection, reading);
    const { choices, loss, entropy } = await predictions(inspection, reading, { top: 3, temperature: 0.5 });
    const vocab = inspection.model.vocabSize;
    for (let t = 0; t < reading.ids.length; t++) {
      const row = [...logits.data.subarray(t * vocab, (t + 1) * vocab)];
      const p = (temperature: number): number[] => {
        const e = row.map((z) => Math.exp((z - Math.max(...row)) / temperature));
        return e.map((x) => x / e.reduce((sum, y) => sum + y, 0));
      };
      const best = p(0.5).map((x, id) => ({ id, x }));
      best.sort((a, b) => b.x - a.x);
      expect(choices[t]!.map(({ id }) => id)).toEqual(best.slice(0, 3).map(({ id }) => id));
      expect(choices[t]![0]!.probability).toBeCloseTo(best[0]!.x, 5);
      for (const { id, logit } of choices[t]!) expect(logit).toBeCloseTo(row[id]!, 4);
      expect(entropy[t]).toBeCloseTo(-p(0.5).reduce((sum, x) => sum + x * Math.log(x + 1e-300), 0), 3);
      const target = inspection.model.kind === 'encoder' ? reading.ids[t]! : reading.ids[t + 1];
      if (target === undefined) expect(loss[t]).toBeNull();
      else expect(loss[t]).toBeCloseTo(-Math.log(p(1)[target]!), 4);
    }
  });
});

describe('edits', () => {
  it('are refused by name where a model has nothing of the kind', async () => {
    const { inspection, reading } = await open('gpt2');
    const bad: [Edits, string][] = [
      [{ heads: [{ path: 'layers.7.attention', head: 0, how: 'zero' }] }, 'layers.1.attention'],
      [{ heads: [{ path: 'layers.0.attention', head: 4, how: 'zero' }] }, 'from 0 to 3'],
      [{ hidden: [{ side: 'target', position: 6 }] }, 'from 0 to 5'],
      [{ mlps: ['layers.9'] }, 'layers.0, layers.1'],
      [{ values: [{ name: 'layers.0.mlp.mlpOut', how: 'zero', heads: [1] }] }, 'no heads'],
      [{ values: [{ name: 'layers.0.residualPost', how: 'patch' }] }, 'no value'],
      [{ values: [{ name: 'layers.0.residual', how: 'zero' }] }, 'layers.0.residual'],
      [{ scoreFactor: Number.NaN }, 'a number'],
    ];
    for (const [edits, message] of bad) await expect(outputOf(inspection, reading, edits)).rejects.toThrow(message);
  });

  it('of heads and positions act there alone', async () => {
    const { inspection, reading } = await open('gpt2');
    const name = 'layers.0.attention.value';
    const before = (await capture(inspection, reading, [name])).get(name)!;
    const edits: Edits = { values: [{ name, how: 'zero', heads: [1, 3], positions: [2] }] };
    const after = (await capture(inspection, reading, [name], { edits })).get(name)!;
    const [, length, size] = after.shape as [number, number, number];
    after.data.forEach((x, i) => {
      const [head, position] = [Math.floor(i / (length * size)), Math.floor(i / size) % length];
      expect(x + 0).toBe(position === 2 && head % 2 === 1 ? 0 : before.data[i]);
    });
  });
});

describe('capture', () => {
  it('gives the same in one run and in many, by glob and by expression', async () => {
    const { inspection, reading } = await open('marian');
    const all = await capture(inspection, reading, ['**.residualPost', /crossAttention\.weights$/]);
    expect([...all.keys()]).toEqual([
      'encoder.layers.0.residualPost',
      'encoder.layers.1.residualPost',
      'decoder.layers.0.crossAttention.weights',
      'decoder.layers.0.residualPost',
      'decoder.layers.1.crossAttention.weights',
      'decoder.layers.1.residualPost',
    ]);
    for await (const [name, value] of captureEach(inspection, reading, ['**.residualPost'], { maxBytes: 1 })) {
      expect(difference(value, all.get(name)!), name).toBe(0);
    }
    await expect(capture(inspection, reading, ['*.residualPost'])).rejects.toThrow('no value of this name');
  });
});
