import { createWriteStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { QkvError } from '../../src/base/errors.ts';
import { type PairColumn, readPairsTsv, readParallel, type TextPair } from '../../src/data/pairs.ts';
import { Interrupted } from './errors.ts';
import { addGenerationFlags, type GenerationFlags, generationOptions, refuseConflicts } from './generationFlags.ts';
import { interruptSignal } from './interrupt.ts';
import { adapterFlag, modelArgument } from './openPretrained.ts';
import { openRunning, type RunningModel } from './openRunning.ts';
import { Progress } from './progress.ts';
import { oneOf, wholeNumber } from './values.ts';

const metrics = ['bleu', 'chrf', 'loss', 'perplexity'] as const;
type Metric = (typeof metrics)[number];

interface Options extends GenerationFlags {
  data: string;
  references?: string;
  columns?: PairColumn[];
  metric: Metric[];
  tokenize?: '13a' | 'zh' | 'char' | 'none';
  wordOrder?: number;
  lowercase?: boolean;
  limit?: number;
  maxLength?: number;
  blockSize?: number;
  batchSize: number;
  adapter?: string;
  out?: string;
  json?: boolean;
}

export function evalCommand(): Command {
  return addGenerationFlags(
    new Command()
      .argument('<MODEL>', modelArgument)
      .requiredOption('--data <file>', 'pairs separated by tabs, the sources alone (with --references), or a text')
      .requiredOption(
        '--metric <names>',
        `${metrics.join(', ')}; several with commas between`,
        listOf('--metric', metrics),
      )
      .option('--references <file>', 'the targets, line for line with --data')
      .option(
        '--columns <names>',
        'what the columns of --data hold: source, target, ignore (default: source,target)',
        listOf('--columns', ['source', 'target', 'ignore'] as const),
      ),
  )
    .option(
      '--tokenize <name>',
      'of BLEU: 13a (default), zh, char, none',
      oneOf('--tokenize', ['13a', 'zh', 'char', 'none']),
    )
    .option('--word-order <n>', 'of chrF: 2 for chrF++ (default 0)', wholeNumber('--word-order', { min: 0, max: 4 }))
    .option('--lowercase', 'of BLEU and chrF: ignore case')
    .option('--limit <n>', 'the first n pairs only', wholeNumber('--limit', { min: 1 }))
    .option('--max-length <n>', 'at most n tokens for a translation', wholeNumber('--max-length', { min: 1 }))
    .option(
      '--block-size <n>',
      "of a text: tokens of a block (default: the model's positions)",
      wholeNumber('--block-size', { min: 1 }),
    )
    .option('--batch-size <n>', 'what is worked on together', wholeNumber('--batch-size', { min: 1 }), 32)
    .option('--out <file>', 'write the translations, a line each')
    .option(...adapterFlag)
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      [
        '',
        "BLEU and chrF equal sacreBLEU's; with a score comes its signature.",
        '',
        'Examples:',
        '  qkv eval runs/tatoeba-en-zh --data data/tatoeba-en-zh/test.tsv --metric bleu,chrf --tokenize zh --beam 4',
        '  qkv eval runs/shakespeare --data input.txt --metric perplexity',
      ].join('\n'),
    )
    .action(evaluate);
}

function listOf<const Word extends string>(flag: string, allowed: readonly Word[]): (text: string) => Word[] {
  const one = oneOf(flag, allowed);
  return (text) => text.split(',').map((word) => one(word.trim()));
}

/** Name of a metric to what is reported of it. */
type Report = Partial<Record<Metric, Readonly<Record<string, unknown>>>>;

async function evaluate(path: string, options: Options): Promise<void> {
  const signal = interruptSignal();
  refuseIdle(options);
  refuseConflicts(flagsOf(options));
  await using running = await openRunning(path, { isMany: true, adapter: options.adapter });
  try {
    const isPairs = running.pretrained.model.kind === 'encoder-decoder';
    const { report, facts } = isPairs
      ? await evaluatePairs(running, options, signal)
      : await evaluateText(running, options, signal);
    if (options.json)
      process.stdout.write(`${JSON.stringify({ model: path, data: options.data, ...facts, metrics: report })}\n`);
    else for (const metric of options.metric) process.stdout.write(`${lineOf(metric, report[metric]!)}\n`);
  } catch (error) {
    throw signal.aborted ? new Interrupted() : error;
  }
}

/** Options that would do nothing with the metrics that were asked for. */
function refuseIdle(options: Options): void {
  const needs: readonly [keyof Options, readonly Metric[]][] = [
    ['tokenize', ['bleu']],
    ['wordOrder', ['chrf']],
    ['lowercase', ['bleu', 'chrf']],
    ['out', ['bleu', 'chrf']],
    ['maxLength', ['bleu', 'chrf']],
    ...(['greedy', 'beam', 'lengthPenalty', 'temperature', 'topK', 'topP', 'seed'] as const).map(
      (name) => [name, ['bleu', 'chrf']] as [keyof Options, readonly Metric[]],
    ),
  ];
  for (const [name, having] of needs) {
    if (options[name] === undefined || options.metric.some((metric) => having.includes(metric))) continue;
    throw new QkvError('usage', {
      where: `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
      got: `--metric ${options.metric.join(',')}`,
      expected: `--metric ${having.join(' or ')}, where it acts`,
    });
  }
  if (options.columns && options.references !== undefined) {
    throw new QkvError('usage', { where: '--columns', got: '--references as well', expected: 'one of the two' });
  }
}

interface Evaluation {
  readonly report: Report;
  readonly facts: Readonly<Record<string, unknown>>;
}

async function evaluatePairs(running: RunningModel, options: Options, signal: AbortSignal): Promise<Evaluation> {
  if (options.blockSize !== undefined) {
    throw new QkvError('usage', { where: '--block-size', got: 'pairs', expected: 'a model that continues a text' });
  }
  const pairs = await readPairs(options);
  const report: Report = {};
  if (options.metric.some((metric) => metric === 'bleu' || metric === 'chrf')) {
    Object.assign(report, await scores(running, pairs, options, signal));
  }
  if (options.metric.some((metric) => metric === 'loss' || metric === 'perplexity')) {
    const { pairLoss } = await import('../../src/train/measureLoss.ts');
    using progress = new Progress('measuring, target tokens:');
    const found = await pairLoss(measured(running), pairs, {
      batchSize: options.batchSize,
      onProgress: (tokens) => progress.update(tokens),
      signal,
    });
    if (found.leftOut > 0) {
      const limit = running.pretrained.model.maxLength;
      process.stderr.write(
        `note: ${found.leftOut} pairs have a side of more than ${limit} tokens and are left out of the loss\n`,
      );
    }
    Object.assign(report, lossReport(found, options.metric, found.leftOut));
  }
  return { report, facts: { pairs: pairs.length, ...(options.out !== undefined && { translations: options.out }) } };
}

async function readPairs({ data, references, columns, limit }: Options): Promise<TextPair[]> {
  const { readLines } = await import('../../src/data/files.node.ts');
  const source =
    references === undefined
      ? readPairsTsv(readLines(data), columns ?? ['source', 'target'])
      : readParallel(readLines(data), readLines(references));
  const pairs: TextPair[] = [];
  for await (const pair of source) {
    pairs.push(pair);
    if (pairs.length === limit) break;
  }
  if (pairs.length > 0) return pairs;
  throw new QkvError('data', { where: data, got: 'an empty file', expected: 'pairs' });
}

async function scores(
  running: RunningModel,
  pairs: readonly TextPair[],
  options: Options,
  signal: AbortSignal,
): Promise<Report> {
  const { tokenize, wordOrder, lowercase = false, metric, maxLength, batchSize, out } = options;
  const [{ translate }, { forMode }, { bleu }, { chrf }] = await Promise.all([
    import('../../src/pretrained/translate.ts'),
    import('../../src/pretrained/generationDefaults.ts'),
    import('../../src/eval/bleu.ts'),
    import('../../src/eval/chrf.ts'),
  ]);
  if (out !== undefined) await requireWritable(out);
  const chosen = generationOptions(running.defaults, flagsOf(options));
  const generate = forMode({ ...chosen, ...(maxLength !== undefined && { maxNewTokens: maxLength }), signal });
  using progress = new Progress('translating', pairs.length);
  const translations = await translate(
    running.session,
    running.tokenizer,
    pairs.map(({ source }) => source),
    { generate, batchSize, truncate: true, onProgress: (done) => progress.update(done) },
  );
  const texts = translations.map(({ text }) => text.replaceAll('\n', ' '));
  const references = pairs.map(({ target }) => target);
  if (out !== undefined) await writeFile(out, texts.map((text) => `${text}\n`).join(''));
  const report: Report = {};
  if (metric.includes('bleu')) {
    if (tokenize === undefined && references.some((text) => /\p{Script=Han}/u.test(text))) {
      process.stderr.write(
        'note: the references have Chinese characters; --tokenize zh is the usual choice for them\n',
      );
    }
    report.bleu = { ...bleu(texts, references, { tokenize: tokenize ?? '13a', lowercase }) };
  }
  if (metric.includes('chrf')) report.chrf = { ...chrf(texts, references, { wordOrder: wordOrder ?? 0, lowercase }) };
  return report;
}

function flagsOf({ greedy, beam, lengthPenalty, temperature, topK, topP, seed }: GenerationFlags): GenerationFlags {
  const all = { greedy, beam, lengthPenalty, temperature, topK, topP, seed };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** Before the work, not after it. */
async function requireWritable(path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const stream = createWriteStream(path);
    stream.once('error', (cause) =>
      reject(new QkvError('io', { where: path, got: cause.message, expected: 'a file that can be written', cause })),
    );
    stream.end(resolve);
  });
}

async function evaluateText(running: RunningModel, options: Options, signal: AbortSignal): Promise<Evaluation> {
  const { metric, data, references, columns, limit } = options;
  const { family } = running.pretrained.model;
  const score = metric.find((name) => name === 'bleu' || name === 'chrf');
  const wrong = score
    ? `--metric ${score}`
    : references !== undefined
      ? '--references'
      : columns
        ? '--columns'
        : limit
          ? '--limit'
          : undefined;
  if (wrong !== undefined) {
    throw new QkvError('usage', {
      where: wrong,
      got: `a ${family} model, which continues a text`,
      expected: 'an encoder-decoder model and pairs',
      ...(score && { hint: 'For this model: --metric loss or perplexity' }),
    });
  }
  const [{ textLoss }, { readLines }, { readText }] = await Promise.all([
    import('../../src/train/measureLoss.ts'),
    import('../../src/data/files.node.ts'),
    import('../../src/data/lines.ts'),
  ]);
  const text = await readText(readLines(data));
  using progress = new Progress('measuring, tokens:');
  const found = await textLoss(measured(running), text, {
    batchSize: options.batchSize,
    ...(options.blockSize !== undefined && { blockSize: options.blockSize }),
    onProgress: (tokens) => progress.update(tokens),
    signal,
  });
  return { report: lossReport(found, metric), facts: {} };
}

function measured({ runtime, pretrained, tokenizer }: RunningModel) {
  return { runtime, model: pretrained.model, parameters: pretrained.arena.tensors, tokenizer };
}

function lossReport(
  { loss, perplexity, tokens }: { loss: number; perplexity: number; tokens: number },
  wanted: readonly Metric[],
  leftOut?: number,
): Report {
  const facts = { tokens, ...(leftOut !== undefined && { leftOut }) };
  return {
    ...(wanted.includes('loss') && { loss: { score: loss, ...facts } }),
    ...(wanted.includes('perplexity') && { perplexity: { score: perplexity, ...facts } }),
  };
}

function lineOf(metric: Metric, { score, signature, tokens }: Readonly<Record<string, unknown>>): string {
  const name = { bleu: 'BLEU', chrf: 'chrF', loss: 'loss', perplexity: 'perplexity' }[metric];
  const digits = metric === 'loss' ? 4 : 2;
  return `${name} ${(score as number).toFixed(digits)}  ${signature ?? `over ${(tokens as number).toLocaleString('en-US')} tokens`}`;
}
