import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { int32, scalar } from '../../src/base/tensor.ts';
import { openSafetensors } from '../../src/checkpoint/safetensors.ts';
import { nodeStorage } from '../../src/checkpoint/storage.node.ts';
import { consecutiveBlocks } from '../../src/data/blockBatches.ts';
import { readLines } from '../../src/data/files.node.ts';
import { readText, splitText } from '../../src/data/lines.ts';
import { openModel } from '../../src/pretrained/openModel.node.ts';
import type { Recipe } from '../../src/recipe/recipe.ts';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import type { TrainingEvent } from '../../src/train/events.ts';
import { traceLoss } from '../../src/train/objectives.ts';
import { trainRecipe } from '../../src/train/trainRecipe.node.ts';
import { TinyRecipe } from './tinyRecipe.ts';

let runtime: Runtime;
let tiny: TinyRecipe;
/** A model folder that the runs of this file begin from. */
let base: string;
beforeAll(async () => {
  runtime = await createNodeRuntime({ spinning: false });
  tiny = new TinyRecipe();
  base = join(tiny.folder, 'base');
  await trainRecipe(runtime, tiny.load('language-model', `output=${base}`, 'train.steps=4'));
});
afterAll(async () => {
  tiny[Symbol.dispose]();
  await runtime[Symbol.asyncDispose]();
});

const sha = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

function further(name: string, ...overrides: string[]): Recipe {
  return tiny.load(
    'language-model',
    `model={family: pretrained, from: ${base}/model}`,
    'tokenizer={kind: model}',
    `output=${join(tiny.folder, name)}`,
    'train.steps=8',
    'train.saveEvery=4',
    'train.validateEvery=4',
    ...overrides,
  );
}

const LORA = 'train.adapter={kind: lora, rank: 2, alpha: 8, dropout: 0.1, targets: [c_attn, mlp.up]}';

/** Stops as Ctrl-C does, when `step` is done, and goes on. */
async function trainInTwo(recipe: Recipe, step: number): Promise<void> {
  const stop = { aborted: false };
  const onEvent = (event: TrainingEvent): void => {
    if (event.kind === 'step' && event.step === step) stop.aborted = true;
  };
  await trainRecipe(runtime, recipe, { stop, onEvent });
  await trainRecipe(runtime, recipe, { resume: true });
}

async function weightsOf(folder: string): Promise<Record<string, Float32Array>> {
  const { arena } = await openModel(folder);
  return Object.fromEntries(Object.entries(arena.tensors).map(([path, { data }]) => [path, data as Float32Array]));
}

/** Of the validation part in blocks, by a model that is opened anew. */
async function validationLossOf(folder: string): Promise<number> {
  const { model, arena, tokenizer } = await openModel(folder);
  const text = splitText(await readText(readLines(join(tiny.folder, 'text.txt'))), 0.2).validation;
  const ids = Int32Array.from(tokenizer!.encode(text, { addSpecialTokens: false }).ids);
  const { graph } = traceLoss(model, { training: false, smoothing: 0, padded: false });
  using program = await runtime.compile(graph);
  let [sum, count] = [0, 0];
  for (const { size, inputs, labels } of consecutiveBlocks(ids, { batchSize: 4, blockSize: 16 })) {
    const batch = { inputIds: int32([size, 16], inputs), labels: int32([size, 16], labels), lossScale: scalar(1) };
    const [outputs] = await runtime.run([{ program, feeds: { ...arena.tensors, ...batch } }]);
    sum += outputs!['loss']!.data[0]!;
    count += size * 16;
  }
  return sum / count;
}

describe('an adapter', () => {
  it('is trained in place of the weights, opens with its base, and merged does what it did in training', async () => {
    const recipe = further('lora', LORA, 'train.schedule.peak=3e-2', 'evaluate={sampleTokens: 0}');
    const losses: number[] = [];
    const { modelFolder } = await trainRecipe(runtime, recipe, {
      onEvent: (event) => void (event.kind === 'validation' && losses.push(event.validation.loss)),
    });
    expect(existsSync(join(modelFolder!, 'model.safetensors'))).toBe(false);
    expect(JSON.parse(readFileSync(join(modelFolder!, 'adapter_config.json'), 'utf8'))).toMatchObject({
      base_model_name_or_path: `${base}/model`,
      fan_in_fan_out: true,
      lora_alpha: 8,
      r: 2,
      target_modules: [0, 1].flatMap((i) => [`transformer.h.${i}.attn.c_attn`, `transformer.h.${i}.mlp.c_fc`]),
      task_type: 'CAUSAL_LM',
    });
    const { tensors } = await openSafetensors(nodeStorage(modelFolder!), 'adapter_model.safetensors');
    const shapes = [...tensors].map(([key, { shape }]) => [key.replace('base_model.model.transformer.h.', ''), shape]);
    expect(shapes).toContainEqual(['0.attn.c_attn.lora_A.weight', [2, 32]]);
    expect(shapes).toContainEqual(['0.attn.c_attn.lora_B.weight', [96, 2]]);
    expect(shapes).toHaveLength(8);
    const [before, after] = [await weightsOf(base), await weightsOf(modelFolder!)];
    const changed = Object.keys(before).filter((path) => before[path]!.some((x, i) => x !== after[path]![i]));
    expect(changed.sort()).toEqual(
      [0, 1].flatMap((i) => [
        ...['k', 'q', 'v'].map((name) => `layers.${i}.attention.${name}.weight`),
        `layers.${i}.mlp.up.weight`,
      ]),
    );
    const loss = await validationLossOf(modelFolder!);
    expect(losses).toHaveLength(2);
    expect(loss).toBeCloseTo(Math.min(...losses), 5);
    expect(Math.abs(losses[0]! - losses[1]!)).toBeGreaterThan(1e-4);
  });

  it('goes on from a snapshot bit for bit', async () => {
    const [whole, cut] = [further('whole', LORA), further('cut', LORA)];
    await trainRecipe(runtime, whole);
    await trainInTwo(cut, 5);
    for (const file of ['adapter_model.safetensors', 'optimizer.safetensors']) {
      expect(sha(join(cut.output, 'step-000008', file)), file).toBe(sha(join(whole.output, 'step-000008', file)));
    }
  });

  it('refuses to go on with, and to open on, a base that has changed', async () => {
    const file = join(base, 'model/model.safetensors');
    const bytes = readFileSync(file);
    const recipe = further('changed', LORA);
    await trainRecipe(runtime, recipe);
    const other = Buffer.from(bytes);
    const { tensors } = await openSafetensors(nodeStorage(join(base, 'model')), 'model.safetensors');
    expect(tensors.has('transformer.h.0.attn.c_attn.weight')).toBe(true);
    for (let at = other.length / 4; at < other.length / 2; at += 4) other.writeFloatLE(0.01, 4 * Math.floor(at / 4));
    writeFileSync(file, other);
    try {
      const text = /a base whose weights are not those that the adapter was trained on/;
      await expect(openModel(recipe.output)).rejects.toThrow(text);
      await expect(trainRecipe(runtime, further('changed', LORA, 'train.steps=12'), { resume: true })).rejects.toThrow(
        text,
      );
    } finally {
      writeFileSync(file, bytes);
    }
  });

  it('is refused where it cannot be', async () => {
    const run = (...overrides: string[]): Promise<unknown> => trainRecipe(runtime, further('refused', ...overrides));
    const lora = (targets: string, more = ''): string => `train.adapter={kind: lora, targets: [${targets}]${more}}`;
    await expect(run(lora('q_proj'))).rejects.toThrow(/"q_proj", which matches nothing.*c_proj/s);
    await expect(run(lora('attention.q'))).rejects.toThrow(
      /c_attn: the checkpoint keeps .*attention\.q, .* as one layer/,
    );
    await expect(run(lora('all-linear'), 'train.freeze=[tokens]')).rejects.toThrow(/train\.freeze/);
    await expect(
      run(
        lora('all-linear'),
        'model={family: gpt2, width: 32, layers: 2, heads: 2, maxLength: 16}',
        'tokenizer={kind: char, limitAlphabet: 150}',
      ),
    ).rejects.toThrow(/weights that exist/);
  });
});

describe('frozen parameters', () => {
  it('stay as they were, without moments, by our names and by the checkpoint’s', async () => {
    const { modelFolder, folder } = await trainRecipe(
      runtime,
      further('frozen', 'train.freeze=["tokens.*", "transformer.h.{0,5}.*", layers.1.mlp]'),
    );
    const [before, after] = [await weightsOf(base), await weightsOf(modelFolder!)];
    const same = Object.keys(before).filter((path) => before[path]!.every((x, i) => x === after[path]![i]));
    const wanted = Object.keys(before).filter((path) => /^(tokens|layers\.0|layers\.1\.mlp)\./.test(path));
    expect(same.sort()).toEqual(wanted.sort());
    const { tensors } = await openSafetensors(nodeStorage(join(folder, 'step-000008')), 'optimizer.safetensors');
    expect([...tensors.keys()].filter((key) => wanted.some((path) => key.endsWith(`.${path}`)))).toEqual([]);
    expect(tensors.size).toBe(2 * (Object.keys(before).length - wanted.length));
  });

  it('are named, or the pattern is refused with the names that are like it', async () => {
    const run = (pattern: string): Promise<unknown> => trainRecipe(runtime, further('none', `train.freeze=${pattern}`));
    await expect(run('["token.*"]')).rejects.toThrow(/"token\.\*", which matches nothing.*tokens\.weight/s);
    await expect(run('["*"]')).rejects.toThrow(/every parameter/);
    await expect(run('["layers.{0,1"]')).rejects.toThrow(/braces that do not match/);
  });
});

describe('a moving average of the weights', () => {
  it('is what a run validates and publishes, and goes on bit for bit', async () => {
    const ema = ['train.ema={decay: 0.8}', 'train.layerDecay=0.7', 'evaluate={sampleTokens: 0}'];
    const [whole, cut] = [further('ema', ...ema), further('ema-cut', ...ema)];
    const losses: number[] = [];
    const { modelFolder } = await trainRecipe(runtime, whole, {
      onEvent: (event) => void (event.kind === 'validation' && losses.push(event.validation.loss)),
    });
    await trainInTwo(cut, 5);
    for (const file of ['model.safetensors', 'optimizer.safetensors']) {
      expect(sha(join(cut.output, 'step-000008', file)), file).toBe(sha(join(whole.output, 'step-000008', file)));
    }
    expect(await validationLossOf(modelFolder!)).toBeCloseTo(Math.min(...losses), 5);
    const { tensors } = await openSafetensors(nodeStorage(join(whole.output, 'step-000008')), 'optimizer.safetensors');
    const trained = await tensors.get('weights.norm.weight')!.read('float32');
    expect(trained).not.toEqual((await weightsOf(modelFolder!))['norm.weight']);
    const plain = further('plain', ...ema.slice(1));
    await trainRecipe(runtime, plain);
    const { tensors: without } = await openSafetensors(
      nodeStorage(join(plain.output, 'step-000008')),
      'model.safetensors',
    );
    expect(await without.get('transformer.ln_f.weight')!.read('float32')).toEqual(trained);
  });
});

describe('the published weights', () => {
  it.each(['bfloat16', 'float16'] as const)('are %s where it is asked for, snapshots float32', async (dtype) => {
    const { modelFolder, folder } = await trainRecipe(runtime, further(dtype, `train.saveDtype=${dtype}`));
    const { storedAs, model } = await openModel(modelFolder!);
    expect(storedAs).toEqual({ [dtype === 'float16' ? 'F16' : 'BF16']: 28 });
    expect(model.config['torch_dtype']).toBe(dtype);
    expect((await openModel(join(folder, 'step-000008'))).storedAs).toEqual({ F32: 28 });
  });

  it('of an adapter too', async () => {
    const { modelFolder } = await trainRecipe(runtime, further('half', LORA, 'train.saveDtype=bfloat16'));
    const { tensors } = await openSafetensors(nodeStorage(modelFolder!), 'adapter_model.safetensors');
    expect(new Set([...tensors.values()].map(({ dtype }) => dtype))).toEqual(new Set(['BF16']));
    await openModel(modelFolder!);
  });
});

describe('dropout rates', () => {
  const none = 'model.dropout={embd_pdrop: 0, resid_pdrop: 0, attn_pdrop: 0}';
  const first = async (name: string, ...overrides: string[]): Promise<number> => {
    const losses: number[] = [];
    const onEvent = (event: TrainingEvent): void => void (event.kind === 'step' && losses.push(event.loss));
    await trainRecipe(runtime, further(name, 'train.steps=1', 'train.logEvery=1', ...overrides), { onEvent });
    return losses[0]!;
  };

  it('of a pretrained model are those of the recipe, and go with it', async () => {
    const dropped = 'model.dropout={embd_pdrop: 0.5, resid_pdrop: 0.5}';
    const losses = [await first('own'), await first('dropped', dropped), await first('none', none)];
    expect(new Set(losses).size).toBe(3);
    const config = JSON.parse(readFileSync(join(tiny.folder, 'none', 'model', 'config.json'), 'utf8'));
    expect(config).toMatchObject({ embd_pdrop: 0, resid_pdrop: 0, attn_pdrop: 0 });
  });

  it('are of its config.json alone', async () => {
    await expect(first('misspelt', 'model.dropout={resid_drop: 0}')).rejects.toThrow(
      /model\.dropout\.resid_drop: got a field that is no dropout rate in .*config\.json, expected .*resid_pdrop/,
    );
    expect(() => further('large', 'model.dropout={resid_pdrop: 1}')).toThrow(/model\.dropout\.resid_pdrop/);
  });
});
