import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { evaluateModel } from '../../src/evaluate/evaluateModel.ts';
import type { EvaluateOptions, Subject } from '../../src/evaluate/evaluation.ts';
import type { KindName } from '../../src/evaluate/kindNames.ts';
import { openModel } from '../../src/pretrained/openModel.node.ts';
import { createReferenceRuntime } from '../../src/runtime/reference/reference.ts';

const fixtures = join(import.meta.dirname, '../../fixtures');
const folder = mkdtempSync(join(tmpdir(), 'qkv-evaluate-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function subject(name: string): Promise<Subject & AsyncDisposable> {
  const path = join(folder, name);
  cpSync(join(fixtures, 'parity', name), path, { recursive: true });
  cpSync(join(fixtures, 'encoders/bert'), path, { recursive: true });
  const { model, arena, tokenizer } = await openModel(path);
  const runtime = createReferenceRuntime();
  return {
    runtime,
    model,
    parameters: arena.tensors,
    tokenizer: tokenizer!,
    [Symbol.asyncDispose]: () => runtime[Symbol.asyncDispose](),
  };
}

const record = (fields: object, line = 1) => ({ where: `data.jsonl:${line}`, fields: { ...fields } });

describe('evaluateModel', () => {
  it('counts inputs that are cut, words behind the cut as O', async () => {
    await using tagger = await subject('bert-token-classification');
    const tokens = ['the', 'cat', 'walking', 'home', 'the'];
    const tags = ['LABEL_1', 'LABEL_1', 'LABEL_1', 'LABEL_1', 'LABEL_1'];
    const { metrics, truncated, predictions } = await evaluateModel(tagger, [record({ tokens, tags })], { length: 5 });
    expect(truncated).toBe(1);
    expect(Object.keys(metrics)).toEqual(['accuracy']); // its tags are none of entities
    const { prediction } = predictions[0] as unknown as { prediction: string[] };
    // [CLS] the cat walk [SEP]
    expect(prediction.slice(3)).toEqual(['O', 'O']);
    expect(prediction.slice(0, 3)).not.toContain('O');
  });

  it.each<readonly [string, string, object, EvaluateOptions & { kind?: KindName }, string, string]>([
    ['a mask', 'bert-pretraining', { text: 'the [MASK]' }, {}, 'data.jsonl:1', 'with a mask'],
    ['a text without a token', 'bert-pretraining', { text: ' ' }, {}, 'data.jsonl:1', 'without a token'],
    [
      'a lone sentence',
      'bert-pretraining',
      { text: 'a', label: 0 },
      { kind: 'classification' },
      'data.jsonl:1: pair',
      'nothing',
    ],
    [
      'fewer tags than words',
      'bert-token-classification',
      { tokens: ['a', 'b'], tags: [1] },
      {},
      'data.jsonl:1: tags',
      '1 tags',
    ],
    [
      'an empty question',
      'bert-question-answering',
      { question: '', context: 'a', answers: ['a'] },
      {},
      'data.jsonl:1: question',
      '""',
    ],
    [
      'no answer by rules that need one',
      'bert-question-answering',
      { question: 'a', context: 'a', answers: [] },
      { rules: 'cmrc2018' },
      'data.jsonl:1: answers',
      '[]',
    ],
    [
      'a number that is none',
      'bert-pretraining',
      { sentence1: 'a', sentence2: 'b', score: 'high' },
      { kind: 'similarity' },
      'data.jsonl:1: score',
      '"high"',
    ],
    [
      'an option that the kind has not',
      'bert-pretraining',
      { text: 'a' },
      { tokenize: 'zh' },
      'tokenize',
      'the kind masked-language-model',
    ],
    [
      'a metric of another kind',
      'bert-pretraining',
      { text: 'a' },
      { metrics: ['spearman'] },
      'metrics',
      'spearman, for masked-language-model with a bert model with the head pretraining',
    ],
  ])('refuses %s', async (_, name, fields, options, where, got) => {
    await using model = await subject(name);
    const parts = expect.objectContaining({ where, got: expect.stringContaining(got) });
    await expect(evaluateModel(model, [record(fields)], options)).rejects.toThrow(expect.objectContaining({ parts }));
  });

  it('refuses data without a record', async () => {
    await using model = await subject('bert-pretraining');
    await expect(evaluateModel(model, [])).rejects.toThrow(/no record/);
  });
});
