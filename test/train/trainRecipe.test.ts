import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { QkvError } from '../../src/base/errors.ts';
import { nodeStorage } from '../../src/checkpoint/storage.node.ts';
import { loadPretrained } from '../../src/pretrained/pretrained.ts';
import type { Recipe } from '../../src/recipe/recipe.ts';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import type { TrainingEvent } from '../../src/train/events.ts';
import { type TrainedRun, type TrainRecipeOptions, trainRecipe } from '../../src/train/trainRecipe.node.ts';
import { TinyRecipe } from './tinyRecipe.ts';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await createNodeRuntime({ spinning: false });
});
afterAll(() => runtime[Symbol.asyncDispose]());

function sha(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

/** Stops as Ctrl-C does, when `step` is done. */
async function trainUntil(recipe: Recipe, step: number, options: TrainRecipeOptions = {}): Promise<TrainedRun> {
  const stop = { aborted: false };
  const onEvent = (event: TrainingEvent): void => {
    if (event.kind === 'step' && event.step === step) stop.aborted = true;
  };
  return trainRecipe(runtime, recipe, { ...options, stop, onEvent });
}

async function failureOf(promise: Promise<unknown>): Promise<QkvError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(QkvError);
  return error as QkvError;
}

describe('a run of a recipe', () => {
  it('learns a few pairs by heart, and publishes a model that opens', async () => {
    using tiny = new TinyRecipe(4);
    const recipe = tiny.load(
      'translation',
      'train.steps=150',
      'train.validateEvery=75',
      'train.schedule.peak=1e-2',
      'model.dropout=0',
      'objective.labelSmoothing=0',
      'train.accumulate=1',
      'train.best=score',
    );
    const events: TrainingEvent[] = [];
    const run = await trainRecipe(runtime, recipe, { onEvent: (event) => events.push(event) });
    const validations = events.filter((event) => event.kind === 'validation');
    expect(validations.at(-1)!.validation.loss).toBeLessThan(0.02);
    expect(validations.at(-1)!.validation.bleu).toBeCloseTo(100, 5);
    expect(validations.at(-1)!.samples[0]!.output).toBe(validations.at(-1)!.samples[0]!.reference);
    expect(run.reason).toBe('steps');
    const opened = await loadPretrained(nodeStorage(run.modelFolder!));
    expect(opened.model.family).toBe('marian');
    expect([opened.tokenizer!.specialIds.eos]).toEqual(opened.model.eosIds);
    // what a page shows of it first
    const examples = JSON.parse(readFileSync(join(run.modelFolder!, 'examples.json'), 'utf8'));
    const sources = readFileSync(join(tiny.folder, 'pairs.tsv'), 'utf8').trim().split('\n');
    expect(examples.map(({ text }: { text: string }) => text).sort()).toEqual(
      sources.map((line) => line.split('\t')[0]!).sort(),
    );
  });

  it.each([
    [
      'translation',
      '{family: t5, config: {d_model: 32, d_kv: 8, d_ff: 64, num_layers: 1, num_heads: 4, dropout_rate: 0}}',
    ],
    [
      'translation',
      '{family: bart, config: {d_model: 32, encoder_layers: 1, decoder_layers: 1, encoder_attention_heads: 2, decoder_attention_heads: 2, encoder_ffn_dim: 64, decoder_ffn_dim: 64, max_position_embeddings: 64, dropout: 0}}',
    ],
    [
      'language-model',
      '{family: llama, config: {hidden_size: 32, intermediate_size: 64, num_hidden_layers: 2, num_attention_heads: 4, num_key_value_heads: 2, max_position_embeddings: 16}}',
    ],
  ] as const)('%s of %s, a family by its config.json', async (task, model) => {
    using tiny = new TinyRecipe(4);
    const set = ['train.steps=30', 'train.accumulate=1', 'train.schedule.peak=1e-2', 'train.validateEvery=30'];
    if (task === 'language-model') set.splice(1, 1);
    const run = await trainRecipe(runtime, tiny.load(task, `model=${model}`, ...set));
    const losses = tiny.metrics().flatMap(({ loss }) => loss ?? []);
    expect(losses.at(-1)!).toBeLessThan(0.85 * losses[0]!);
    const opened = await loadPretrained(nodeStorage(run.modelFolder!));
    expect(opened.model.config['model_type']).toBe(opened.model.family);
    expect(opened.model.vocabSize).toBe(opened.tokenizer!.vocabSize);
  });

  it.each(['translation', 'language-model', 'masked-language-model', 'denoising'] as const)(
    '%s: stopped twice and resumed, it is the run that was not',
    async (task) => {
      using tiny = new TinyRecipe();
      const whole = await trainRecipe(runtime, tiny.load(task, `output=${join(tiny.folder, 'whole')}`));
      const recipe = tiny.load(task);
      expect((await trainUntil(recipe, 7)).reason).toBe('interrupted');
      expect((await trainUntil(recipe, 8, { resume: true })).step).toBe(8);
      const resumed = await trainRecipe(runtime, recipe, { resume: true });
      for (const file of ['model.safetensors', 'tokenizer.json', 'config.json']) {
        expect(sha(join(resumed.modelFolder!, file)), file).toBe(sha(join(whole.modelFolder!, file)));
      }
      const last = readdirSync(whole.folder)
        .filter((name) => name.startsWith('step-'))
        .at(-1)!;
      expect(sha(join(tiny.output, last, 'optimizer.safetensors'))).toBe(
        sha(join(whole.folder, last, 'optimizer.safetensors')),
      );
      const withoutTimes = (output?: string) =>
        tiny.metrics(output).map((line) => ({ ...line, seconds: 0, tokensPerSecond: 0 }));
      expect(withoutTimes()).toEqual(withoutTimes(whole.folder));
    },
  );

  it('goes on from the snapshot before a damaged one, and says so', async () => {
    using tiny = new TinyRecipe();
    const recipe = tiny.load('language-model');
    const whole = await trainRecipe(runtime, tiny.load('language-model', `output=${join(tiny.folder, 'whole')}`));
    await trainUntil(recipe, 13); // leaves those of steps 12 and 13
    const file = join(tiny.output, 'step-000013', 'model.safetensors');
    const bytes = readFileSync(file);
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(file, bytes);
    const notices: string[] = [];
    let first: number | undefined;
    const run = await trainRecipe(runtime, recipe, {
      resume: true,
      onEvent: (event) => {
        if (event.kind === 'notice') notices.push(event.text);
        if (event.kind === 'start') first = event.step;
      },
    });
    expect(notices.join()).toMatch(/step-000013 is damaged.*SHA-256/);
    expect(first).toBe(12);
    expect(sha(join(run.modelFolder!, 'model.safetensors'))).toBe(sha(join(whole.modelFolder!, 'model.safetensors')));
    expect(new Set(tiny.metrics().map((line) => JSON.stringify([line.step, 'loss' in line]))).size).toBe(
      tiny.metrics().length,
    );
  });

  it('stops at a loss that is not finite, and keeps the last good snapshot', async () => {
    using tiny = new TinyRecipe();
    const sets = ['train.saveEvery=2', 'train.clipNorm=null', 'train.optimizer={name: sgd}'];
    const schedule = 'train.schedule={name: constant, peak: 1e-3, warmup: 0}';
    await trainUntil(tiny.load('language-model', ...sets, schedule), 4);
    const steep = tiny.load(
      'language-model',
      ...sets,
      schedule.replace('1e-3', '1e30'),
      `output=${join(tiny.folder, 'steep')}`,
    );
    const error = await failureOf(trainRecipe(runtime, steep));
    expect(error.code).toBe('run');
    expect(error.message).toMatch(/^step \d+: got .*(NaN|Infinity|infinite)/);
    expect(error.message).toContain('train.schedule.peak');
    expect(readdirSync(join(tiny.folder, 'steep')).filter((name) => name.startsWith('step-'))).toEqual([]);
    expect(existsSync(join(tiny.output, 'step-000004'))).toBe(true);
  });

  const size = 'num_hidden_layers: 1, num_attention_heads: 2, hidden_size: 32, intermediate_size: 64';
  it.each([
    [
      `{family: bert, config: {${size}, max_position_embeddings: 48}}`,
      '{sentences: next-sentence}',
      'BertForPreTraining',
    ],
    [`{family: bert, config: {${size}, max_position_embeddings: 48}}`, '{copies: 2}', 'BertForMaskedLM'],
    [`{family: roberta, config: {${size}, max_position_embeddings: 50}}`, '{words: chinese}', 'RobertaForMaskedLM'],
    [
      `{family: albert, config: {${size}, embedding_size: 16, max_position_embeddings: 48}}`,
      '{sentences: sentence-order, maxNgram: 3, words: chinese}',
      'AlbertForPreTraining',
    ],
    [
      '{family: distilbert, config: {dim: 32, n_layers: 1, n_heads: 2, hidden_dim: 64, max_position_embeddings: 48}}',
      '{}',
      'DistilBertForMaskedLM',
    ],
  ])('masked words: %s, %s', async (model, objective, architecture) => {
    using tiny = new TinyRecipe();
    const set = ['train.steps=24', 'train.schedule.peak=1e-2', `model=${model}`, `objective=${objective}`];
    if (architecture.startsWith('Roberta')) set.push('evaluate.fill=[我<mask>去。]');
    const run = await trainRecipe(runtime, tiny.load('masked-language-model', ...set));
    const lines = tiny.metrics();
    const losses = lines.flatMap(({ loss }) => loss ?? []);
    expect(losses.at(-1)!).toBeLessThan(0.9 * losses[0]!);
    const { validation } = lines.findLast(({ validation: one }) => one)!;
    const asksPairs = objective.includes('sentences');
    expect(Object.keys(validation!.losses ?? {})).toEqual(asksPairs ? ['words', 'sentences'] : []);
    expect(Object.keys(validation!.accuracies ?? {})).toEqual(asksPairs ? ['sentences'] : []);
    if (asksPairs) {
      const sum = Object.values(validation!.losses!).reduce((a, b) => a + b);
      expect(validation!.loss).toBeCloseTo(sum, 6);
    }
    const opened = await loadPretrained(nodeStorage(run.modelFolder!));
    expect(opened.model.config['architectures']).toEqual([architecture]);
    expect(opened.model.vocabSize).toBe(opened.tokenizer!.vocabSize);
  });

  it.each(['translation', 'language-model', 'masked-language-model', 'denoising'] as const)(
    '%s: goes on from a model that exists, with its tokenizer, and can be resumed without it',
    async (task) => {
      using tiny = new TinyRecipe(4);
      const first = await trainRecipe(runtime, tiny.load(task, 'train.steps=20', 'train.validateEvery=20'));
      const moved = join(tiny.folder, 'base');
      renameSync(first.modelFolder!, moved);
      const lossBefore = tiny.metrics().findLast(({ validation }) => validation)!.validation!.loss;
      const further = (...set: string[]): Recipe =>
        tiny.load(
          task,
          `output=${join(tiny.folder, 'further')}`,
          'tokenizer={kind: model}',
          `model={family: pretrained, from: ${moved}}`,
          'train.schedule={name: constant, peak: 1e-9}',
          'train.steps=4',
          'train.validateEvery=1',
          ...set,
        );
      await trainUntil(further(), 2);
      renameSync(moved, join(tiny.folder, 'gone'));
      const run = await trainRecipe(runtime, further(), { resume: true });
      const lines = tiny.metrics(run.folder);
      expect(lines.find(({ validation }) => validation)!.validation!.loss).toBeCloseTo(lossBefore, 3);
      const tokenizers = [join(tiny.folder, 'gone'), run.modelFolder!].map((folder) =>
        sha(join(folder, 'tokenizer.json')),
      );
      expect(tokenizers[0]).toBe(tokenizers[1]);
      const other = task === 'translation' || task === 'denoising' ? 'language-model' : 'translation';
      const wrong = tiny.load(
        other,
        `output=${join(tiny.folder, 'wrong')}`,
        `model={family: pretrained, from: ${run.modelFolder}}`,
      );
      expect((await failureOf(trainRecipe(runtime, wrong))).message).toContain('model.from');
    },
  );

  it('that cannot begin leaves its folder free for the next try', async () => {
    using tiny = new TinyRecipe();
    const error = await failureOf(trainRecipe(runtime, tiny.load('translation', 'data.train=missing.tsv')));
    expect(error.code).toBe('io');
    expect((await trainUntil(tiny.load('translation'), 1)).step).toBe(1);
  });

  it('ends early when validation does not improve', async () => {
    using tiny = new TinyRecipe();
    const run = await trainRecipe(
      runtime,
      tiny.load(
        'language-model',
        'train.steps=100',
        'train.validateEvery=1',
        'train.earlyStopping={patience: 2}',
        'train.schedule={name: constant, peak: 1e-9, warmup: 0}',
        'train.optimizer={name: sgd}',
        'train.saveEvery=100',
        'evaluate.blocks=1',
        'evaluate.sampleTokens=0',
      ),
    );
    expect(run.reason).toBe('early-stopping');
    expect(run.step).toBe(run.best!.step + 2);
  });

  it('ends when its time is over', async () => {
    using tiny = new TinyRecipe();
    const recipe = tiny.load(
      'language-model',
      'train.steps=1000000',
      'train.minutes=0.03',
      'train.validateEvery=1000000',
    );
    const rates: number[] = [];
    const run = await trainRecipe(runtime, recipe, {
      onEvent: (event) => event.kind === 'step' && rates.push(event.learningRate),
    });
    expect(run.reason).toBe('minutes');
    expect(existsSync(join(run.modelFolder!, 'model.safetensors'))).toBe(true);
    expect(rates.at(-1)!).toBeLessThan(0.5 * Math.max(...rates)); // the schedule knew of the end
  });
});

describe('the output folder', () => {
  it('is refused when it holds another run or anything else, and moved aside when told', async () => {
    using tiny = new TinyRecipe();
    const recipe = tiny.load('language-model', 'train.steps=2');
    await trainRecipe(runtime, recipe);
    const before = sha(join(tiny.output, 'model', 'model.safetensors'));
    const error = await failureOf(trainRecipe(runtime, recipe));
    expect(error.code).toBe('run');
    expect(error.message).toMatch(/another run.*--resume.*--overwrite/);
    const notices: string[] = [];
    await trainRecipe(
      runtime,
      { ...recipe, seed: 4 },
      {
        overwrite: true,
        onEvent: (event) => event.kind === 'notice' && notices.push(event.text),
      },
    );
    expect(notices.join()).toContain(`${tiny.output}-1`);
    expect(sha(join(`${tiny.output}-1`, 'model', 'model.safetensors'))).toBe(before);
    expect(sha(join(tiny.output, 'model', 'model.safetensors'))).not.toBe(before);

    writeFileSync(join(tiny.folder, 'other', 'thesis.tex'), '');
    const foreign = { ...recipe, output: join(tiny.folder, 'other') };
    expect((await failureOf(trainRecipe(runtime, foreign, { overwrite: true }))).message).toContain('thesis.tex');
    expect((await failureOf(trainRecipe(runtime, foreign, { resume: true }))).message).toContain('without recipe.yaml');
  });

  it('is gone again when the run could not begin', async () => {
    using tiny = new TinyRecipe();
    const recipe = tiny.load('language-model', 'data.file=nowhere.txt');
    expect((await failureOf(trainRecipe(runtime, recipe))).message).toContain('nowhere.txt');
    expect(existsSync(tiny.output)).toBe(false);
  });

  it('takes one process at a time', async () => {
    using tiny = new TinyRecipe();
    const recipe = tiny.load('language-model');
    await trainUntil(recipe, 1);
    writeFileSync(
      join(tiny.output, 'run.lock'),
      JSON.stringify({ pid: process.ppid, host: (await import('node:os')).hostname() }),
    );
    expect((await failureOf(trainRecipe(runtime, recipe, { resume: true }))).message).toContain(
      `process ${process.ppid}`,
    );
    writeFileSync(join(tiny.output, 'run.lock'), ''); // of a process that was killed while it wrote this
    expect((await trainRecipe(runtime, recipe, { resume: true })).reason).toBe('steps');
  });
});

describe('resuming', () => {
  it('refuses a recipe that computes something else, by its keys', async () => {
    using tiny = new TinyRecipe();
    await trainUntil(tiny.load('language-model'), 1);
    const changed = tiny.load('language-model', 'model.width=64', 'train.schedule.peak=1', 'train.steps=25');
    const error = await failureOf(trainRecipe(runtime, changed, { resume: true }));
    expect(error.message).toContain('model.width 64 (the run has 32)');
    expect(error.message).toContain('train.schedule.peak 1');
    expect(error.message).not.toContain('train.steps');
  });

  it('refuses other data under the same name', async () => {
    using tiny = new TinyRecipe();
    await trainUntil(tiny.load('translation'), 1);
    const file = join(tiny.folder, 'pairs.tsv');
    writeFileSync(file, readFileSync(file, 'utf8').replace('\t', ' now\t'));
    expect((await failureOf(trainRecipe(runtime, tiny.load('translation'), { resume: true }))).message).toContain(
      'other data',
    );
  });

  it('may go further than was planned', async () => {
    using tiny = new TinyRecipe();
    await trainRecipe(runtime, tiny.load('language-model', 'train.steps=3'));
    const run = await trainRecipe(runtime, tiny.load('language-model', 'train.steps=5'), { resume: true });
    expect(run.step).toBe(5);
  });
});
