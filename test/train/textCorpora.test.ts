import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import type { LanguageModelRecipe, MaskedLanguageModelRecipe } from '../../src/recipe/recipe.ts';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';
import { makeTokenizer } from '../../src/train/recipeData.node.ts';
import { openRecipeTokenizer } from '../../src/train/recipeTokenizer.ts';
import { type TextCorpora, textCorpora, tokenizerTexts } from '../../src/train/textCorpora.node.ts';
import { trainRecipe } from '../../src/train/trainRecipe.node.ts';
import type { TextUnit } from '../../src/train/wholeText.ts';
import { TinyRecipe } from './tinyRecipe.ts';

const runtime = await createNodeRuntime({ threads: 1, spinning: false });
afterAll(() => runtime[Symbol.asyncDispose]());
afterEach(() => vi.unstubAllEnvs());

const sha = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');

/** Two sources, one of half its documents, with a tenth of all held out. */
function mixed(folder: string): string {
  const lines = readFileSync(join(folder, 'text.txt'), 'utf8').split('\n');
  const jsonl = lines.slice(0, 90).map((body) => JSON.stringify({ body }));
  writeFileSync(join(folder, 'table.jsonl'), jsonl.join('\n'));
  return `data={format: documents, train: [${folder}/documents.txt, {files: '${folder}/*.jsonl', field: body, weight: 0.5}], validation: {fraction: 0.1}, shuffle: {buffer: 8}}`;
}

async function corporaOf(
  recipe: LanguageModelRecipe | MaskedLanguageModelRecipe,
  unit: TextUnit,
  notices: string[] = [],
): Promise<TextCorpora & { decode(ids: Int32Array): string }> {
  const files = await makeTokenizer(recipe, () => tokenizerTexts(recipe, unit), undefined);
  const tokenizer = openRecipeTokenizer(recipe, files);
  const corpora = await textCorpora(recipe, unit, tokenizer, files, (text) => notices.push(text));
  return { ...corpora, decode: (ids) => tokenizer.decode(Array.from(ids)) };
}

describe.each(['language-model', 'masked-language-model'] as const)('%s on documents', (task) => {
  it('stopped in the middle of mixed, shuffled sources and resumed, is the run that was not', async () => {
    using tiny = new TinyRecipe();
    const data = mixed(tiny.folder);
    const whole = await trainRecipe(
      runtime,
      tiny.load(task, data, 'train.batchSize=48', `output=${join(tiny.folder, 'whole')}`),
    );
    const recipe = tiny.load(task, data, 'train.batchSize=48');
    const stop = { aborted: false };
    await trainRecipe(runtime, recipe, {
      stop,
      onEvent: (event) => {
        if (event.kind === 'step' && event.step === 13) stop.aborted = true;
      },
    });
    const resumed = await trainRecipe(runtime, recipe, { resume: true });
    expect(sha(join(resumed.modelFolder!, 'model.safetensors'))).toBe(
      sha(join(whole.modelFolder!, 'model.safetensors')),
    );
    const state = readdirSync(whole.folder)
      .filter((name) => name.startsWith('step-'))
      .sort()
      .at(-1)!;
    expect(JSON.parse(readFileSync(join(whole.folder, state, 'state.json'), 'utf8')).position.epoch).toBeGreaterThan(0);
  });
});

describe('documents of a recipe', () => {
  it('are held out or trained on, and the tokenizer is learnt from the latter', async () => {
    using tiny = new TinyRecipe();
    const recipe = tiny.load('masked-language-model', mixed(tiny.folder)) as MaskedLanguageModelRecipe;
    const { train, validation } = await corporaOf(recipe, 'sentences');
    expect(train.store).toBe(validation.store);
    const heldOut = [...validation.draw(0)];
    expect(heldOut.length).toBeGreaterThan(3);
    for (const epoch of [0, 1, 2]) expect([...train.draw(epoch)].some((i) => heldOut.includes(i))).toBe(false);
    const texts = await tokenizerTexts(recipe, 'sentences');
    expect(texts.length).toBe(
      train.store.documentStarts.at(-1)! - [...heldOut].reduce((sum, i) => sum + train.store.document(i).length, 0),
    );
  });

  it('of running text have an end token behind each', async () => {
    using tiny = new TinyRecipe();
    writeFileSync(join(tiny.folder, 'a.txt'), 'one\ntwo\n\nthree\n');
    const data = `data={format: documents, train: ${tiny.folder}/a.txt, validation: ${tiny.folder}/a.txt}`;
    const recipe = tiny.load('language-model', data, 'tokenizer={kind: char}') as LanguageModelRecipe;
    const { train, decode } = await corporaOf(recipe, 'text');
    expect(decode(train.store.read(0, train.store.tokens))).toBe('one\ntwo<|endoftext|>three<|endoftext|>');
  });

  it('in large files are tokenised once for the same bytes, tokenizer and reading', async () => {
    using tiny = new TinyRecipe();
    vi.stubEnv('XDG_CACHE_HOME', join(tiny.folder, 'cache'));
    const cache = join(tiny.folder, 'cache/qkv/tokens');
    const lines = readFileSync(join(tiny.folder, 'text.txt'), 'utf8').split('\n').slice(0, 40);
    const large = join(tiny.folder, 'large.txt');
    const text = Array.from({ length: 200_000 }, (_, i) => `${lines[i % 40]}${i % 7 === 0 ? `\n${i}\n` : ''}`).join(
      '\n',
    );
    writeFileSync(large, text);
    expect(text.length).toBeGreaterThan(8 << 20);
    const set = `data={format: documents, train: {files: ${large}, limit: 2000}, validation: {fraction: 0.01}}`;
    const load = (...more: string[]) =>
      tiny.load('language-model', set, 'tokenizer={kind: byte-bpe, vocabSize: 257}', ...more) as LanguageModelRecipe;
    const files = await makeTokenizer(load(), () => lines, undefined);
    const tokenizer = openRecipeTokenizer(load(), files);
    const notices: string[] = [];
    const open = (recipe = load()) => textCorpora(recipe, 'text', tokenizer, files, (notice) => notices.push(notice));
    const first = await open();
    expect(notices).toHaveLength(1);
    expect(first.train.store.documents).toBe(2000);
    const again = await open();
    expect(notices).toHaveLength(1);
    const { length } = first.train.store.documentStarts;
    for (const at of [0, length >> 1, length - 2]) {
      expect(again.train.store.document(at)).toEqual(first.train.store.document(at));
    }
    const [name] = readdirSync(cache);
    truncateSync(join(cache, name!, 'ids'), 1000);
    await open();
    expect(notices).toHaveLength(2);
    await open(load(`data.train={files: ${large}, limit: 10}`));
    expect(readdirSync(cache)).toHaveLength(2);
  });
});
