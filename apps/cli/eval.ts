import { availableParallelism } from 'node:os';
import { Command } from 'commander';
import { QkvError } from '../../src/base/errors.ts';
import type { FieldName } from '../../src/data/records.ts';
import type { EvaluateOptions, Evaluation, KindOptions, Subject } from '../../src/evaluate/evaluation.ts';
import { type KindName, kindNames, metricNames } from '../../src/evaluate/kindNames.ts';
import { Interrupted } from './errors.ts';
import { addGenerationFlags, type GenerationFlags, generationOptions, refuseConflicts } from './generationFlags.ts';
import { interruptSignal } from './interrupt.ts';
import { adapterFlag, modelArgument, openPretrained, withHub } from './openPretrained.ts';
import { requireTokenizer } from './openRunning.ts';
import { Progress } from './progress.ts';
import { oneOf, realNumber, wholeNumber } from './values.ts';

interface Flags extends GenerationFlags, Omit<KindOptions, 'generate'> {
  data: string;
  kind?: KindName;
  metric?: string[];
  fields?: Record<string, FieldName>;
  header?: boolean;
  references?: string;
  split?: string;
  config?: string;
  limit?: number;
  adapter?: string;
  maxNewTokens?: number;
  batchSize: number;
  /** A folder; false where nothing is to be written. */
  out?: string | false;
  json?: boolean;
}

/** Flags that are options of the library by the same name. */
const kindFlags = [
  'length',
  'stride',
  'tokenize',
  'wordOrder',
  'lowercase',
  'scheme',
  'rules',
  'nullThreshold',
  'maxAnswerLength',
  'mask',
] as const;
/** Flags about how targets are written. */
const generationFlags = [
  'greedy',
  'beam',
  'lengthPenalty',
  'temperature',
  'topK',
  'topP',
  'seed',
  'maxNewTokens',
] as const;

export function evalCommand(): Command {
  const whole = (flag: string, min = 1) => wholeNumber(flag, { min });
  const metric = oneOf('--metric', metricNames);
  const command = new Command()
    .argument('<MODEL>', modelArgument)
    .requiredOption('--data <files>', 'a file or a glob: TSV, CSV, JSONL or parquet, a text, CoNLL, SQuAD; .gz as well')
    .option('--metric <names>', 'with commas between (default: all that fit)', (text) =>
      text.split(',').map((name) => metric(name.trim())),
    )
    .option('--kind <kind>', `${kindNames.join(', ')} (default: by the model)`, oneOf('--kind', kindNames))
    .option('--fields <names>', 'what the fields are called or the columns’ numbers: text=sentence,label=2', fieldsOf)
    .option('--header', 'a first line names the columns though they are given by number')
    .option('--split <name>', '--data is org/name[@revision] of a dataset on the hub: its split')
    .option('--config <name>', 'of such a dataset (default: its own default)')
    .option('--references <file>', 'the targets, line for line with the sources of --data')
    .option('--limit <n>', 'the first n records only', whole('--limit'))
    .option('--batch-size <n>', 'what is worked on together', whole('--batch-size'), 32)
    .option('--length <n>', 'tokens that are read at once, at most', whole('--length'))
    .option(
      '--stride <n>',
      'of a language model: tokens from one window to the next; of questions: tokens in common',
      whole('--stride', 0),
    )
    .option('--max-new-tokens <n>', 'tokens of a target, at most', whole('--max-new-tokens'));
  return addGenerationFlags(command)
    .option(
      '--tokenize <name>',
      'of BLEU and ROUGE: 13a, zh, char, none',
      oneOf('--tokenize', ['13a', 'zh', 'char', 'none']),
    )
    .option('--word-order <n>', 'of chrF: 2 for chrF++ (default 0)', wholeNumber('--word-order', { min: 0, max: 4 }))
    .option('--lowercase', 'of BLEU and chrF: ignore case')
    .option(
      '--scheme <name>',
      'of entities: conll (default), iob2, iobes',
      oneOf('--scheme', ['conll', 'iob2', 'iobes']),
    )
    .option(
      '--rules <name>',
      'of answers: squad1, squad2, cmrc2018',
      oneOf('--rules', ['squad1', 'squad2', 'cmrc2018']),
    )
    .option(
      '--null-threshold <x>',
      'log-probability that "no answer" must be ahead (default 0)',
      realNumber('--null-threshold'),
    )
    .option('--max-answer-length <n>', 'tokens of an answer, at most (default 30)', whole('--max-answer-length'))
    .option('--mask <what>', 'of masked words: token, word-l2r', oneOf('--mask', ['token', 'word-l2r']))
    .option('--out <folder>', 'where predictions.jsonl and metrics.json go (default: eval/MODEL-DATA)')
    .option('--no-out', 'write no files')
    .option(...adapterFlag)
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      [
        '',
        'Values equal those of scikit-learn, seqeval, sacreBLEU, rouge-score and the official scripts of SQuAD and CMRC: docs/evaluation.md.',
        '',
        'Examples:',
        '  qkv eval runs/tatoeba-en-zh --data data/tatoeba-en-zh/test.tsv --metric bleu,chrf --tokenize zh --beam 4',
        '  qkv eval runs/sst2-minilm --data dev.tsv --fields text=sentence,label=label --metric accuracy',
        '  qkv eval runs/shakespeare --data input.txt --metric perplexity,bits-per-byte --stride 128',
        '  qkv eval runs/sst2-minilm --data stanfordnlp/sst2 --split validation --fields text=sentence,label=label',
        '  qkv eval models/bert-base-uncased --kind minimal-pairs --data "blimp/*.jsonl"',
      ].join('\n'),
    )
    .action(run);
}

function fieldsOf(text: string): Record<string, FieldName> {
  return Object.fromEntries(
    text.split(',').map((part) => {
      const [, role, field] = /^\s*([^=\s]+)\s*=\s*(\S.*?)\s*$/.exec(part) ?? [];
      if (role !== undefined && field !== undefined) return [role, /^\d+$/.test(field) ? Number(field) : field];
      throw new QkvError('usage', {
        where: '--fields',
        got: JSON.stringify(part),
        expected: 'NAME=FIELD, as in text=sentence',
      });
    }),
  );
}

/** The files that --data names, or those of a split of the dataset. @throws QkvError `usage`, and as `hubDataset` */
async function dataFiles({ data, split, config }: Flags): Promise<string | string[]> {
  if (split === undefined) {
    if (config === undefined) return data;
    throw new QkvError('usage', { where: '--config', got: 'no --split', expected: '--split as well' });
  }
  const [{ parseHubName }, { hubDataset }] = await Promise.all([
    import('../../src/hub/hubName.ts'),
    import('../../src/hub/hubDataset.node.ts'),
  ]);
  const name = parseHubName(data, 'dataset');
  if (name) return withHub((hub) => hubDataset(name, { config, split }, hub));
  throw new QkvError('usage', {
    where: '--data',
    got: data,
    expected: 'org/name of a dataset, since --split is given',
  });
}

async function run(path: string, flags: Flags): Promise<void> {
  refuseConflicts(chosen(flags, ['greedy', 'beam', 'lengthPenalty', 'temperature', 'topK', 'topP', 'seed']));
  const signal = interruptSignal();
  const [{ planEvaluation, evaluateModel }, { readEvaluationData }, { claimFolder, releaseFolder, writeEvaluation }] =
    await Promise.all([
      import('../../src/evaluate/evaluateModel.ts'),
      import('../../src/evaluate/readEvaluationData.node.ts'),
      import('../../src/evaluate/writeEvaluation.node.ts'),
    ]);
  await using opened = await openSubject(path, flags.adapter);
  const { subject } = opened;
  const wanted = optionsOf(flags, subject);
  const { name } = planEvaluation(subject.model, wanted, flagOf);
  if (flags.references !== undefined && name !== 'sequence-to-sequence') {
    throw new QkvError('usage', { where: '--references', got: name, expected: 'sequence-to-sequence, where it acts' });
  }
  const { data, references, header, limit = Number.POSITIVE_INFINITY } = flags;
  const files = await dataFiles(flags);
  const { records, fields } = readEvaluationData(name, { files, references, fields: flags.fields, header });
  const folder = flags.out === false ? undefined : claimFolder(flags.out, path, data);
  using progress = new Progress(name);
  try {
    const evaluation = await evaluateModel(subject, first(records, limit), {
      ...wanted,
      fields,
      kind: name,
      signal,
      onProgress: (done) => progress.update(done),
    });
    const { split, config } = flags;
    const report = { model: path, data, ...(split !== undefined && { split, config }), ...summaryOf(evaluation) };
    if (folder !== undefined) await writeEvaluation(folder, report, evaluation.predictions);
    progress[Symbol.dispose]();
    if (flags.json) process.stdout.write(`${JSON.stringify({ ...report, ...(folder && { out: folder }) })}\n`);
    else print(evaluation, folder, flags);
  } catch (error) {
    if (folder !== undefined) releaseFolder(folder);
    throw signal.aborted ? new Interrupted() : error;
  }
}

/** A model on ONNX Runtime, with as many engine threads side by side as there are cores. */
async function openSubject(
  path: string,
  adapter: string | undefined,
): Promise<AsyncDisposable & { readonly subject: Subject }> {
  const [pretrained, { createNodeRuntime }, { generationDefaults }, { sentenceEncoderAt }] = await Promise.all([
    openPretrained(path, { adapter }),
    import('../../src/runtime/node/node.ts'),
    import('../../src/pretrained/generationDefaults.ts'),
    import('../../src/pretrained/sentenceEncoder.node.ts'),
  ]);
  const { model, arena, location, generationConfig } = pretrained;
  const tokenizer = requireTokenizer(pretrained);
  const encoder = model.kind === 'encoder' ? await sentenceEncoderAt(location) : undefined;
  const runtime = await createNodeRuntime({ lanes: availableParallelism(), threads: 1 });
  const generation = model.kind === 'encoder' ? {} : generationDefaults(model, generationConfig);
  return {
    subject: { runtime, model, parameters: arena.tensors, tokenizer, encoder, generation },
    [Symbol.asyncDispose]: () => runtime[Symbol.asyncDispose](),
  };
}

function optionsOf(flags: Flags, { generation = {} }: Subject): EvaluateOptions & { kind?: KindName } {
  const generating = chosen(flags, generationFlags);
  const { kind, metric, fields, batchSize } = flags;
  const { maxNewTokens, ...way } = generating;
  return {
    ...chosen(flags, kindFlags),
    ...(Object.keys(generating).length > 0 && {
      generate: { ...generationOptions(generation, way), ...(maxNewTokens !== undefined && { maxNewTokens }) },
    }),
    ...(kind && { kind }),
    ...(metric && { metrics: metric }),
    ...(fields && { fields }),
    batchSize,
  };
}

/** Of the flags those of these names that were given. */
function chosen<Name extends keyof Flags>(flags: Flags, names: readonly Name[]): Pick<Flags, Name> {
  return Object.fromEntries(
    names.filter((name) => flags[name] !== undefined).map((name) => [name, flags[name]]),
  ) as Pick<Flags, Name>;
}

function flagOf(option: string): string {
  if (option === 'metrics') return '--metric';
  if (option === 'generate') return generationFlags.map(flagOf).join(', ');
  return `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

async function* first<T>(items: AsyncIterable<T>, limit: number): AsyncGenerator<T> {
  let count = 0;
  for await (const item of items) {
    yield item;
    if (++count >= limit) return;
  }
}

function summaryOf({ predictions: _, ...rest }: Evaluation): Omit<Evaluation, 'predictions'> {
  return rest;
}

function print(
  { examples, metrics, settings, truncated, predictions }: Evaluation,
  folder: string | undefined,
  flags: Flags,
): void {
  for (const [name, { score, signature }] of Object.entries(metrics)) {
    process.stdout.write(`${name} ${score.toFixed(4)}${signature === undefined ? '' : `  ${signature}`}\n`);
  }
  const said = Object.entries(settings).map(
    ([name, value]) => `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  process.stdout.write(
    `of ${examples} record${examples === 1 ? '' : 's'}${said.length > 0 ? `, ${said.join(', ')}` : ''}\n`,
  );
  if (folder !== undefined) process.stdout.write(`predictions in ${folder}\n`);
  if (truncated > 0) process.stderr.write(`note: ${truncated} inputs were cut: the model reads no more tokens\n`);
  if (!flags.tokenize && (metrics['bleu'] || metrics['rouge']) && predictions.some(hasHan)) {
    process.stderr.write('note: the references have Chinese characters; --tokenize zh is the usual choice for them\n');
  }
  if (!flags.rules && metrics['exact-match'] && settings['rules'] !== undefined && predictions.some(hasHan)) {
    process.stderr.write('note: the answers have Chinese characters; --rules cmrc2018 is the usual choice for them\n');
  }
}

const hasHan = ({ reference }: Readonly<Record<string, unknown>>): boolean =>
  /\p{Script=Han}/u.test(JSON.stringify(reference));
