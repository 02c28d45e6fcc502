import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { HostTensor } from '../../src/base/tensor.ts';
import { nodeStorage } from '../../src/checkpoint/storage.node.ts';
import { headTask } from '../../src/predict/headTasks.ts';
import { EncoderSession } from '../../src/predict/session.ts';
import { answer } from '../../src/pretrained/answer.ts';
import { choose, classify } from '../../src/pretrained/classify.ts';
import { cosineSimilarities, embed } from '../../src/pretrained/embed.ts';
import { openModel } from '../../src/pretrained/openModel.node.ts';
import { loadPretrained, type Pretrained } from '../../src/pretrained/pretrained.ts';
import { sentenceEncoderAt } from '../../src/pretrained/sentenceEncoder.node.ts';
import { tag } from '../../src/pretrained/tag.ts';
import { loadRecipe } from '../../src/recipe/loadRecipe.node.ts';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import type { TrainingEvent } from '../../src/train/events.ts';
import { type TrainedRun, type TrainRecipeOptions, trainRecipe } from '../../src/train/trainRecipe.node.ts';

let runtime: Runtime;
let folder: string;
beforeAll(async () => {
  runtime = await createNodeRuntime({ spinning: false });
});
afterAll(() => runtime[Symbol.asyncDispose]());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'qkv-heads-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const NEW_MODEL =
  '{ family: bert, config: { hidden_size: 32, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 64, max_position_embeddings: 64, initializer_range: 0.1, hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 } }';

interface Spec {
  readonly task: string;
  readonly data: string;
  readonly steps?: number | 'null';
  readonly peak?: string;
  readonly model?: string;
  readonly tokenizer?: string;
  readonly more?: string;
}

function write(name: string, text: string): void {
  writeFileSync(join(folder, name), text);
}

async function train(spec: Spec, output = 'run', options: TrainRecipeOptions = {}): Promise<TrainedRun> {
  write(
    `${output}.yaml`,
    `
name: tiny
task: ${spec.task}
seed: 3
output: ${join(folder, output)}
data: ${spec.data}
tokenizer: ${spec.tokenizer ?? '{ kind: char }'}
model: ${spec.model ?? NEW_MODEL}
train:
  steps: ${spec.steps ?? 60}
  batchSize: 4
  schedule: { name: constant, peak: ${spec.peak ?? '5e-3'} }
  saveEvery: 10
  validateEvery: 20
${spec.more ?? ''}
`,
  );
  return trainRecipe(runtime, loadRecipe(join(folder, `${output}.yaml`)), options);
}

async function opened(run: TrainedRun): Promise<{ readonly session: EncoderSession; readonly made: Pretrained }> {
  const made = await loadPretrained(nodeStorage(run.modelFolder!));
  return { session: new EncoderSession(runtime, made.model, made.arena.tensors), made };
}

function sha(run: TrainedRun, file: string): string {
  return createHash('sha256')
    .update(readFileSync(join(run.modelFolder!, file)))
    .digest('hex');
}

/** Stopped after step 7 and resumed, it is `whole`. */
async function expectSameWhenResumed(
  spec: Spec,
  whole: TrainedRun,
  files = ['model.safetensors', 'config.json'],
): Promise<void> {
  const stop = { aborted: false };
  const onEvent = (event: TrainingEvent): void => {
    if (event.kind === 'step' && event.step === 7) stop.aborted = true;
  };
  expect((await train(spec, 'again', { stop, onEvent })).reason).toBe('interrupted');
  const resumed = await train(spec, 'again', { resume: true });
  for (const file of files) expect(sha(resumed, file), file).toBe(sha(whole, file));
}

const REVIEWS = [
  ['good', 'a warm and funny film'],
  ['bad', 'a dull and empty film'],
  ['good', 'warm songs, a funny cast'],
  ['bad', 'dull songs, an empty plot'],
  ['good', 'it is funny and warm'],
  ['bad', 'it is empty and dull'],
];

describe('sequence classification', () => {
  const reviews = (): void => write('reviews.tsv', `label\ttext\n${REVIEWS.map((row) => row.join('\t')).join('\n')}\n`);
  const spec: Spec = {
    task: 'sequence-classification',
    data: '{ format: records, train: reviews.tsv, validation: reviews.tsv, test: reviews.tsv, fields: { text: 2, label: label } }',
  };

  /** A model that learnt words alone, and so lacks the head. */
  const maskedModel = (): Promise<TrainedRun> => {
    write('documents.txt', REVIEWS.map(([, text]) => text).join('\n'));
    const data = '{ format: documents, train: documents.txt, validation: documents.txt }';
    return train({ task: 'masked-language-model', data, steps: 2, more: '  maxLength: 32' }, 'masked');
  };

  it('learns classes whose names it finds, and is the same when resumed', async () => {
    reviews();
    const run = await train(spec);
    expect(run.test!.scores).toMatchObject({ accuracy: 1, f1: 1, matthews: 1 });
    const { session, made } = await opened(run);
    expect(made.model.config).toMatchObject({
      architectures: ['BertForSequenceClassification'],
      id2label: { 0: 'bad', 1: 'good' },
      label2id: { bad: 0, good: 1 },
      problem_type: 'single_label_classification',
    });
    const [first] = await classify(session, made.tokenizer!, ['a funny and warm film']);
    expect(first!.scores[0]!.label).toBe('good');
    await expectSameWhenResumed(spec, run);
  });

  it('begins with a pretrained encoder, says what is new, and goes on with a head of the same task', async () => {
    reviews();
    const masked = await maskedModel();
    const notices: string[] = [];
    const onEvent = (event: TrainingEvent): void => {
      if (event.kind === 'notice') notices.push(event.text);
    };
    const onIt = {
      ...spec,
      tokenizer: '{ kind: model }',
      model: `{ family: pretrained, from: ${masked.modelFolder} }`,
    };
    const tuned = await train(onIt, 'tuned', { onEvent });
    expect(notices).toHaveLength(1);
    expect(notices[0]).toMatch(
      /does not have pooler.weight, classifier.weight, pooler.bias, classifier.bias, which start/,
    );
    expect(notices[0]).toMatch(/cls\.predictions\.bias.* not used/);
    expect(tuned.test!.scores!['accuracy']).toBe(1);

    const further = { ...onIt, model: `{ family: pretrained, from: ${tuned.modelFolder} }`, steps: 1, peak: '1e-6' };
    const again = await train(further, 'further', { onEvent });
    expect(notices).toHaveLength(1);
    expect(again.test!.scores!['accuracy']).toBe(1);
  });

  it('learns its new head whole beside an adapter of the encoder, and is the same when resumed', async () => {
    reviews();
    const masked = await maskedModel();
    const onIt: Spec = {
      ...spec,
      tokenizer: '{ kind: model }',
      model: `{ family: pretrained, from: ${masked.modelFolder} }`,
      more: '  adapter: { kind: lora, rank: 2, targets: [query, value] }',
    };
    const run = await train(onIt);
    expect(run.test!.scores!['accuracy']).toBe(1);
    expect(existsSync(join(run.modelFolder!, 'model.safetensors'))).toBe(false);
    const { modules_to_save: whole } = JSON.parse(readFileSync(join(run.modelFolder!, 'adapter_config.json'), 'utf8'));
    expect(whole).toEqual(['bert.pooler.dense', 'classifier']);
    const { model, arena, tokenizer } = await openModel(run.modelFolder!);
    const session = new EncoderSession(runtime, model, arena.tensors);
    const answers = await classify(session, tokenizer!, ['a funny and warm film', 'an empty, dull film']);
    expect(answers.map(({ scores }) => scores[0]!.label)).toEqual(['good', 'bad']);
    const files = ['adapter_model.safetensors', 'adapter_config.json', 'config.json', 'tokenizer_config.json'];
    await expectSameWhenResumed(onIt, run, files);
  });

  it('counts in epochs', async () => {
    reviews();
    const run = await train({ ...spec, more: '  epochs: 3' }).catch((error: Error) => error);
    expect((run as Error).message).toMatch(/either steps or epochs/);
    const counted = await train({ ...spec, steps: 'null', more: '  epochs: 3' });
    expect(counted.step).toBe(6); // two batches of 4 and 2
  });

  it('learns several labels, and numbers, of pairs', async () => {
    const rows = REVIEWS.map(([label, text], i) => ({
      text,
      other: text!.includes('songs') ? 'music' : 'film',
      labels: [label, ...(text!.includes('songs') ? ['songs'] : [])],
      score: i % 2 === 0 ? 1.5 : -0.5,
    }));
    write('rows.jsonl', rows.map((row) => JSON.stringify(row)).join('\n'));
    const data = (label: string): string =>
      `{ format: records, train: rows.jsonl, validation: rows.jsonl, test: rows.jsonl, fields: { text: text, pair: other, label: ${label} } }`;
    const several = await train({
      task: spec.task,
      data: data('labels'),
      steps: 150,
      peak: '2e-3',
      more: 'objective: { problem: multi-label }',
    });
    expect(several.test!.scores).toMatchObject({ 'micro-f1': 1, accuracy: 1 });
    const numbers = await train(
      { task: spec.task, data: data('score'), steps: 100, peak: '2e-3', more: 'objective: { problem: regression }' },
      'numbers',
    );
    expect(numbers.test!.scores!['pearson']).toBeGreaterThan(0.95);
    const { made } = await opened(numbers);
    expect(made.model.config).toMatchObject({ problem_type: 'regression', id2label: { 0: 'LABEL_0' } });
  });

  it('names the line of a label that is none', async () => {
    reviews();
    const wrong = { ...spec, more: 'objective: { labels: [good, fine] }' };
    await expect(train(wrong)).rejects.toThrow(/reviews\.tsv:3.*"bad"/s);
  });
});

const NAMES = [
  ['Anna', 'B-PER', 'lives', 'O', 'in', 'O', 'New', 'B-LOC', 'York', 'I-LOC'],
  ['Otto', 'B-PER', 'lives', 'O', 'in', 'O', 'Bern', 'B-LOC'],
  ['in', 'O', 'Bern', 'B-LOC', 'lives', 'O', 'Anna', 'B-PER', 'Otto', 'I-PER'],
];

it('token classification learns the tags of words from the first of their pieces', async () => {
  const lines = NAMES.map((row) =>
    row.flatMap((word, i) => (i % 2 === 0 ? [`${word}\tx\t${row[i + 1]}`] : [])).join('\n'),
  );
  write('names.conll', `-DOCSTART-\n\n${lines.join('\n\n')}\n`);
  const spec = {
    task: 'token-classification',
    tokenizer: '{ kind: bpe, vocabSize: 100 }',
    data: '{ format: conll, train: names.conll, validation: names.conll, test: names.conll }',
  };
  const run = await train(spec);
  expect(run.test!.scores).toMatchObject({ 'entity-f1': 1, accuracy: 1 });
  const { session, made } = await opened(run);
  const [words] = await tag(session, made.tokenizer!, ['Anna lives in Bern']);
  expect(words!.map(({ word, label }) => `${word}/${label}`).join(' ')).toBe('Anna/B-PER lives/O in/O Bern/B-LOC');
  await expectSameWhenResumed(spec, run);
});

it.each(['first', 'all'])(
  'token classification by %s pieces: words of several pieces are learnt by those',
  async (pieces) => {
    const lines = NAMES.map((row) =>
      row.flatMap((word, i) => (i % 2 === 0 ? [`${word} ${row[i + 1]}`] : [])).join('\n'),
    );
    write('names.conll', `${lines.join('\n\n')}\n`);
    const run = await train({
      task: 'token-classification',
      tokenizer: '{ kind: char }', // a letter is a piece
      data: '{ format: conll, train: names.conll, validation: names.conll, test: names.conll }',
      more: `objective: { pieces: ${pieces}, labels: [O, B-PER, I-PER, B-LOC, I-LOC] }`,
      steps: 120,
    });
    expect(run.test!.scores).toMatchObject({ 'entity-f1': 1, accuracy: 1 });
    const { session, made } = await opened(run);
    const { ids } = made.tokenizer!.encodeWithOffsets('Anna lives in Bern');
    const [{ logits }] = (await session.run(headTask(session.model), [{ ids }])) as [{ logits: HostTensor }];
    const best = ids.map((_, i) => {
      const row = [...logits.data.subarray(i * 5, (i + 1) * 5)];
      return row.indexOf(Math.max(...row));
    });
    const anna = best.slice(1, 5).filter((label) => label === 1).length;
    if (pieces === 'all') expect(anna).toBe(4);
    else expect(anna).toBeGreaterThan(0);
  },
);

it('question answering finds spans by their characters, in pieces of long texts too', async () => {
  const context = (who: string, where: string): string =>
    `🚂 ${who} went to ${where} by train, and was back soon after.`;
  const paragraphs = [
    ['Anna', 'Bern'],
    ['Otto', 'Rome'],
    ['Vera', 'Oslo'],
  ].map(([who, where]) => {
    const text = context(who!, where!);
    const start = [...text.slice(0, text.indexOf(where!))].length; // in characters, as Python counts
    return { context: text, qas: [{ id: who, question: 'Where?', answers: [{ text: where, answer_start: start }] }] };
  });
  write('squad.json', JSON.stringify({ data: [{ paragraphs }] }));
  const spec = {
    task: 'question-answering',
    tokenizer: '{ kind: bpe, vocabSize: 200 }',
    data: '{ format: squad, train: squad.json, validation: squad.json, test: squad.json }',
    more: '  maxLength: 12\nobjective: { stride: 3 }\nevaluate: { maxAnswerLength: 2 }',
    steps: 120,
  };
  const run = await train(spec);
  expect(run.test!.scores).toMatchObject({ f1: 100, 'exact-match': 100 });
  const { session, made } = await opened(run);
  const [found] = await answer(session, made.tokenizer!, [{ question: 'Where?', context: context('Otto', 'Bern') }], {
    maxAnswerLength: 2,
    maxLength: 12,
    stride: 3,
  });
  expect(found![0]!.text).toBe('Bern');
});

it('question answering learns that some questions have no answer', async () => {
  const paragraphs = [
    ['Anna went to Bern by train.', 'Where?', 'Bern'],
    ['Otto went to Rome by train.', 'Where?', 'Rome'],
    ['Anna went to Bern by train.', 'When?', null],
    ['Otto went to Rome by train.', 'When?', null],
  ].map(([context, question, text]) => {
    const answers = text === null ? [] : [{ text, answer_start: context!.indexOf(text!) }];
    const qas = [{ id: `${context}${question}`, question, answers, is_impossible: text === null }];
    return { context, qas };
  });
  write('squad.json', JSON.stringify({ version: 'v2.0', data: [{ paragraphs }] }));
  const run = await train({
    task: 'question-answering',
    tokenizer: '{ kind: bpe, vocabSize: 120 }',
    data: '{ format: squad, train: squad.json, validation: squad.json, test: squad.json }',
    steps: 120,
  });
  expect(run.test!.scores).toMatchObject({ f1: 100, 'exact-match': 100 });
  expect(run.test!.samples[2]!.output).toBe(' (no answer)');
  const { session, made } = await opened(run);
  const asked = ['Where?', 'When?'].map((question) => ({ question, context: 'Otto went to Rome by train.' }));
  const texts = async (allowNone: boolean): Promise<string[]> =>
    (await answer(session, made.tokenizer!, asked, { allowNone })).map(([best]) => best!.text);
  expect(await texts(true)).toEqual(['Rome', '']);
  expect((await texts(false))[1]).not.toBe('');
});

it('multiple choice learns which text goes with another', async () => {
  const rows = [
    { q: 'ice is', a: 'cold', b: 'warm', label: 0 },
    { q: 'fire is', a: 'cold', b: 'warm', label: 1 },
    { q: 'snow is', a: 'warm', b: 'cold', label: 1 },
    { q: 'tea is', a: 'warm', b: 'cold', label: 0 },
  ];
  write('rows.jsonl', rows.map((row) => JSON.stringify(row)).join('\n'));
  const spec = {
    task: 'multiple-choice',
    data: '{ format: records, train: rows.jsonl, validation: rows.jsonl, test: rows.jsonl, fields: { text: q, choices: [a, b], label: label } }',
    steps: 150,
  };
  const run = await train(spec);
  expect(run.test!.scores!['accuracy']).toBe(1);
  const { session, made } = await opened(run);
  const [[warm, cold]] = (await choose(session, made.tokenizer!, [{ text: 'ice is', choices: ['warm', 'cold'] }])) as [
    [number, number],
  ];
  expect(cold).toBeGreaterThan(warm);
});

describe('sentence embeddings', () => {
  const PAIRS = [
    ['where is the station', 'how do I get to the trains', 0.9],
    ['I am hungry', 'I would like to eat', 0.8],
    ['it rains', 'take an umbrella', 0.6],
    ['two beers please', 'ten days ago', 0],
  ] as const;

  it.each(['contrastive', 'cosine'])('%s: pairs get close, and the folder gives the vectors', async (loss) => {
    write('pairs.tsv', PAIRS.map((row) => row.join('\t')).join('\n'));
    const spec = {
      task: 'sentence-embedding',
      data: `{ format: records, train: pairs.tsv, validation: pairs.tsv, test: pairs.tsv, fields: { text: 1, pair: 2${loss === 'cosine' ? ', score: 3' : ''} } }`,
      more: `objective: { loss: ${loss} }`,
    };
    const run = await train(spec);
    if (loss === 'contrastive') expect(run.test!.scores).toEqual({ accuracy: 1 });
    else expect(run.test!.scores!['spearman']).toBeGreaterThan(0.9);
    expect(existsSync(join(run.modelFolder!, '1_Pooling/config.json'))).toBe(true);
    const tokenizerConfig = JSON.parse(readFileSync(join(run.modelFolder!, 'tokenizer_config.json'), 'utf8'));
    expect(tokenizerConfig.model_input_names).toEqual(['input_ids', 'token_type_ids', 'attention_mask']);
    const { session, made } = await opened(run);
    const encoder = (await sentenceEncoderAt(run.modelFolder!))!;
    const vectors = await embed(session, made.tokenizer!, [PAIRS[0][0], PAIRS[0][1]], { encoder });
    const shown = run.test!.samples[0]!.output.slice(0, 5);
    expect(cosineSimilarities(vectors)[0]![1]!).toBeCloseTo(Number(shown), 2);
    await expectSameWhenResumed(spec, run);
  });
});
