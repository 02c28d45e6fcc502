import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EncoderSession } from '../../src/predict/session.ts';
import { answer } from '../../src/pretrained/answer.ts';
import { choose, classify } from '../../src/pretrained/classify.ts';
import { cosineSimilarities, embed } from '../../src/pretrained/embed.ts';
import { fillMask } from '../../src/pretrained/fillMask.ts';
import { openModel } from '../../src/pretrained/openModel.node.ts';
import { sentenceEncoderAt } from '../../src/pretrained/sentenceEncoder.node.ts';
import { meanOfTokens, type SentenceEncoder } from '../../src/pretrained/sentenceEncoder.ts';
import { tag } from '../../src/pretrained/tag.ts';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { fixtures, openEncoder, readExpected } from './encoderFixture.ts';

const expected = readExpected();
const { texts, pairs } = expected;
let runtime: Runtime;
beforeAll(async () => {
  runtime = await createNodeRuntime({ lanes: 2, threads: 1 });
});
afterAll(async () => runtime[Symbol.asyncDispose]());

/** Largest difference of two lists of lists. */
function difference(a: readonly ArrayLike<number>[], b: readonly ArrayLike<number>[]): number {
  expect(a.map(({ length }) => length)).toEqual(b.map(({ length }) => length));
  return Math.max(...a.flatMap((row, i) => Array.from(row, (x, j) => Math.abs(x - b[i]![j]!))));
}

describe('embed', () => {
  const folder = join(fixtures, 'encoders/sentence');
  const all = [...texts, texts.join(' ')];
  async function run(encoder: SentenceEncoder, wanted: readonly string[], options = {}): Promise<Float32Array[]> {
    const { model, arena, tokenizer } = await openModel(folder, { head: 'encoder' });
    using session = new EncoderSession(runtime, model, { ...arena.tensors, ...encoder.parameters });
    return embed(session, tokenizer!, wanted, { encoder, truncate: true, ...options });
  }

  it('equals sentence-transformers on its folder: two poolings, a dense layer, normalisation, truncation', async () => {
    const encoder = (await sentenceEncoderAt(folder))!;
    expect(encoder.maxLength).toBe(12);
    expect(difference(await run(encoder, all), expected.sentence['folder']!)).toBeLessThan(1e-6);
    const asked = await run(encoder, texts, { prompt: 'query' });
    expect(difference(asked, expected.sentence['query']!)).toBeLessThan(1e-6);
  });

  it.each(['mean', 'cls', 'max', 'mean_sqrt_len_tokens'] as const)(
    'equals sentence-transformers by %s',
    async (way) => {
      const found = await run({ ...meanOfTokens, pooling: [way], maxLength: 12 }, all);
      expect(difference(found, expected.sentence[way]!)).toBeLessThan(2e-6);
    },
  );

  it('gives in batches what it gives one by one, whatever the padding and the lanes', async () => {
    const encoder = (await sentenceEncoderAt(folder))!;
    const many = Array.from({ length: 40 }, (_, i) => all[(i * 3) % all.length]!);
    const one = await Promise.all(many.map(async (text) => (await run(encoder, [text]))[0]!));
    for (const batchSize of [1, 3, 32]) {
      expect(difference(await run(encoder, many, { batchSize }), one)).toBeLessThan(1e-6);
    }
  });

  it('reads the booleans of older folders, and refuses by name what it does not know', async () => {
    const copy = mkdtempSync(join(tmpdir(), 'qkv-sentence-'));
    try {
      cpSync(folder, copy, { recursive: true });
      const modules = JSON.parse(readFileSync(join(copy, 'modules.json'), 'utf8')) as { type: string }[];
      const older = modules.map((one) => ({
        ...one,
        type: `sentence_transformers.models.${one.type.split('.').at(-1)}`,
      }));
      const write = (name: string, value: unknown): void => writeFileSync(join(copy, name), JSON.stringify(value));
      write('modules.json', older);
      write('1_Pooling/config.json', {
        word_embedding_dimension: 16,
        pooling_mode_mean_tokens: true,
        pooling_mode_cls_token: true,
        pooling_mode_max_tokens: false,
      });
      rmSync(join(copy, '3_Normalize'), { recursive: true });
      expect(await sentenceEncoderAt(copy)).toEqual(await sentenceEncoderAt(folder));
      write('1_Pooling/config.json', { pooling_mode_weightedmean_tokens: true });
      await expect(sentenceEncoderAt(copy)).rejects.toMatchObject({ code: 'config', message: /weightedmean/ });
      write('1_Pooling/config.json', { pooling_mode: 'lasttoken' });
      await expect(sentenceEncoderAt(copy)).rejects.toMatchObject({ code: 'config', message: /lasttoken/ });
      write('modules.json', [...older, { path: '4_X', type: 'sentence_transformers.models.LSTM' }]);
      write('1_Pooling/config.json', { pooling_mode: 'mean' });
      await expect(sentenceEncoderAt(copy)).rejects.toMatchObject({ code: 'config', message: /LSTM/ });
      write('modules.json', [older[0], { path: '../..', type: 'sentence_transformers.models.Pooling' }]);
      await expect(sentenceEncoderAt(copy)).rejects.toMatchObject({ code: 'io' });
    } finally {
      rmSync(copy, { recursive: true });
    }
  });

  it('refuses texts beyond the positions, unless they are to be cut, and unknown prompts', async () => {
    const encoder = (await sentenceEncoderAt(folder))!;
    await expect(run(encoder, all, { truncate: false })).rejects.toMatchObject({
      code: 'usage',
      message: /at most 12/,
    });
    await expect(run(encoder, texts, { prompt: 'x' })).rejects.toMatchObject({ code: 'usage', message: /query/ });
  });

  it('measures angles', () => {
    const [a, b, c] = [
      [1, 0],
      [2, 2],
      [0, 0],
    ].map((x) => Float32Array.from(x));
    const root = expect.closeTo(Math.SQRT1_2, 6) as number;
    const one = expect.closeTo(1, 6) as number;
    expect(cosineSimilarities([a!, b!, c!])).toEqual([
      [one, root, 0],
      [root, one, 0],
      [0, 0, 0],
    ]);
  });
});

describe('fillMask', () => {
  it.each(Object.keys(expected.fillMask))('equals the reference: %s', async (name) => {
    const wanted = expected.fillMask[name]!;
    using model = await openEncoder(runtime, `parity/${name}`, {
      tokenizer: name.startsWith('roberta') ? 'roberta' : 'bert',
    });
    const given = wanted.map(({ text }) => text);
    const found = await fillMask(model.session, model.tokenizer, given, { top: 3 });
    for (const [i, { masks }] of wanted.entries()) {
      const close = masks.map((words) =>
        words.map((word) => ({ ...word, probability: expect.closeTo(word.probability, 5) as number })),
      );
      expect(found[i]!.masks).toEqual(close);
      const fill = masks.map(([best]) => best!.text.trim());
      expect(found[i]!.text).toBe(given[i]!.replace(/\[MASK\]|<mask>/g, () => fill.shift()!));
    }
  });

  it('refuses a text without a mask, the mask of another model, a model with another head', async () => {
    using model = await openEncoder(runtime, 'parity/roberta-masked-lm', { tokenizer: 'roberta' });
    const fill = (text: string): Promise<unknown> => fillMask(model.session, model.tokenizer, [text]);
    await expect(fill('a cat')).rejects.toMatchObject({ code: 'usage', message: /<mask>/ });
    await expect(fill('')).rejects.toMatchObject({ code: 'usage', message: /no mask/ });
    using other = await openEncoder(runtime, 'parity/bert-token-classification');
    await expect(fillMask(other.session, other.tokenizer, ['[MASK]'])).rejects.toMatchObject({
      code: 'usage',
      message: /This one is for tag/,
    });
  });
});

describe('classify', () => {
  const inputs = [...texts.slice(0, 5), ...pairs];
  const cases = Object.keys(expected.classify).filter((name) => name !== 'next');
  it.each(cases)('equals the reference: %s', async (name) => {
    const [folder, problem] = name.split(' ') as [string, string];
    using model = await openEncoder(runtime, `parity/${folder}`, {
      tokenizer: folder.startsWith('roberta') ? 'roberta' : 'bert',
      config: { problem_type: problem },
    });
    const found = await classify(model.session, model.tokenizer, inputs);
    for (const [i, { scores }] of found.entries()) {
      const wanted = expected.classify[name]![i] as Readonly<Record<string, number>>;
      expect(Object.fromEntries(scores.map(({ label, score }) => [label, score]))).toEqual(
        Object.fromEntries(Object.entries(wanted).map(([label, score]) => [label, expect.closeTo(score, 5)])),
      );
      const order = scores.map(({ score }) => score);
      if (problem !== 'regression') expect(order).toEqual([...order].sort((a, b) => b - a));
    }
  });

  it('says whether one sentence follows another', async () => {
    using model = await openEncoder(runtime, 'parity/bert-pretraining');
    const found = await classify(model.session, model.tokenizer, pairs);
    const rows = found.map(({ scores }) =>
      ['the next sentence', 'another sentence'].map((label) => scores.find((one) => one.label === label)!.score),
    );
    expect(difference(rows, expected.classify['next'] as number[][])).toBeLessThan(1e-5);
    await expect(classify(model.session, model.tokenizer, ['alone'])).rejects.toMatchObject({ message: /a pair/ });
  });

  it('chooses', async () => {
    using model = await openEncoder(runtime, 'encoders/choice');
    const found = await choose(model.session, model.tokenizer, expected.choices);
    expect(difference(found, expected.choose)).toBeLessThan(1e-5);
    const lone = [{ text: 'a', choices: ['b'] }];
    await expect(choose(model.session, model.tokenizer, lone)).rejects.toMatchObject({ message: /two or more/ });
  });
});

describe('tag', () => {
  it('equals the reference, words and places', async () => {
    using model = await openEncoder(runtime, 'parity/bert-token-classification');
    const found = await tag(model.session, model.tokenizer, [...texts, '']);
    const close = expected.tag.map((words) =>
      words.map((word) => ({ ...word, probability: expect.closeTo(word.probability, 5) as number })),
    );
    expect(found).toEqual([...close, []]);
  });

  it('refuses a text that is too long, and cuts it where asked', async () => {
    using model = await openEncoder(runtime, 'parity/bert-token-classification');
    const long = 'the cat '.repeat(20);
    await expect(tag(model.session, model.tokenizer, [long])).rejects.toMatchObject({ message: /at most 24/ });
    expect((await tag(model.session, model.tokenizer, [long], { truncate: true }))[0]).toHaveLength(22);
  });
});

describe('answer', () => {
  const options = { top: 3, maxAnswerLength: 4, stride: 5 };
  it('equals the reference, contexts in pieces included', async () => {
    using model = await openEncoder(runtime, 'parity/bert-question-answering');
    const found = await answer(model.session, model.tokenizer, expected.questions, options);
    expect(expected.answer.some(({ pieces }) => pieces > 1)).toBe(true);
    const close = expected.answer.map(({ answers }) =>
      answers.map((one) => ({ ...one, score: expect.closeTo(one.score, 5) as number })),
    );
    expect(found).toEqual(close);
    const all = await answer(model.session, model.tokenizer, expected.questions, {
      ...options,
      top: 500,
      allowNone: true,
    });
    const none = all.map((answers) => answers.find(({ text }) => text === '')!.score);
    expect(difference([none], [expected.answer.map((one) => one.none)])).toBeLessThan(1e-5);
  });

  it('refuses an empty context or question, and one that leaves no room', async () => {
    using model = await openEncoder(runtime, 'parity/bert-question-answering');
    const ask = (question: string, context: string): Promise<unknown> =>
      answer(model.session, model.tokenizer, [{ question, context }]);
    await expect(ask('who', '')).rejects.toMatchObject({ code: 'usage', message: /an empty context/ });
    await expect(ask(' ', 'a')).rejects.toMatchObject({ code: 'usage', message: /an empty question/ });
    await expect(ask('who '.repeat(21), 'Ada Ada')).rejects.toMatchObject({ code: 'usage', message: /leave 0 of 24/ });
  });
});

describe('a session', () => {
  it('refuses what the model cannot read, and models that write', async () => {
    using model = await openEncoder(runtime, 'parity/bert-sequence-classification');
    const { session } = model;
    const task = { label: 'output', outputs: ({ x }: { x: { rows: never } }) => ({ rows: x.rows }) };
    const run = (text: object): Promise<unknown> => session.run(task as never, [text as never]);
    await expect(run({ ids: [] })).rejects.toMatchObject({ message: /no token/ });
    await expect(run({ ids: [99] })).rejects.toMatchObject({ message: /id 99/ });
    await expect(run({ ids: Array(25).fill(1) })).rejects.toMatchObject({ message: /at most 24/ });
    await expect(run({ ids: [1], segments: [2] })).rejects.toMatchObject({ message: /segment 2/ });
    const { model: gpt2, arena } = await openModel(join(fixtures, 'parity/gpt2'));
    expect(() => new EncoderSession(runtime, gpt2, arena.tensors)).toThrow(/which writes/);
  });

  it('stops where it is told to', async () => {
    using model = await openEncoder(runtime, 'parity/bert-sequence-classification');
    const signal = AbortSignal.abort();
    await expect(classify(model.session, model.tokenizer, ['a'], { signal })).rejects.toThrow();
  });
});
