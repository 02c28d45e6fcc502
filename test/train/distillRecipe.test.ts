import { copyFileSync, cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nodeStorage } from '../../src/checkpoint/storage.node.ts';
import { openModel } from '../../src/pretrained/openModel.node.ts';
import { savePretrained } from '../../src/pretrained/pretrained.ts';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { trainRecipe } from '../../src/train/trainRecipe.node.ts';
import { TinyRecipe } from './tinyRecipe.ts';

let runtime: Runtime;
let tiny: TinyRecipe;
let teacher: string;

const shared = ['objective.sentences=none', 'objective.words=none', 'evaluate.fill=[]'];
const student = (...overrides: string[]) =>
  tiny.load(
    'masked-language-model',
    ...shared,
    'tokenizer={kind: model}',
    `model={family: pretrained, from: ${teacher}, layers: [0, 3]}`,
    `distill={teacher: ${teacher}, embeddings: 0.5, hard: 0.25, layers: [1, 3]}`,
    ...overrides,
  );

beforeAll(async () => {
  runtime = await createNodeRuntime({ lanes: 1, threads: 1 });
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
});
