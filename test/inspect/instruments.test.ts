import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { float32 } from '../../src/base/tensor.ts';
import { nodeStorage } from '../../src/checkpoint/storage.node.ts';
import { activationPatching } from '../../src/inspect/activationPatching.ts';
import { attentionMaps } from '../../src/inspect/attention.ts';
import { gradientTimesInput, integratedGradients } from '../../src/inspect/attribution.ts';
import { capture, captureEach } from '../../src/inspect/capture.ts';
import { directLogitAttribution } from '../../src/inspect/directLogit.ts';
import { headStatistics } from '../../src/inspect/headStatistics.ts';
import { Inspection } from '../../src/inspect/inspection.ts';
import { type LensOptions, lens } from '../../src/inspect/lens.ts';
import { predictions } from '../../src/inspect/predictions.ts';
import { readingOf } from '../../src/inspect/reading.ts';
import { residualNorms } from '../../src/inspect/residualNorms.ts';
import { attentionRollout } from '../../src/inspect/rollout.ts';
import { streamShape } from '../../src/inspect/stream.ts';
import {
  loadTunedLens,
  saveTunedLens,
  type TunedLens,
  trainTunedLens,
  tunedLensFile,
} from '../../src/inspect/tunedLens.ts';
import { declarationsOf } from '../../src/models/declarations.ts';
import { parseModel } from '../../src/models/registry.ts';
import { ParameterArena } from '../../src/nn/parameterArena.ts';
import { loadPretrained } from '../../src/pretrained/pretrained.ts';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';
import { families, opened } from './opened.ts';

const runtime = await createNodeRuntime({ threads: 1, spinning: false });
afterAll(() => runtime[Symbol.asyncDispose]());

const open = (name: string) => opened(`parity/${name}`, runtime);
const sum = (values: Iterable<number>): number => [...values].reduce((a, b) => a + b, 0);

describe.each(families)('%s', (family) => {
  it('has a lens whose last layer is the prediction', async () => {
    const { inspection, reading } = await open(family);
    const found = await lens(inspection, reading, { top: 3, positions: [1, 3] });
    const last = await predictions(inspection, reading, { top: 3, positions: [1, 3] });
    expect(found.layers.length).toBe(found.choices.length);
    found.choices.at(-1)!.forEach((choices, i) => {
      expect(choices.map(({ id }) => id)).toEqual(last.choices[i]!.map(({ id }) => id));
      expect(choices[0]!.probability).toBeCloseTo(last.choices[i]![0]!.probability, 5);
      expect(found.entropy.at(-1)![i]).toBeCloseTo(last.entropy[i]!, 4);
      expect(found.loss.at(-1)![i]).toBeCloseTo(last.loss[i]!, 4);
    });
    expect(found.choices[0]).not.toEqual(found.choices.at(-1));
  });

  it('has a logit that is the sum of its direct parts', async () => {
    const { inspection, reading } = await open(family);
    const score = { position: 2, token: 7 };
    const { parts, score: logit, gap } = await directLogitAttribution(inspection, reading, score);
    expect(logit).toBeCloseTo((await gradientTimesInput(inspection, reading, score)).score, 4);
    expect(Math.abs(gap)).toBeLessThan(1e-4 * (Math.abs(logit) + sum(parts.map(({ value }) => Math.abs(value)))));
    expect(parts.filter(({ head }) => head !== null).length).toBeGreaterThanOrEqual(8);
    if (family === 'llama' || family === 't5-v1.0') expect(parts.at(-1)!.value).toBeCloseTo(0, 3); // they have no biases
    const difference = await directLogitAttribution(inspection, reading, { ...score, against: 4 });
    const other = await directLogitAttribution(inspection, reading, { ...score, token: 4 });
    difference.parts.forEach(({ value }, i) => {
      expect(value).toBeCloseTo(parts[i]!.value - other.parts[i]!.value, 3);
    });
  });

  it('has integrated gradients that add up to the change of the score', async () => {
    const { inspection, reading } = await open(family);
    // the path has kinks: ReLU in both, and attention that is all or nothing in T5, whose scores are not scaled
    const isRough = family === 't5-v1.0' || family === 'transformer';
    const steps = isRough ? 3000 : 256;
    const found = await integratedGradients(inspection, reading, { position: 2, token: 7 }, { steps });
    expect(found.source.length + found.target.length).toBe(reading.ids.length + (reading.sourceIds?.length ?? 0));
    expect(Math.abs(found.score - found.baseline)).toBeGreaterThan(1e-3);
    expect(Math.abs(found.gap)).toBeLessThan(isRough ? 0.02 : 1e-3);
  });

  it('has gradients that are the slopes of the score', async () => {
    const { inspection, reading } = await open(family);
    const score = { position: 2, token: 7, of: 'log-probability' } as const;
    const name = inspection.model.kind === 'encoder-decoder' ? 'decoder.embedding' : 'embedding';
    const value = (await capture(inspection, reading, [name])).get(name)!;
    const width = value.shape[1]!;
    const { target } = await gradientTimesInput(inspection, reading, score);
    // along the embedding of token 1: (f(1 + h) − f(1 − h)) / 2h
    const at = async (factor: number): Promise<number> => {
      const data = Float32Array.from(value.data, (x, i) => (Math.floor(i / width) === 1 ? factor * x : x));
      const edits = { values: [{ name, how: 'patch' as const, value: { ...value, data } }] };
      return (await gradientTimesInput(inspection, reading, score, { edits })).score;
    };
    expect(((await at(1.01)) - (await at(0.99))) / 0.02).toBeCloseTo(target[1]!, 1);
  });

  it('has statistics and a rollout that are those of its maps, and norms of its streams', async () => {
    const { inspection, reading } = await open(family);
    const maps = await attentionMaps(inspection, reading);
    for (const { place, head, ...found } of await headStatistics(inspection, reading)) {
      const { weights, queryIds, keyIds, kind } = maps.find(({ path }) => path === place.path)!;
      const [T, S] = [queryIds.length, keyIds.length];
      const weigh = (f: (t: number, s: number, w: number) => number): number => {
        let total = 0;
        for (let t = 0; t < T; t++) {
          for (let s = 0; s < S; s++) total += f(t, s, weights.data[(head * T + t) * S + s]!);
        }
        return total / T;
      };
      const own = kind !== 'cross';
      const expected = {
        entropy: weigh((_, __, w) => (w > 0 ? -w * Math.log(w) : 0)),
        distance: weigh((t, s, w) => w * Math.abs(t - s)),
        previous: weigh((t, s, w) => (s === t - 1 ? w : 0)),
        first: weigh((_, s, w) => (s === 0 ? w : 0)),
        self: weigh((t, s, w) => (s === t ? w : 0)),
        induction: weigh((t, s, w) => (own && s <= t && s > 0 && keyIds[s - 1] === queryIds[t] ? w : 0)),
        duplicate: weigh((t, s, w) => (own && s < t && keyIds[s] === queryIds[t] ? w : 0)),
      };
      for (const [name, value] of Object.entries(expected)) {
        expect(found[name as keyof typeof found], `${place.path} ${head} ${name}`).toBeCloseTo(value, 4);
      }
    }
    const rollout = await attentionRollout(inspection, reading);
    for (const matrix of Object.values(rollout) as Float32Array[]) {
      const length = (matrix === rollout.encoder ? (reading.sourceIds ?? reading.ids) : reading.ids).length;
      const width = matrix.length / length;
      for (let t = 0; t < length; t++) expect(sum(matrix.subarray(t * width, (t + 1) * width))).toBeCloseTo(1, 5);
    }
    for (const { layers, length, norms } of await residualNorms(inspection, reading)) {
      const streams = await capture(inspection, reading, [...layers]);
      layers.forEach((name, i) => {
        const { data, shape } = streams.get(name)!;
        const width = shape[1]!;
        for (let t = 0; t < length; t++) {
          expect(norms[i * length + t]).toBeCloseTo(Math.hypot(...data.subarray(t * width, (t + 1) * width)), 3);
        }
      });
    }
  });

  it('is brought from one text to the other by patches', async () => {
    const { inspection, reading } = await open(family);
    const { model } = inspection;
    const other = { ...reading, ids: reading.ids.with(1, 12) };
    const stack = model.kind === 'encoder-decoder' ? 'decoder.' : '';
    const score = { position: 4, token: 7, against: 9 };
    const names = [`${stack}layers.*.residualPre`];
    const whole = await activationPatching(inspection, reading, other, { names, by: 'whole', score });
    expect(whole.clean).not.toBeCloseTo(whole.corrupt, 5);
    for (const { score: found } of whole.cells) expect(found).toBeCloseTo(whole.clean, 5);
    const by = await activationPatching(inspection, reading, other, { names, by: 'position', score });
    const first = by.cells.filter(({ name }) => name === `${stack}layers.0.residualPre`);
    expect(first.map(({ position }) => position)).toEqual(reading.ids.map((_, i) => i));
    // before the first layer the texts differ in one place
    for (const { position, restored } of first) expect(restored).toBeCloseTo(position === 1 ? 1 : 0, 4);
    const heads = { names: [`${stack}layers.*.attention.context`], by: 'head', score } as const;
    const byHead = await activationPatching(inspection, reading, other, heads);
    const layers = new Set(byHead.cells.map(({ name }) => name)).size;
    expect(byHead.cells.length).toBe(layers * 4);
    expect(new Set(byHead.cells.map(({ restored }) => restored.toFixed(6))).size).toBeGreaterThan(4);
  });
});

describe('the tuned lens', () => {
  it.each(['gpt2', 'bert-pretraining', 'transformer'])(
    'of %s comes nearer to the model, and is saved and loaded',
    async (family) => {
      const { inspection, reading } = await open(family);
      const divergences: number[] = [];
      const tuned = await trainTunedLens(inspection, [reading], {
        steps: 30,
        learningRate: 0.01,
        onStep: (_, divergence) => divergences.push(divergence),
      });
      expect(divergences.at(-1)).toBeLessThan(0.5 * divergences[0]!);
      const storage = nodeStorage(await mkdtemp(join(tmpdir(), 'qkv-lens-')));
      await saveTunedLens(storage, 'lens.safetensors', tuned);
      const loaded = await loadTunedLens(storage, 'lens.safetensors');
      const found = await lens(inspection, reading, { tuned: loaded });
      expect(found).toEqual(await lens(inspection, reading, { tuned }));
      const plain = await lens(inspection, reading);
      expect(found.choices.at(-1)).toEqual(plain.choices.at(-1));
      expect(found.choices[0]).not.toEqual(plain.choices[0]);
    },
  );

  it.each([
    ['stories260K', 'Tom and his dog went to the park. They saw a big red ball under the tree and wanted to play.'],
    ['poetry', '五言绝句：春眠不覺曉，處處聞啼鳥。夜來風雨聲，花落知多少。'],
  ])('that %s brings along reads all layers but the last better than the logit lens', async (name, text) => {
    const storage = nodeStorage(join(import.meta.dirname, '../../models', name));
    const { model, arena, tokenizer } = await loadPretrained(storage);
    using inspection = new Inspection({ runtime, model, parameters: arena.tensors });
    const reading = readingOf(model, null, tokenizer!.encode(text).ids);
    const tuned = await loadTunedLens(storage, tunedLensFile);
    const losses = async (options: LensOptions): Promise<number[]> =>
      (await lens(inspection, reading, options)).loss.map((row) => sum(row.map((loss) => loss ?? 0)));
    const [plain, through] = [await losses({}), await losses({ tuned })];
    expect(through.at(-1)).toBe(plain.at(-1));
    for (const [layer, loss] of through.slice(0, -1).entries()) expect(loss, `${layer}`).toBeLessThan(plain[layer]!);
  });

  it('of another model, or damaged, is refused', async () => {
    const { inspection, reading } = await open('gpt2');
    const of = (name: string, width: number, shape = [width, width]): TunedLens => {
      const weight = float32(shape, new Float32Array(width * width));
      return new Map([[name, { weight, bias: float32([width], new Float32Array(width)) }]]);
    };
    const width = streamShape(inspection.pass).at(-1) as number;
    await expect(lens(inspection, reading, { tuned: of('layers.0.residualPre', width) })).rejects.toThrow(
      'one of layers.0.residualPost too',
    );
    await expect(lens(inspection, reading, { tuned: of('layers.0.residualPre', width + 1) })).rejects.toThrow(
      `width ${width + 1}`,
    );
    const storage = nodeStorage(await mkdtemp(join(tmpdir(), 'qkv-lens-')));
    await saveTunedLens(storage, 'flat.safetensors', of('layers.0.residualPre', width, [width * width]));
    await expect(loadTunedLens(storage, 'flat.safetensors')).rejects.toMatchObject({ code: 'checkpoint' });
  });
});

describe('a long text', () => {
  it('of 600 tokens is looked at without keeping what was not asked for', async () => {
    const model = parseModel({
      model_type: 'gpt2',
      vocab_size: 500,
      n_positions: 640,
      n_embd: 32,
      n_layer: 6,
      n_head: 4,
    });
    const arena = new ParameterArena(declarationsOf(model));
    arena.initialise(1);
    using inspection = new Inspection({ runtime, model, parameters: arena.tensors });
    const reading = { ids: Array.from({ length: 600 }, (_, i) => (i * 7) % 500) };
    const statistics = await headStatistics(inspection, reading);
    expect(statistics.length).toBe(24);
    // after 500 tokens the text begins anew: a hundred of its tokens have an earlier same one
    expect(statistics[0]!.duplicate).toBeGreaterThan(0);
    let [seen, runs] = [0, 0];
    const counted: Inspection = Object.create(inspection, {
      run: { value: (...args: Parameters<Inspection['run']>) => ++runs && inspection.run(...args) },
    });
    // maps of 4 × 600 × 600 numbers: one at a time
    for await (const [, { shape }] of captureEach(counted, reading, ['**.weights'], { maxBytes: 6e6 })) {
      expect(shape).toEqual([4, 600, 600]);
      seen++;
    }
    expect([seen, runs]).toEqual([6, 6]);
    const { loss } = await predictions(inspection, reading, { top: 2 });
    expect(loss.filter((one) => one !== null).length).toBe(599);
    expect((await lens(inspection, reading, { top: 1 })).choices.length).toBe(7);
    expect((await residualNorms(inspection, reading))[0]!.norms.length).toBe(7 * 600);
  });
});
