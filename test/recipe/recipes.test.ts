import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadRecipe } from '../../src/recipe/loadRecipe.node.ts';
import { editDistance, nearest } from '../../src/recipe/nearest.ts';
import { type JsonSchema, recipeJsonSchema } from '../../src/recipe/recipeSchema.ts';

const folder = mkdtempSync(join(tmpdir(), 'qkv-recipe-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('built-in recipes', () => {
  const names = readdirSync('recipes').filter((name) => name.endsWith('.yaml'));

  it.each(names)('%s is valid, is called what its file is, and names its schema', (name) => {
    const recipe = loadRecipe(join('recipes', name));
    expect(`${recipe.name}.yaml`).toBe(name);
    expect(recipe.output).toBe(resolve('runs', recipe.name));
    expect(readFileSync(join('recipes', name), 'utf8')).toContain('$schema=recipe.schema.json\n');
  });

  it.each(names)('%s finds its data, or says where it comes from', (name) => {
    if (/not part of the project/.test(readFileSync(join('recipes', name), 'utf8'))) return;
    const files = JSON.stringify(loadRecipe(join('recipes', name)).data).match(/[^"]*\/data\/[^"]*/g) ?? [];
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) expect(readFileSync(file).length, file).toBeGreaterThan(10_000);
  });

  it("shakespeare is nanoGPT's small CPU configuration", () => {
    expect(loadRecipe('recipes/shakespeare.yaml')).toMatchObject({
      data: { format: 'text', validationFraction: 0.1 },
      tokenizer: { kind: 'char' },
      model: {
        layers: 4,
        heads: 4,
        width: 128,
        hidden: null,
        maxLength: 64,
        dropout: 0,
        embeddingDropout: 0,
        attentionDropout: 0,
        bias: false,
        sharedEmbeddings: true,
        activation: 'gelu',
        init: { std: 0.02, scaleResidual: true },
      },
      train: {
        steps: 2000,
        batchSize: 12,
        blockSize: 64,
        accumulate: 1,
        clipNorm: 1,
        optimizer: { name: 'adamw', beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.1 },
        schedule: { name: 'cosine', peak: 1e-3, final: 1e-4, warmup: 100 },
      },
      evaluate: { blocks: null },
    });
  });
});

describe('loadRecipe', () => {
  const text = readFileSync('recipes/multi30k-en-de.yaml', 'utf8').replaceAll('../data/multi30k/', '');
  const file = join(folder, 'x.yaml');
  writeFileSync(file, text);

  it("starts data paths at the recipe's folder, overridden ones and output at the working folder", () => {
    const overrides = [
      'data.validation=[v.en, /absolute/v.de]',
      'data.test.1=t.de',
      'tokenizer={kind: file, path: t.json}',
    ];
    expect(loadRecipe(file, overrides, '/work-folder')).toMatchObject({
      output: '/work-folder/runs/multi30k-en-de',
      tokenizer: { path: '/work-folder/t.json' },
      data: {
        train: [join(folder, 'train.en.gz'), join(folder, 'train.de.gz')],
        validation: ['/work-folder/v.en', '/absolute/v.de'],
        test: [join(folder, 'test_2016_flickr.en.gz'), '/work-folder/t.de'],
      },
    });
  });

  it('says when the file cannot be read', () => {
    expect(() => loadRecipe(join(folder, 'missing.yaml'))).toThrow(/missing\.yaml: got ENOENT/);
    writeFileSync(join(folder, 'latin.yaml'), Uint8Array.from([0x6e, 0x3a, 0x20, 0xff]));
    expect(() => loadRecipe(join(folder, 'latin.yaml'))).toThrow('expected a readable UTF-8 file');
  });
});

describe('recipe.schema.json', () => {
  it('is current (else: npm run schema)', () => {
    expect(JSON.parse(readFileSync('recipes/recipe.schema.json', 'utf8'))).toEqual(recipeJsonSchema());
  });

  it('describes every key, refuses unknown ones, and shows every default in the description', () => {
    let keys = 0;
    const check = (schema: JsonSchema & { additionalProperties?: unknown }, path: string): void => {
      for (const branch of [...(schema.oneOf ?? []), ...(schema.anyOf ?? [])]) check(branch, path);
      if (schema.properties === undefined) return;
      expect(schema.additionalProperties, path).toBe(false);
      for (const [key, value] of Object.entries(schema.properties)) {
        keys++;
        expect(value.description ?? '', `${path}.${key}`).toMatch(/\S/);
        if ('default' in value) expect(value.description, `${path}.${key}`).toContain('Default: ');
        check(value, `${path}.${key}`);
      }
    };
    check(recipeJsonSchema(), '');
    expect(keys).toBeGreaterThan(150);
  });
});

describe('nearest', () => {
  it.each([
    ['kitten', 'sitting', 3],
    ['steps', 'setps', 1],
    ['', 'abc', 3],
    ['ca', 'abc', 3],
    ['same', 'same', 0],
  ])('distance of %s and %s', (a, b, distance) => {
    expect(editDistance(a, b)).toBe(distance);
    expect(editDistance(b, a)).toBe(distance);
  });

  it('suggests what is near, and nothing otherwise', () => {
    const keys = ['steps', 'batchTokens', 'schedule', 'clipNorm'];
    expect(nearest('batch_tokens', keys)).toBe('batchTokens');
    expect(nearest('shedule', keys)).toBe('schedule');
    expect(nearest('clip-nrom', keys)).toBe('clipNorm');
    expect(nearest('banana', keys)).toBeUndefined();
  });
});
