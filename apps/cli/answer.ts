import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { QkvError } from '../../src/base/errors.ts';
import { openEncoder } from './encoderCommand.ts';
import { Interrupted } from './errors.ts';
import { interruptSignal } from './interrupt.ts';
import { adapterFlag, modelArgument } from './openPretrained.ts';
import { wholeNumber } from './values.ts';

interface Flags {
  question: string;
  context?: string;
  file?: string;
  top: number;
  maxAnswerLength?: number;
  maxLength?: number;
  stride?: number;
  allowNone?: boolean;
  adapter?: string;
  json?: boolean;
}

export function answerCommand(): Command {
  const count = (flag: string, min = 1): ((text: string) => number) => wholeNumber(flag, { min });
  return new Command()
    .argument('<MODEL>', modelArgument)
    .requiredOption('--question <text>', 'what is asked')
    .option('--context <text>', 'where the answer is to be found')
    .option('--file <file>', 'a file with the context')
    .option('--top <n>', 'answers', count('--top'), 1)
    .option('--max-answer-length <n>', 'tokens of an answer at most (default: 15)', count('--max-answer-length'))
    .option('--max-length <n>', 'tokens that are read at once (default: 384)', count('--max-length'))
    .option('--stride <n>', 'tokens that two pieces of a long context share (default: 128)', count('--stride', 0))
    .option('--allow-none', 'let "no answer" be one, as models of SQuAD 2 know it')
    .option(...adapterFlag)
    .option('--json', 'print the answers as JSON')
    .addHelpText(
      'after',
      [
        '',
        'A line for each answer, the most probable first: its probability and its text, empty for "no answer".',
        '',
        'Example:',
        '  qkv answer models/bert-squad --question "Who was born in London?" --context "Ada was born in London."',
      ].join('\n'),
    )
    .action(run);
}

async function run(path: string, flags: Flags): Promise<void> {
  const { question, context, file, adapter, json = false, ...options } = flags;
  if ((context === undefined) === (file === undefined)) {
    const got = file === undefined ? 'neither' : 'both';
    throw new QkvError('usage', { where: 'context', got, expected: '--context or --file' });
  }
  const text = context ?? (await readContext(file!));
  const signal = interruptSignal();
  await using running = await openEncoder(path, { isMany: false, adapter });
  const { answer } = await import('../../src/pretrained/answer.ts');
  const { session, tokenizer } = running;
  const [answers] = await answer(session, tokenizer, [{ question, context: text }], { ...options, signal }).catch(
    (error: unknown) => {
      throw signal.aborted ? new Interrupted() : error;
    },
  );
  const lines = answers!.map((one) => `${one.score.toFixed(4)} ${one.text.replace(/\s+/g, ' ')}\n`);
  process.stdout.write(json ? `${JSON.stringify({ question, answers })}\n` : lines.join(''));
}

async function readContext(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new QkvError('io', { where: file, got: `cannot read it: ${(cause as Error).message}`, cause });
  }
}
