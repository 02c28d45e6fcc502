import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nodeStorage } from '../../src/checkpoint/storage.node.ts';
import { openModel } from '../../src/pretrained/openModel.node.ts';
import { savePretrained } from '../../src/pretrained/pretrained.ts';
import { loadRecipe } from '../../src/recipe/loadRecipe.node.ts';
import type { Recipe } from '../../src/recipe/recipe.ts';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { type TrainRecipeOptions, trainRecipe } from '../../src/train/trainRecipe.node.ts';
import { TinyRecipe } from './tinyRecipe.ts';

let runtime: Runtime;
let tiny: TinyRecipe;
let teacher: string;

const shared = ['objective.sentences=none', 'objective.words=none', 'evaluate.fill=[]'];
const student = (...overrides: string[]): Recipe =>
  tiny.load(
    'masked-language-model',
    ...shared,
    'tokenizer={kind: model}',
    `model={family: pretrained, from: ${teacher}, layers: [0, 3]}`,
    `distill={teacher: ${teacher}, embeddings: 0.5, hard: 0.25, layers: [1, 3]}`,
    ...overrides,
  );

beforeAll(async () => {
  runtime = await createNodeRuntime({ spinning: false });
  tiny = new TinyRecipe();
  const output = join(tiny.folder, 'teacher');
  const recipe = tiny.load(
    'masked-language-model',
    ...shared,
    'model.config.num_hidden_layers=4',
    'model.config.initializer_range=0.2',
    `output=${output}`,
    'train.steps=30',
  );
  teacher = (await trainRecipe(runtime, recipe)).modelFolder!;
});
afterAll(async () => {
  tiny[Symbol.dispose]();
  await runtime[Symbol.asyncDispose]();
});

describe('distillation by a recipe', () => {
  it('brings a student of some layers nearer to its teacher, whose weights stay as they are', async () => {
    const before = readFileSync(join(teacher, 'model.safetensors'));
    const { modelFolder } = await trainRecipe(runtime, student('train.steps=40', 'train.schedule.peak=1e-2'));
    expect(readFileSync(join(teacher, 'model.safetensors')).equals(before)).toBe(true);
    const validations = tiny.metrics().flatMap(({ validation }) => validation ?? []);
    const [first, last] = [validations[0]!, validations.at(-1)!];
    expect(Object.keys(last.losses!)).toEqual(['words', 'soft', 'hard', 'hidden', 'embeddings']);
    expect(last.losses!['soft']!).toBeLessThan(first.losses!['soft']!);
    const { words, soft, hard, hidden, embeddings } = last.losses as Record<string, number>;
    expect(last.loss).toBeCloseTo(2 * words! + 5 * soft! + 0.25 * hard! + hidden! + 0.5 * embeddings!, 5);
    const { model } = await openModel(modelFolder!);
    expect(model.config['num_hidden_layers']).toBe(2);
  });

  it('teaches a classifier what another one knows, without the labels', async () => {
    const lines = [
      'text\tlabel',
      ...Array.from({ length: 24 }, (_, i) => `${'我你他'[i % 3]}${i % 2 ? '去' : '来'}。\t${i % 2 ? 'go' : 'come'}`),
    ];
    writeFileSync(join(tiny.folder, 'classes.tsv'), `${lines.join('\n')}\n`);
    const recipe = (name: string, model: string, more: string): Recipe => {
      const file = join(tiny.folder, `${name}.yaml`);
      writeFileSync(
        file,
        `
name: ${name}
task: sequence-classification
seed: 3
output: ${join(tiny.folder, name)}
data: { format: records, train: classes.tsv, validation: classes.tsv, test: null, fields: { text: text, label: label } }
tokenizer: { kind: model }
model: ${model}
train: { steps: 40, batchSize: 8, schedule: { name: constant, peak: 3e-3 }, validateEvery: 20, saveEvery: 20 }
${more}
`,
      );
      return loadRecipe(file);
    };
    const from = (await trainRecipe(runtime, recipe('classes', `{ family: pretrained, from: ${teacher} }`, '')))
      .modelFolder!;
    const small = `{ family: pretrained, from: ${from}, layers: 1 }`;
    const { modelFolder } = await trainRecipe(
      runtime,
      recipe('half', small, `distill: { teacher: ${from}, labels: 0 }`),
    );
    const validations = tiny.metrics(join(tiny.folder, 'half')).flatMap(({ validation }) => validation ?? []);
    expect(Object.keys(validations.at(-1)!.losses!)).toEqual(['labels', 'soft', 'hidden']);
    expect(validations.at(-1)!.losses!['soft']!).toBeLessThan(0.1);
    expect(validations.at(-1)!.accuracies!['labels']).toBe(1);
    const { model } = await openModel(modelFolder!);
    expect(model.config['num_hidden_layers']).toBe(1);
  });

  it('stopped and resumed, is the run that was not; another teacher is refused', async () => {
    const run = async (name: string, steps: number, options: TrainRecipeOptions = {}): Promise<Buffer> => {
      const output = join(tiny.folder, name);
      const { modelFolder } = await trainRecipe(
        runtime,
        student(`output=${output}`, `train.steps=${steps}`, 'train.schedule={name: constant, peak: 1e-3}'),
        options,
      );
      return readFileSync(join(modelFolder!, 'model.safetensors'));
    };
    const whole = await run('whole', 12);
    await run('cut', 6);
    const saved = readFileSync(join(teacher, 'model.safetensors'));
    const { arena, model } = await openModel(teacher);
    arena.data[0]! += 1;
    await savePretrained(nodeStorage(teacher), { model, arena });
    await expect(run('cut', 12, { resume: true })).rejects.toThrow('distill.teacher: got other weights');
    await nodeStorage(teacher).writeAtomic('model.safetensors', [saved]);
    expect((await run('cut', 12, { resume: true })).equals(whole)).toBe(true);
  });

  it.each([
    ['another vocabulary', 'tokenizer={kind: char, limitAlphabet: 20}', 'a vocabulary of'],
    ['too few positions', 'train.maxLength=64', 'at least 64'],
    ['layers that there are not', 'distill.layers=[1, 9]', 'no teacher.layers.9'],
    ['layers for another student', 'distill.layers=[1]', 'got 1 layers'],
    ['another width', 'model.config.hidden_size=16', 'width 32'],
    ['nothing to learn', 'distill={teacher: x, soft: 0, hidden: 0}', 'a weight above 0'],
  ])('refuses a teacher with %s', async (_, override, message) => {
    const own =
      'model={family: bert, config: {hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 64, max_position_embeddings: 64}}';
    const file = `tokenizer={kind: file, path: ${join(teacher, 'tokenizer.json')}}`;
    const load = async () =>
      trainRecipe(runtime, student(`output=${join(tiny.folder, 'refused')}`, own, file, override));
    await expect(load()).rejects.toThrow(message);
  });

  it('refuses layers that a model does not have', async () => {
    const recipe = student(`output=${join(tiny.folder, 'refused')}`, 'model.layers=[0, 4]');
    await expect(trainRecipe(runtime, recipe)).rejects.toThrow('layers of 4, from 0 to 3, each once');
  });
});
