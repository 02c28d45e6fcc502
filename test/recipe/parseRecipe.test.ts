import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { formatRecipe } from '../../src/recipe/formatRecipe.ts';
import { parseRecipe } from '../../src/recipe/parseRecipe.ts';
import type { Recipe } from '../../src/recipe/recipe.ts';
import { RecipeError } from '../../src/recipe/recipeError.ts';

const shakespeare = readFileSync('recipes/shakespeare.yaml', 'utf8');

/** Lines 1 to 8 are the head, the data and the tokenizer; line 9 begins the model. */
const translation = `name: x
task: translation
output: runs/x
data:
  format: tsv
  train: a.tsv
  validation: b.tsv
tokenizer: { kind: byte-bpe, vocabSize: 300 }
model:
  family: transformer
  width: 32
  encoderLayers: 2
  decoderLayers: 2
  heads: 4
  hidden: 64
train:
  steps: 10
  batchTokens: 512
  schedule: { name: constant, peak: 1e-3 }
`;

function errorOf(text: string, overrides: string[] = []): RecipeError {
  try {
    parseRecipe(text, 'x.yaml', overrides);
  } catch (error) {
    expect(error).toBeInstanceOf(RecipeError);
    expect((error as RecipeError).code).toBe('recipe');
    return error as RecipeError;
  }
  throw new Error('the recipe was accepted');
}

const changed = (from: string, to: string): string => {
  expect(translation).toContain(from);
  return translation.replace(from, to);
};

describe('a correct recipe', () => {
  it('gets its defaults', () => {
    expect(parseRecipe(translation, 'x.yaml')).toEqual({
      name: 'x',
      task: 'translation',
      seed: 1,
      output: 'runs/x',
      data: { format: 'tsv', train: 'a.tsv', validation: 'b.tsv', test: null, columns: ['source', 'target'] },
      tokenizer: { kind: 'byte-bpe', vocabSize: 300, minFrequency: 1 },
      model: {
        family: 'transformer',
        width: 32,
        encoderLayers: 2,
        decoderLayers: 2,
        heads: 4,
        hidden: 64,
        activation: 'relu',
        dropout: 0.1,
        attentionDropout: 0,
        activationDropout: 0,
        maxLength: 256,
        normPlacement: 'post',
        positions: 'interleaved',
        sharedEmbeddings: 'all',
        bias: true,
        init: { kind: 'xavier-uniform' },
      },
      objective: { labelSmoothing: 0.1 },
      train: {
        steps: 10,
        minutes: null,
        batchTokens: 512,
        maxLength: null,
        lengthMultiple: 4,
        sortWindow: 8192,
        accumulate: 1,
        optimizer: { name: 'adamw', beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.01 },
        schedule: { name: 'constant', peak: 1e-3, warmup: 0 },
        clipNorm: null,
        saveEvery: 500,
        validateEvery: 500,
        logEvery: 10,
        keep: 2,
        earlyStopping: null,
        adapter: null,
        freeze: [],
        layerDecay: 1,
        ema: null,
        saveDtype: 'float32',
        best: 'loss',
      },
      evaluate: { metric: 'bleu', tokenize: '13a', beam: 4, lengthPenalty: 1, maxLength: 128, sentences: 200 },
    } satisfies Recipe);
  });

  it('is not changed by being written and read', () => {
    for (const text of [translation, shakespeare]) {
      const recipe = parseRecipe(text, 'x.yaml');
      expect(parseRecipe(formatRecipe(recipe), 'y.yaml')).toEqual(recipe);
    }
  });

  it('may use anchors', () => {
    const text = changed('validation: b.tsv', 'validation: &b b.tsv\n  test: *b');
    expect(parseRecipe(text, 'x.yaml').data).toMatchObject({ validation: 'b.tsv', test: 'b.tsv' });
  });
});

describe('one mistake', () => {
  const cases: [name: string, text: string, message: string][] = [
    ['a value', changed('steps: 10', 'steps: 0'), 'x.yaml:17:10: train.steps: got 0, expected a whole number from 1'],
    [
      'a fraction',
      changed('heads: 4', 'heads: 4.5'),
      'x.yaml:14:10: model.heads: got 4.5, expected a whole number from 1',
    ],
    [
      'text for a number',
      changed('steps: 10', 'steps: 1_000'),
      'x.yaml:17:10: train.steps: got "1_000", expected a whole number from 1',
    ],
    [
      'a number for text',
      changed('name: x', 'name: 7'),
      'x.yaml:1:7: name: got 7, expected text, not empty. Put it in quotes',
    ],
    ['no number', changed('1e-3', '.nan'), 'x.yaml:19:37: train.schedule.peak: got NaN, expected a number above 0'],
    [
      'a choice',
      changed('hidden: 64', 'hidden: 64\n  activation: gelu_nwe'),
      'x.yaml:16:15: model.activation: got "gelu_nwe", expected relu, gelu, gelu_new or silu. Did you mean gelu_new?',
    ],
    [
      'a family',
      changed('family: transformer', 'family: transfomer'),
      'x.yaml:10:11: model.family: got "transfomer", expected marian, transformer, t5, bart or pretrained. Did you mean transformer?',
    ],
    [
      'a task',
      changed('task: translation', 'task: qa'),
      'x.yaml:2:7: task: got "qa", expected translation, language-model, masked-language-model',
    ],
    [
      'a misspelt key',
      changed('format: tsv', 'format: tsv\n  colunms: [source, target]'),
      'x.yaml:6:3: data.colunms: got the unknown key colunms, expected format, train, validation, test, columns. Did you mean columns?',
    ],
    ['a key in another style', changed('output: runs/x', 'output: runs/x\nSEED: 1'), 'Did you mean seed?'],
    [
      'a key at the wrong place',
      changed('output: runs/x', 'output: runs/x\nsteps: 4'),
      'x.yaml:4:1: steps: got the unknown key steps',
    ],
    ['that key’s right place', changed('output: runs/x', 'output: runs/x\nsteps: 4'), 'Did you mean train.steps?'],
    [
      'another trainer’s name',
      changed('steps: 10', 'steps: 10\n  learning_rate: 1'),
      'Did you mean train.schedule.peak?',
    ],
    [
      'a key of another choice',
      changed('steps: 10', 'steps: 10\n  optimizer: { name: adam, weightDecay: 0.1 }'),
      'x.yaml:18:28: train.optimizer.weightDecay: got the unknown key weightDecay, expected name, beta1, beta2, eps. It belongs to train.optimizer.name: adamw',
    ],
    ['a key of another task', changed('steps: 10', 'steps: 10\n  blockSize: 8'), 'It belongs to task: language-model'],
    [
      'a missing key',
      changed('  steps: 10\n', ''),
      'x.yaml:16:1: train.steps: got nothing, expected a whole number from 1',
    ],
    [
      'a missing map',
      changed('tokenizer:', '# tokenizer:'),
      'x.yaml:1:1: tokenizer: got nothing, expected a map of kind',
    ],
    [
      'no map',
      changed('{ name: constant, peak: 1e-3 }', '3'),
      'x.yaml:19:13: train.schedule: got 3, expected a map of name, peak, warmup, final',
    ],
    ['heads', changed('heads: 4', 'heads: 5'), 'x.yaml:14:10: model.heads: got 5, expected a divisor of width'],
    [
      'an odd width',
      changed('width: 32', 'width: 33').replace('heads: 4', 'heads: 3'),
      'x.yaml:11:10: model.width: got 33, expected an even number',
    ],
    [
      'a length',
      changed('steps: 10', 'steps: 10\n  maxLength: 300'),
      'train.maxLength: got 300, expected at most model.maxLength',
    ],
    [
      'columns',
      changed('format: tsv', 'format: tsv\n  columns: [source, source]'),
      'x.yaml:6:12: data.columns: got ["source", "source"], expected source once, target once',
    ],
    [
      'a column',
      changed('format: tsv', 'format: tsv\n  columns: [source, tagret]'),
      'x.yaml:6:21: data.columns[1]: got "tagret", expected source, target or ignore. Did you mean target?',
    ],
    [
      'one file of two',
      changed('format: tsv', 'format: parallel').replace('a.tsv', '[a]').replace('b.tsv', '[a, b]'),
      'x.yaml:6:10: data.train: got ["a"], expected a list of 2',
    ],
    ['YAML', changed('name: x', 'name: [x'), 'x.yaml:'],
    [
      'a key twice',
      changed('steps: 10', 'steps: 10\n  steps: 11'),
      'x.yaml:18:3: got Map keys must be unique, expected valid YAML',
    ],
    ['a tag', changed('name: x', 'name: !secret x'), 'Unresolved tag'],
    ['no recipe', '', 'x.yaml:1:1: got an empty file, expected a map of task, name'],
    ['a list', '- a\n', 'x.yaml:1:1: got ["a"], expected a map of task, name'],
  ];
  it.each(cases)('%s', (_, text, message) => {
    expect(errorOf(text).message).toContain(message);
    expect(errorOf(text).problems).toHaveLength(1);
  });

  it.each([
    ['an alias of nothing', 'name: *x', 'Unresolved alias'],
    ['an alias within itself', 'data: &x { train: *x }', 'an alias within what it stands for'],
    [
      'aliases that multiply',
      `a: &a [x, x]\n${[...'bcdefghij'].map((k, i) => `${k}: &${k} [${`*${'abcdefghi'[i]},`.repeat(9)}]`).join('\n')}`,
      'Excessive alias count',
    ],
    ['lists without end', '['.repeat(20_000), 'expected valid YAML'],
  ])('refuses %s', (_, text, message) => {
    expect(errorOf(text).message).toContain(message);
    expect(errorOf(translation, ['name=*x']).message).toContain('--set name=*x: got Unresolved alias');
  });
});

describe('several mistakes', () => {
  it('are all reported at once, each with its place', () => {
    const text = changed('name: x', 'nmae: x')
      .replace('heads: 4', 'heads: 5')
      .replace('steps: 10', 'steps: ten\n  lr: 1');
    const error = errorOf(text);
    expect(error.problems.map(({ where, path }) => [where, path.join('.')]).sort()).toEqual([
      ['x.yaml:14:10', 'model.heads'],
      ['x.yaml:17:10', 'train.steps'],
      ['x.yaml:18:3', 'train.lr'],
      ['x.yaml:1:1', 'name'],
      ['x.yaml:1:1', 'nmae'],
    ]);
    expect(error.message.split('\n')).toHaveLength(6);
    expect(error.message).toMatch(/^x\.yaml: 5 problems\n/);
  });
});

describe('--set', () => {
  const train = (...overrides: string[]): Recipe['train'] => parseRecipe(shakespeare, 'x.yaml', overrides).train;

  it('takes YAML scalars and flow, the last one of a key counts', () => {
    expect(train('train.steps=100').steps).toBe(100);
    expect(train('train.steps=100', 'train.steps=7').steps).toBe(7);
    expect(train('train.clipNorm=null').clipNorm).toBeNull();
    expect(train('train.schedule.peak=5e-4').schedule.peak).toBe(5e-4);
    expect(train('train.optimizer={name: sgd, momentum: 0.9}').optimizer).toEqual({
      name: 'sgd',
      momentum: 0.9,
      weightDecay: 0,
    });
    expect(train('train.earlyStopping.patience=3').earlyStopping).toEqual({ patience: 3 });
    expect(parseRecipe(shakespeare, 'x.yaml', ['name=a=b']).name).toBe('a=b');
    expect(parseRecipe(shakespeare, 'x.yaml', ['seed=3', 'output=runs/other', 'train.saveEvery=5'])).toMatchObject({
      seed: 3,
      output: 'runs/other',
      train: { saveEvery: 5 },
    });
  });

  it('reaches into lists and makes maps that are not there', () => {
    expect(
      parseRecipe(translation, 'x.yaml', [
        'objective.labelSmoothing=0',
        'data.columns=[target, source]',
        'data.columns.0=source',
        'data.columns.1=target',
      ]),
    ).toMatchObject({
      objective: { labelSmoothing: 0 },
      data: { columns: ['source', 'target'] },
    });
  });

  it('wins over a wrong value in the file', () => {
    expect(parseRecipe(changed('steps: 10', 'steps: 0'), 'x.yaml', ['train.steps=1']).train.steps).toBe(1);
  });

  it.each([
    ['train.steps=abc', '--set train.steps=abc: train.steps: got "abc", expected a whole number from 1'],
    ['train.step=5', '--set train.step=5: train.step: got the unknown key step'],
    ['train.step=5', 'Did you mean steps?'],
    [
      'train.schedule={name: linear}',
      '--set train.schedule={name: linear}: train.schedule.peak: got nothing, expected a number above 0',
    ],
    ['evaluate.tokenise.a=zh', '--set evaluate.tokenise.a=zh: evaluate.tokenise: got the unknown key tokenise'],
    ['train.steps', '--set train.steps: got no =, expected key=value, e.g. train.steps=100'],
    ['=5', '--set =5: got an empty key'],
    ['train..steps=5', 'got an empty key'],
    ['train.steps=[1', '--set train.steps=[1: got '],
    ['name.x=3', '--set name.x=3: name: got "shakespeare", expected a map, to set x in'],
    ['__proto__.polluted=1', '--set __proto__.polluted=1: __proto__: got the unknown key __proto__'],
    ['constructor=1', '--set constructor=1: constructor: got the unknown key constructor'],
  ])('%s is refused by name', (override, message) => {
    expect(errorOf(shakespeare, [override]).message).toContain(message);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('points at the file for what the file holds', () => {
    expect(errorOf(shakespeare, ['train.optimizer.name=adam']).message).toMatch(
      /^x\.yaml:\d+:\d+: train\.optimizer\.weightDecay: got the unknown key weightDecay/,
    );
  });
});
