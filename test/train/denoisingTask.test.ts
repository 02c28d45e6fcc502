import { mkdtempDisposableSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { DenoisingRecipe } from '../../src/recipe/recipe.ts';
import { denoisingTask } from '../../src/train/denoisingTask.ts';
import { makeTokenizer } from '../../src/train/recipeData.node.ts';
import { openRecipeTokenizer } from '../../src/train/recipeTokenizer.ts';
import type { Micro, TrainingTask } from '../../src/train/task.ts';
import { textCorpora, tokenizerTexts } from '../../src/train/textCorpora.node.ts';
import { TinyRecipe } from './tinyRecipe.ts';

const bart = [
  'model={family: bart, config: {d_model: 16, encoder_layers: 1, decoder_layers: 1, encoder_attention_heads: 2, decoder_attention_heads: 2, encoder_ffn_dim: 32, decoder_ffn_dim: 32, max_position_embeddings: 64}}',
  'objective={kind: denoising}',
  'train.batchTokens=400',
];

async function taskOf(...set: string[]): Promise<TrainingTask> {
  using tiny = new TinyRecipe();
  const recipe = tiny.load('denoising', ...set) as DenoisingRecipe;
  const files = await makeTokenizer(recipe, () => tokenizerTexts(recipe, 'sentences'), undefined);
  const tokenizer = openRecipeTokenizer(recipe, files);
  const corpora = await textCorpora(recipe, 'sentences', tokenizer, files, () => {});
  return denoisingTask(recipe, { tokenizer, files, corpora, start: undefined }, undefined);
}

function epochOf(task: TrainingTask, epoch: number): Micro[] {
  const micros: Micro[] = [];
  for (let at = { epoch, batchIndex: 0 }; at.epoch === epoch; at = task.after(at)) micros.push(task.batchAt(at));
  return micros;
}

/** Rows of an input, padding and −100 left out. */
function rows({ inputs }: Micro, name: 'inputIds' | 'labels', padId: number): number[][] {
  const { shape, data } = inputs[name]!;
  const [size, length] = shape as [number, number];
  return Array.from({ length: size }, (_, b) =>
    Array.from(data.slice(b * length, (b + 1) * length) as Int32Array).filter((id) => id >= 0 && id !== padId),
  );
}

describe('span corruption as a task', () => {
  it('has sources and targets that are exactly full, and whose spans go back to the text', async () => {
    const task = await taskOf();
    const { tokenizer, model } = task;
    const zero = tokenizer.tokenToId('<extra_id_0>')!;
    expect(tokenizer.tokenToId('<extra_id_99>')).toBe(zero - 99);
    const stream = (micros: readonly Micro[]): number[] =>
      micros.flatMap((micro) => {
        const [sources, targets] = [rows(micro, 'inputIds', model.padId!), rows(micro, 'labels', model.padId!)];
        return sources.flatMap((source, b) => {
          // 44 tokens, of which 7 in 2 spans: 44 − 7 + 2 + 1 = 40, and 7 + 2 + 1 = 10
          expect([source.length, targets[b]!.length]).toEqual([40, 10]);
          const spans: Record<number, number[]> = {};
          let open: number[] = [];
          for (const id of targets[b]!.slice(0, -1)) {
            if (id <= zero && id > zero - 100) {
              open = [];
              spans[id] = open;
            } else open.push(id);
          }
          return source.slice(0, -1).flatMap((id) => spans[id] ?? [id]);
        });
      });
    const [first, second] = [epochOf(task, 0), epochOf(task, 1)];
    expect(first.length).toBe(second.length);
    expect(stream(first).length).toBe(stream(second).length);
    // the same characters in another order, but for the rest at both ends
    const count = (ids: number[]): number => new Set(ids).size;
    expect(Math.abs(count(stream(first)) - count(stream(second)))).toBeLessThan(20);
    expect(first[0]!.inputs['inputIds']!.data).not.toEqual(second[0]!.inputs['inputIds']!.data);
    expect(first.every(({ inputs }) => inputs['inputIds']!.shape[0]! * 50 <= 300)).toBe(true);
  });

  it('is a function of seed, epoch and batch, whatever came before', async () => {
    const [a, b] = [await taskOf(), await taskOf()];
    const at = { epoch: 3, batchIndex: 2 };
    epochOf(a, 0);
    expect(a.batchAt(at)).toEqual(b.batchAt(at));
    expect([...a.validation()]).toEqual([...b.validation()]);
    expect((await taskOf('seed=4')).batchAt(at)).not.toEqual(a.batchAt(at));
  });
});

describe("BART's denoising as a task", () => {
  it('has every text once in an epoch, damaged anew; the targets are what was there', async () => {
    const task = await taskOf(...bart);
    const [first, second] = [epochOf(task, 0), epochOf(task, 1)];
    const texts = (micros: readonly Micro[], name: 'inputIds' | 'labels'): string[] =>
      micros.flatMap((micro) => rows(micro, name, task.model.padId!).map((ids) => ids.join(' '))).sort();
    expect(texts(first, 'labels')).toEqual(texts(second, 'labels'));
    expect(texts(first, 'inputIds')).not.toEqual(texts(second, 'inputIds'));
    const mask = task.tokenizer.specialIds.mask!;
    const all = first.flatMap((micro) => rows(micro, 'inputIds', task.model.padId!)).flat();
    const kept = all.filter((id) => id !== mask).length;
    const target = first.reduce((sum, { targetTokens }) => sum + targetTokens, 0);
    expect(kept / target).toBeGreaterThan(0.66);
    expect(kept / target).toBeLessThan(0.76);
    for (const { inputs } of first) expect(inputs['inputIds']!.shape[1]).toBeLessThanOrEqual(40);
  });

  it('tells what its tokenizer lacks', async () => {
    using folder = mkdtempDisposableSync(join(tmpdir(), 'qkv-denoising-'));
    for (const [name, text] of Object.entries((await taskOf(...bart)).tokenizerFiles)) {
      writeFileSync(join(folder.path, name), text);
    }
    await expect(taskOf(`tokenizer={kind: file, path: ${folder.path}/tokenizer.json}`)).rejects.toThrow(
      /no <extra_id_0>/,
    );
  });
});
