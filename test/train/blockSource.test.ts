import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { int32, scalar } from '../../src/base/tensor.ts';
import { fetch } from '../../src/graph/graph.ts';
import { ParameterArena } from '../../src/nn/parameterArena.ts';
import type { LanguageModelRecipe } from '../../src/recipe/recipe.ts';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';
import type { Tensors } from '../../src/runtime/runtime.ts';
import { languageModelTask } from '../../src/train/languageModelTask.ts';
import { traceLoss } from '../../src/train/objectives.ts';
import { makeTokenizer } from '../../src/train/recipeData.node.ts';
import { openRecipeTokenizer } from '../../src/train/recipeTokenizer.ts';
import type { Micro, TrainingTask } from '../../src/train/task.ts';
import { textCorpora, tokenizerTexts } from '../../src/train/textCorpora.node.ts';
import { TinyRecipe } from './tinyRecipe.ts';

const runtime = await createNodeRuntime({ threads: 1, spinning: false });
afterAll(() => runtime[Symbol.asyncDispose]());

const llama =
  'model={family: llama, config: {hidden_size: 32, intermediate_size: 64, num_hidden_layers: 2, num_attention_heads: 4, num_key_value_heads: 2, max_position_embeddings: 128}}';
const gpt2 = 'model.dropout=0';

async function taskOf(...set: string[]): Promise<TrainingTask> {
  using tiny = new TinyRecipe();
  const lines = readFileSync(join(tiny.folder, 'text.txt'), 'utf8').split('\n');
  // a document has one line or two, 30 to 90 characters
  const documents = lines.map((line, i) => line + (i % 3 === 0 ? '\n' : '\n\n'));
  writeFileSync(join(tiny.folder, 'short.txt'), documents.join(''));
  const recipe = tiny.load(
    'language-model',
    `data={format: documents, train: ${tiny.folder}/short.txt, validation: {fraction: 0.2}}`,
    'model={family: gpt2, width: 32, layers: 2, heads: 2, maxLength: 128}',
    'tokenizer={kind: char, limitAlphabet: 150}',
    'train.blockSize=128',
    ...set,
  ) as LanguageModelRecipe;
  const files = await makeTokenizer(recipe, () => tokenizerTexts(recipe, 'text'), undefined);
  const tokenizer = openRecipeTokenizer(recipe, files);
  const corpora = await textCorpora(recipe, 'text', tokenizer, files, () => {});
  return languageModelTask(recipe, { tokenizer, files, corpora, start: undefined }, undefined);
}

/** Logits [B, T, V] of a batch, from the graph that training differentiates. */
async function logitsOf(task: TrainingTask, inputs: Tensors): Promise<(row: number, t: number) => Float32Array> {
  const arena = new ParameterArena(task.declarations);
  arena.initialise(1);
  const { graph } = traceLoss(task.model, { ...task.loss, training: false });
  using program = await runtime.compile(fetch(graph, ['logits']), { label: 'logits' });
  const all: Tensors = {
    ...arena.tensors,
    ...inputs,
    lossScale: scalar(1),
  };
  const feeds = Object.fromEntries(program.feeds.map((name) => [name, all[name]!]));
  const [outputs] = await runtime.run([{ program, feeds }]);
  const { data, shape } = outputs!['logits']!;
  const [, length, width] = shape as [number, number, number];
  return (row, t) => (data as Float32Array).slice((row * length + t) * width, (row * length + t + 1) * width);
}

/** The batch with another first token in its first row. */
function otherStart({ inputs }: Micro): Tensors {
  const ids = inputs['inputIds']!;
  const data = Int32Array.from(ids.data as Int32Array);
  data[0] = data[0] === 40 ? 41 : 40;
  return { ...inputs, inputIds: int32([...ids.shape], data) };
}

const first = { epoch: 0, batchIndex: 0 };

describe('packed documents', () => {
  it.each([
    ['gpt2', gpt2],
    ['llama', llama],
  ])('that are separate: what %s makes of one does not depend on those before it', async (_, model) => {
    const task = await taskOf(model, 'train.packing=separate-documents');
    const micro = task.batchAt(first);
    const positions = micro.inputs['positions']!.data as Int32Array;
    const second = positions.indexOf(0, 1);
    expect(second).toBeGreaterThan(1);
    expect(second).toBeLessThan(120);
    const [original, changed] = [await logitsOf(task, micro.inputs), await logitsOf(task, otherStart(micro))];
    expect(changed(0, second - 1)).not.toEqual(original(0, second - 1));
    for (let t = second; t < 128; t++) expect(changed(0, t)).toEqual(original(0, t)); // bit for bit
    // as if it stood alone, at the start of a block
    const end = positions.indexOf(0, second + 1);
    const ids = (micro.inputs['inputIds']!.data as Int32Array).slice(second, end > 0 && end < 128 ? end : 128);
    const shape = [1, ids.length];
    const alone = await logitsOf(await taskOf(model), { inputIds: int32(shape, ids), labels: int32(shape, ids) });
    for (let t = 0; t < ids.length; t++) {
      const there = original(0, second + t);
      expect(Math.max(...alone(0, t).map((x, v) => Math.abs(x - there[v]!)))).toBeLessThan(1e-6);
    }
  });

  it('that are not separate: it does', async () => {
    const task = await taskOf(gpt2, 'train.packing=continuous');
    const micro = task.batchAt(first);
    const [original, changed] = [await logitsOf(task, micro.inputs), await logitsOf(task, otherStart(micro))];
    for (let t = 0; t < 128; t++) expect(changed(0, t)).not.toEqual(original(0, t));
  });

  it('take no loss across a border, and every document of an epoch', async () => {
    const task = await taskOf(gpt2, 'train.packing=separate-documents');
    const end = task.tokenizer.specialIds.eos!;
    let [ends, batches] = [0, 0];
    for (let at = first; at.epoch === 0; at = task.after(at)) {
      const { inputs, targetTokens, tokens } = task.batchAt(at);
      const [ids, labels] = [inputs['inputIds']!.data, inputs['labels']!.data];
      const ignored = labels.filter((label) => label === -100).length;
      expect([targetTokens, tokens]).toEqual([512 - ignored, 512]);
      for (const [i, id] of ids.entries()) if (id === end && i % 128 < 127) expect(labels[i]).toBe(-100);
      ends += ids.filter((id) => id === end).length;
      batches++;
    }
    expect(ends).toBeGreaterThan(15);
    expect(batches).toBeGreaterThan(2);
    const next = task.batchAt({ epoch: 1, batchIndex: 0 });
    expect(next.inputs['inputIds']!.data).not.toEqual(task.batchAt(first).inputs['inputIds']!.data);
  });
});

describe('a prefix', () => {
  it('sees itself as a whole, and is not predicted; the rest sees what is before it', async () => {
    const task = await taskOf(gpt2, 'objective.prefix=true');
    const micro = task.batchAt(first);
    const labels = micro.inputs['labels']!.data as Int32Array;
    const row = [0, 1, 2, 3].find(
      (b) => labels.slice(b * 128, b * 128 + 128).indexOf(-100) === 0 && labels[b * 128 + 120] !== -100,
    )!;
    const prefix = labels.slice(row * 128, row * 128 + 128).filter((label) => label === -100).length + 1;
    const changed = (t: number): Tensors => {
      const ids = Int32Array.from(micro.inputs['inputIds']!.data as Int32Array);
      ids[row * 128 + t] = ids[row * 128 + t] === 40 ? 41 : 40;
      return { ...micro.inputs, inputIds: int32([4, 128], ids) };
    };
    const original = await logitsOf(task, micro.inputs);
    const inside = await logitsOf(task, changed(prefix - 1));
    const behind = await logitsOf(task, changed(prefix));
    expect(inside(row, 0)).not.toEqual(original(row, 0));
    for (let t = 0; t < prefix; t++) expect(behind(row, t)).toEqual(original(row, t));
    expect(behind(row, prefix)).not.toEqual(original(row, prefix));
    expect([...task.validation()]).toEqual([...task.validation()]);
  });

  it('is not for separate documents', async () => {
    await expect(taskOf(gpt2, 'objective.prefix=true', 'train.packing=separate-documents')).rejects.toThrow(
      /train\.packing/,
    );
  });
});
