import { Command } from 'commander';
import { QkvError } from '../../src/base/errors.ts';
import type { GenerateOptions } from '../../src/generate/options.ts';
import { Interrupted } from './errors.ts';
import { addGenerationFlags, type GenerationFlags, generationOptions } from './generationFlags.ts';
import { interruptSignal } from './interrupt.ts';
import { openRunning, type RunningModel, requireKind } from './openRunning.ts';
import { wholeNumber } from './values.ts';

interface Options extends GenerationFlags {
  maxNewTokens?: number;
  samples: number;
  json?: boolean;
}

interface Generated {
  readonly ids: readonly number[];
  readonly text: string;
  readonly finish: 'end' | 'length';
}

export function generateCommand(): Command {
  return addGenerationFlags(
    new Command()
      .argument('<MODEL>', 'a model folder, or the output folder of a training run')
      .argument('[PROMPT]', 'what to continue; without it, the text from standard input if that is no terminal'),
  )
    .option(
      '--max-new-tokens <n>',
      'at most n tokens (default: as many as fit)',
      wholeNumber('--max-new-tokens', { min: 1 }),
    )
    .option('--samples <n>', 'independent samples, or the n best beams', wholeNumber('--samples', { min: 1 }), 1)
    .option('--json', 'print prompt and continuations as JSON')
    .addHelpText(
      'after',
      [
        '',
        "Without an option that chooses tokens, the model's generation_config.json says how; greedy where it says nothing.",
        '',
        'Example:',
        '  qkv generate runs/shakespeare "ROMEO:" --temperature 0.8 --top-k 40 --max-new-tokens 50 --seed 7',
      ].join('\n'),
    )
    .action(run);
}

async function run(path: string, prompt: string | undefined, options: Options): Promise<void> {
  const { maxNewTokens, samples, json = false, ...flags } = options;
  const signal = interruptSignal();
  await using running = await openRunning(path);
  requireKind(running, 'causal', 'generate');
  const text = prompt ?? (process.stdin.isTTY ? '' : await readAll(process.stdin));
  const ids = promptIds(running, text);
  const { forMode } = await import('../../src/pretrained/generationDefaults.ts');
  const chosen = generationOptions(running.defaults, flags);
  const isGreedy = !chosen.sample && (chosen.numBeams ?? 1) === 1;
  if (samples > 1 && isGreedy) {
    throw new QkvError('usage', {
      where: '--samples',
      got: `${samples} in greedy mode, where they would be equal`,
      expected: 'sampling or a beam search',
      hint: 'Add --temperature 1',
    });
  }
  const all = { ...chosen, ...(maxNewTokens !== undefined && { maxNewTokens }), numReturn: samples, signal };
  const generating = forMode(all);
  const isStreamed = samples === 1 && (chosen.numBeams ?? 1) === 1 && !json;
  try {
    if (isStreamed) await stream(running, text, ids, generating);
    else report(text, await generateAll(running, ids, generating), json);
  } catch (error) {
    if (isStreamed && signal.aborted) process.stdout.write('\n');
    throw signal.aborted ? new Interrupted() : error;
  }
}

function promptIds({ pretrained: { model }, tokenizer }: RunningModel, text: string): number[] {
  const { ids } = tokenizer.encode(text);
  if (ids.length > 0) return ids;
  if (model.kind === 'causal' && model.bosId !== null) return [model.bosId];
  throw new QkvError('usage', {
    where: 'PROMPT',
    got: 'an empty text',
    expected: 'a character or more: the model has no token that begins a text',
  });
}

/** Writes the prompt, and its continuation token by token. */
async function stream(running: RunningModel, prompt: string, ids: number[], options: GenerateOptions): Promise<void> {
  const { generate } = await import('../../src/generate/generate.ts');
  const { session, tokenizer } = running;
  const decoder = tokenizer.createStreamDecoder({ skipSpecialTokens: true });
  process.stdout.write(prompt);
  await generate(session, [ids], options, { onToken: (token) => void process.stdout.write(decoder.push(token)) });
  process.stdout.write(`${decoder.end()}\n`);
}

async function generateAll(running: RunningModel, ids: number[], options: GenerateOptions): Promise<Generated[]> {
  const { generate } = await import('../../src/generate/generate.ts');
  const [found] = await generate(running.session, [ids], options);
  return found!.map((result) => ({
    ids: result.ids,
    text: running.tokenizer.decode(result.ids, { skipSpecialTokens: true }),
    finish: result.finish,
  }));
}

function report(prompt: string, continuations: readonly Generated[], json: boolean): void {
  if (json) process.stdout.write(`${JSON.stringify({ prompt, continuations })}\n`);
  else process.stdout.write(`${continuations.map(({ text }) => prompt + text).join('\n---\n')}\n`);
}

async function readAll(input: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  input.setEncoding('utf8');
  for await (const chunk of input) text += chunk;
  return text.replace(/\r?\n$/, '');
}
