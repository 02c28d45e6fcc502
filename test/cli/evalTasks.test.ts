import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type Finished, hasStack, qkv, root } from './qkv.ts';

const folder = mkdtempSync(join(tmpdir(), 'qkv-eval-'));
afterAll(() => rmSync(folder, { recursive: true }));

const data = (name: string): string => join(root, 'fixtures/evaluation', name);
const stories = join(root, 'fixtures/models/stories260K');

interface MaskedScores {
  readonly tokens: number;
  readonly sums: readonly number[];
  readonly [metric: string]: unknown;
}

interface Predicted {
  readonly predictions: readonly unknown[];
  readonly [metric: string]: unknown;
}

/** What fixtures/evaluation/make.py wrote. */
const expected = JSON.parse(readFileSync(data('expected.json'), 'utf8')) as {
  readonly classification: Readonly<Record<'single' | 'pair' | 'multi', Record<string, number>>> & {
    readonly single: { readonly predictions: readonly string[]; readonly probabilities: readonly number[] };
  };
  readonly similarity: Readonly<Record<string, number>> & { readonly cosines: readonly number[] };
  readonly tokens: Predicted;
  readonly answers: { readonly threshold: number; readonly squad1: Predicted; readonly squad2: Predicted };
  readonly choices: Predicted;
  readonly languageModel: {
    readonly perplexity: Readonly<
      Record<string, { readonly tokens: number; readonly perplexity: number; readonly 'bits-per-byte': number }>
    >;
    readonly pairs: { readonly accuracy: number; readonly good: readonly number[]; readonly bad: readonly number[] };
  };
  readonly masked: { readonly token: MaskedScores; readonly 'word-l2r': MaskedScores; readonly pairs: number };
};

/** A model of fixtures/ with the tokenizer of fixtures/encoders/bert, and `config` in place of what config.json says. */
function model(name: string, config: object = {}): string {
  const path = mkdtempSync(join(folder, 'model-'));
  cpSync(join(root, 'fixtures', name), path, { recursive: true });
  cpSync(join(root, 'fixtures/encoders/bert'), path, { recursive: true });
  return changed(path, config);
}

function changed(path: string, config: object): string {
  const file = join(path, 'config.json');
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), ...config }));
  return path;
}

interface Evaluated {
  readonly kind: string;
  readonly examples: number;
  readonly out: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly metrics: Readonly<Record<string, { readonly score: number; readonly [detail: string]: unknown }>>;
  readonly predictions: readonly Readonly<Record<string, unknown>>[];
}

/** Runs `qkv eval` in the folder of this file's tests; the result with the predictions that it wrote. */
async function evaluated(path: string, ...args: readonly string[]): Promise<Evaluated> {
  const run = await qkv(['eval', path, '--json', ...args], { cwd: folder });
  expect(run).toMatchObject({ code: 0, stderr: '' });
  const result = JSON.parse(run.stdout) as Evaluated;
  const written = join(folder, result.out);
  const { out: _, ...report } = result;
  expect(JSON.parse(readFileSync(join(written, 'metrics.json'), 'utf8'))).toEqual(report);
  const lines = readFileSync(join(written, 'predictions.jsonl'), 'utf8').trim().split('\n');
  expect(lines).toHaveLength(result.examples);
  return { ...result, predictions: lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

/** The scores of those metrics that the reference has, too. */
function expectScores({ metrics }: Evaluated, reference: object, digits = 6): void {
  const names = Object.keys(metrics).filter((name) => Object.hasOwn(reference, name));
  expect(names.length).toBeGreaterThan(0);
  for (const name of names) {
    expect(metrics[name]!.score, name).toBeCloseTo((reference as Record<string, number>)[name]!, digits);
  }
}

describe('qkv eval', () => {
  it('classifies texts and pairs: one class, by number or name, or any', async () => {
    const path = model('parity/bert-sequence-classification');
    const many = model('parity/bert-sequence-classification', { problem_type: 'multi_label_classification' });
    const [single, pair, multi] = await Promise.all([
      evaluated(path, '--data', data('classes.tsv'), '--fields', 'text=sentence'),
      evaluated(
        path,
        '--data',
        data('pairs.csv'),
        '--fields',
        'text=2,pair=3,label=1',
        '--header',
        '--metric',
        'accuracy',
      ),
      evaluated(many, '--data', data('many.jsonl')),
    ]);
    expect(single.kind).toBe('classification');
    expectScores(single, expected.classification.single);
    expect(single.predictions.map(({ prediction }) => prediction)).toEqual(expected.classification.single.predictions);
    expect(single.predictions[2]).toMatchObject({ where: `${data('classes.tsv')}:4`, id: 'q2', reference: 'LABEL_2' });
    const { probabilities } = single.predictions[0] as { probabilities: Record<string, number> };
    expected.classification.single.probabilities.forEach((p, i) => {
      expect(probabilities[`LABEL_${i}`]).toBeCloseTo(p, 5);
    });
    expectScores(pair, expected.classification.pair);
    expectScores(multi, expected.classification.multi);
  });

  it('correlates cosines of sentences', async () => {
    const path = join(root, 'fixtures/encoders/sentence');
    const found = await evaluated(path, '--data', data('similar.tsv'), '--fields', 'score=1,first=2,second=3');
    expectScores(found, expected.similarity, 5);
    found.predictions.forEach(({ prediction }, i) => {
      expect(prediction).toBeCloseTo(expected.similarity.cosines[i]!, 5);
    });
  });

  it('tags the words of a CoNLL file, chooses among fields', async () => {
    const id2label = { 0: 'O', 1: 'B-PER', 2: 'I-PER', 3: 'B-LOC', 4: 'I-LOC' };
    const [tags, choices] = await Promise.all([
      evaluated(model('parity/bert-token-classification', { id2label }), '--data', data('entities.conll')),
      evaluated(model('encoders/choice'), '--data', data('choices.jsonl'), '--fields', 'choices=a+b'),
    ]);
    expectScores(tags, expected.tokens);
    expect(tags.predictions.map(({ prediction }) => prediction)).toEqual(expected.tokens.predictions);
    expectScores(choices, expected.choices);
    expect(choices.predictions.map(({ prediction }) => prediction)).toEqual(expected.choices.predictions);
  });

  it("answers as SQuAD's official scripts score it, with and without questions that have no answer", async () => {
    const path = model('parity/bert-question-answering');
    const lengths = ['--length', '24', '--stride', '4', '--max-answer-length', '5'];
    const [two, one] = await Promise.all([
      evaluated(path, '--data', data('squad.json'), ...lengths, '--null-threshold', String(expected.answers.threshold)),
      evaluated(path, '--data', data('answers.jsonl'), ...lengths),
    ]);
    expect(two.settings).toMatchObject({ rules: 'squad2', length: 24, maxAnswerLength: 5 });
    expect(one.settings['rules']).toBe('squad1');
    for (const [found, reference] of [
      [two, expected.answers.squad2],
      [one, expected.answers.squad1],
    ] as const) {
      expect(found.predictions.map(({ prediction }) => prediction)).toEqual(reference.predictions);
      expectScores(found, reference, 5);
    }
  });

  it('measures perplexity and bits per byte of windows, with a token that begins the text and without', async () => {
    const bare = join(folder, 'bare');
    cpSync(stories, bare, { recursive: true });
    changed(bare, { bos_token_id: null });
    const text = join(root, 'fixtures/models/stories260K.txt');
    for (const name of ['begun 64 64', 'begun 48 10', 'bare 64 64', 'bare 48 10']) {
      const [begins, length, stride] = name.split(' ') as [string, string, string];
      const strides = stride === length ? [] : ['--stride', stride];
      const path = begins === 'bare' ? bare : stories;
      const found = await evaluated(path, '--data', text, '--length', length, ...strides);
      const reference = expected.languageModel.perplexity[name]!;
      expectScores(found, reference, 4);
      expect(found.metrics['perplexity']!['tokens']).toBe(reference.tokens);
      expect(found.settings).toEqual({
        length: Number(length),
        stride: Number(stride),
        begins: begins === 'bare' ? null : '<s>',
      });
    }
  });

  it('masks each token by turns, alone or with the rest of its word', async () => {
    const path = model('parity/bert-pretraining');
    for (const mask of ['token', 'word-l2r'] as const) {
      const found = await evaluated(path, '--data', data('lines.txt'), '--mask', mask);
      const { sums, tokens, ...reference } = expected.masked[mask];
      expect(found.kind).toBe('masked-language-model');
      const { 'pseudo-perplexity': perplexity, ...others } = reference;
      expectScores(found, others, 4);
      expect(found.metrics['pseudo-perplexity']!.score / (perplexity as number)).toBeCloseTo(1, 4);
      expect(found.metrics['masked-accuracy']!['tokens']).toBe(tokens);
      found.predictions.forEach(({ pseudoLogLikelihood }, i) => {
        expect(pseudoLogLikelihood).toBeCloseTo(sums[i]!, 3);
      });
    }
  });

  it('tells acceptable sentences by log-likelihood and by pseudo-log-likelihood', async () => {
    const [causal, masked] = await Promise.all([
      evaluated(stories, '--kind', 'minimal-pairs', '--data', data('pairs.jsonl')),
      evaluated(
        model('parity/bert-pretraining'),
        '--kind',
        'minimal-pairs',
        '--data',
        data('words.csv'),
        '--fields',
        'good=right,bad=wrong',
      ),
    ]);
    const { good, bad } = expected.languageModel.pairs;
    expectScores(causal, expected.languageModel.pairs);
    expect(causal.metrics['accuracy']!['byGroup']).toEqual({ agreement: 1, number: 1 });
    causal.predictions.forEach((found, i) => {
      expect(found['good']).toBeCloseTo(good[i]!, 3);
      expect(found['bad']).toBeCloseTo(bad[i]!, 3);
    });
    expect(masked.metrics['accuracy']!.score).toBe(expected.masked.pairs);
  });

  it('writes beside what is there, never over it', async () => {
    const path = model('encoders/choice');
    const args = ['eval', path, '--data', data('choices.jsonl'), '--fields', 'choices=a+b', '--limit', '2'];
    const out = join(folder, 'said');
    const first = await qkv([...args, '--out', out]);
    expect(first.stdout).toMatch(/^accuracy \d\.\d{4}\nof 2 records, length 24\npredictions in .*said\n$/);
    expect(readdirSync(out).sort()).toEqual(['metrics.json', 'predictions.jsonl']);
    const again = await qkv([...args, '--out', out]);
    expect(again).toMatchObject({ code: 1, stdout: '' });
    expect(again.stderr).toContain('a folder that has files');
    const cwd = mkdtempSync(join(folder, 'cwd-'));
    for (let i = 0; i < 2; i++) await qkv(args, { cwd });
    await qkv([...args, '--no-out'], { cwd });
    const names = readdirSync(join(cwd, 'eval'));
    expect(names).toHaveLength(2);
    expect(names.sort()[1]).toBe(`${names[0]}-2`);
  });

  const bert = model('parity/bert-sequence-classification');
  const wrong = join(folder, 'wrong.tsv');
  writeFileSync(wrong, 'text\tlabel\nthe cat\t0\nthe sea\tblue\n');
  it.each<readonly [string, readonly string[], number, readonly string[]]>([
    ['a metric of another task', [bert, '--data', wrong, '--metric', 'bleu'], 2, ['bleu', 'accuracy, macro-f1']],
    [
      'a kind that the model is not for',
      [bert, '--data', wrong, '--kind', 'language-model'],
      2,
      ['classification, similarity'],
    ],
    [
      'an option that does nothing',
      [bert, '--data', wrong, '--scheme', 'iob2'],
      2,
      ['--scheme', 'token-classification'],
    ],
    [
      'decoding of what is not written',
      [stories, '--data', wrong, '--beam', '2'],
      2,
      ['--beam', 'sequence-to-sequence'],
    ],
    [
      'a field that there is not',
      [bert, '--data', wrong, '--fields', 'text=body', '--limit', '1'],
      1,
      ['wrong.tsv:2', '"body"'],
    ],
    ['a role that there is not', [bert, '--data', wrong, '--fields', 'body=text'], 2, ['text, pair, label']],
    [
      'a label that there is not, by file and line',
      [bert, '--data', wrong],
      1,
      ['wrong.tsv:3: label', 'LABEL_2, or a number'],
    ],
    ['more than the model reads', [stories, '--data', wrong, '--length', '1000'], 2, ['at most 512']],
  ])('refuses %s', async (_, args, code, words) => {
    const cwd = mkdtempSync(join(folder, 'cwd-'));
    const finished: Finished = await qkv(['eval', ...args], { cwd });
    expect(finished).toMatchObject({ code, stdout: '' });
    for (const word of words) expect(finished.stderr).toContain(word);
    expect(hasStack(finished)).toBe(false);
    expect(readdirSync(cwd)).toEqual([]);
  });
});
