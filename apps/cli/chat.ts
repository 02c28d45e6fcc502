import { createInterface } from 'node:readline/promises';
import { Command } from 'commander';
import { QkvError } from '../../src/base/errors.ts';
import type { GenerateOptions } from '../../src/generate/options.ts';
import type { ChatMessage } from '../../src/pretrained/chat.ts';
import { Interrupted } from './errors.ts';
import { addGenerationFlags, type GenerationFlags, generationOptions, refuseConflicts } from './generationFlags.ts';
import { interruptSignal } from './interrupt.ts';
import { adapterFlag, modelArgument } from './openPretrained.ts';
import { openRunning, type RunningModel, requireKind } from './openRunning.ts';
import { readAll } from './texts.ts';
import { wholeNumber } from './values.ts';

interface Options extends GenerationFlags {
  system?: string;
  maxNewTokens: number;
  adapter?: string;
  json?: boolean;
}

export function chatCommand(): Command {
  return addGenerationFlags(
    new Command()
      .argument('<MODEL>', modelArgument)
      .argument('[MESSAGE]', 'what to say; without it a conversation, or standard input if that is no terminal'),
  )
    .option('--system <text>', 'what the model is told beforehand')
    .option('--max-new-tokens <n>', 'of an answer', wholeNumber('--max-new-tokens', { min: 1 }), 512)
    .option(...adapterFlag)
    .option('--json', 'print all messages as JSON')
    .addHelpText(
      'after',
      [
        '',
        "Messages go through the model's chat template; its generation_config.json says how it answers.",
        '',
        'Example:',
        '  qkv chat HuggingFaceTB/SmolLM2-135M-Instruct "What is the capital of France?" --greedy',
      ].join('\n'),
    )
    .action(run);
}

async function run(path: string, message: string | undefined, options: Options): Promise<void> {
  const { system, maxNewTokens, adapter, json = false, ...flags } = options;
  refuseConflicts(flags);
  const signal = interruptSignal();
  await using running = await openRunning(path, { adapter });
  requireKind(running, 'causal', 'chat');
  const { forMode } = await import('../../src/pretrained/generationDefaults.ts');
  const generation = forMode({ ...generationOptions(running.defaults, flags), maxNewTokens, signal });
  const messages: ChatMessage[] = system === undefined ? [] : [{ role: 'system', content: system }];
  const say = async (content: string): Promise<void> => {
    messages.push({ role: 'user', content });
    const text = await answer(running, messages, generation, json ? undefined : (part) => process.stdout.write(part));
    messages.push({ role: 'assistant', content: text });
  };
  try {
    const first = message ?? (process.stdin.isTTY ? undefined : await readAll(process.stdin));
    if (first === undefined) await converse(say, signal);
    else await say(first);
    process.stdout.write(json ? `${JSON.stringify({ messages })}\n` : '\n');
  } catch (error) {
    throw signal.aborted ? new Interrupted() : error;
  }
}

/** Lines that a person writes, until the end of input. */
async function converse(say: (content: string) => Promise<void>, signal: AbortSignal): Promise<void> {
  const lines = createInterface({ input: process.stdin, output: process.stdout, prompt: '> ' });
  signal.addEventListener('abort', () => lines.close());
  lines.prompt();
  for await (const line of lines) {
    if (line.trim() !== '') {
      await say(line);
      process.stdout.write('\n');
    }
    lines.prompt();
  }
  signal.throwIfAborted();
}

async function answer(
  { pretrained, session, tokenizer }: RunningModel,
  messages: readonly ChatMessage[],
  options: GenerateOptions,
  onText: ((text: string) => void) | undefined,
): Promise<string> {
  const [{ chatPrompt }, { continueText }] = await Promise.all([
    import('../../src/pretrained/chat.ts'),
    import('../../src/pretrained/continueText.ts'),
  ]);
  const { ids } = tokenizer.encode(chatPrompt(pretrained, messages), { addSpecialTokens: false });
  const { maxLength } = session.model;
  if (ids.length > maxLength) {
    throw new QkvError('usage', {
      where: 'conversation',
      got: `${ids.length} tokens`,
      expected: `at most ${maxLength}, the positions of the model`,
    });
  }
  const [made] = await continueText(session, tokenizer, ids, options, onText);
  return made!.text;
}
