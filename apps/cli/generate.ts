import { Command } from 'commander';
import { QkvError } from '../../src/base/errors.ts';
import { Interrupted } from './errors.ts';
import { addGenerationFlags, type GenerationFlags, generationOptions, refuseConflicts } from './generationFlags.ts';
import { interruptSignal } from './interrupt.ts';
import { adapterFlag, modelArgument } from './openPretrained.ts';
import { openRunning, requireKind } from './openRunning.ts';
import { readAll } from './texts.ts';
import { wholeNumber } from './values.ts';

interface Options extends GenerationFlags {
  maxNewTokens?: number;
  samples: number;
  adapter?: string;
  json?: boolean;
}

export function generateCommand(): Command {
  return addGenerationFlags(
    new Command()
      .argument('<MODEL>', modelArgument)
      .argument('[PROMPT]', 'what to continue; without it, the text from standard input if that is no terminal'),
  )
    .option(
      '--max-new-tokens <n>',
      'at most n tokens (default: as many as the model has positions for)',
      wholeNumber('--max-new-tokens', { min: 1 }),
    )
    .option('--samples <n>', 'independent samples, or the n best beams', wholeNumber('--samples', { min: 1 }), 1)
    .option(...adapterFlag)
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

async function run(path: string, given: string | undefined, options: Options): Promise<void> {
  const { maxNewTokens, samples, adapter, json = false, ...flags } = options;
  refuseConflicts(flags);
  const signal = interruptSignal();
  await using running = await openRunning(path, { adapter });
  requireKind(running, 'causal', 'generate');
  const { session, tokenizer, defaults } = running;
  const [{ continueText }, { forMode }] = await Promise.all([
    import('../../src/pretrained/continueText.ts'),
    import('../../src/pretrained/generationDefaults.ts'),
  ]);
  const prompt = given ?? (process.stdin.isTTY ? '' : await readAll(process.stdin));
  const chosen = generationOptions(defaults, flags);
  const beams = chosen.sample ? 1 : (chosen.numBeams ?? 1);
  if (samples > 1 && !chosen.sample && samples > beams) {
    throw new QkvError('usage', {
      where: '--samples',
      got: String(samples),
      expected: beams === 1 ? '1 in greedy mode, where all would be equal' : `at most ${beams}, the number of beams`,
      hint: beams === 1 ? 'Add --temperature 1 to sample' : `Add --beam ${samples}`,
    });
  }
  const all = { ...chosen, ...(maxNewTokens !== undefined && { maxNewTokens }), numReturn: samples, signal };
  const isStreamed = samples === 1 && beams === 1 && !json;
  if (isStreamed) process.stdout.write(prompt);
  const onText = isStreamed ? (text: string) => void process.stdout.write(text) : undefined;
  try {
    const continuations = await continueText(session, tokenizer, prompt, forMode(all), onText);
    if (json) process.stdout.write(`${JSON.stringify({ prompt, continuations })}\n`);
    else if (!isStreamed) process.stdout.write(continuations.map(({ text }) => prompt + text).join('\n---\n'));
  } catch (error) {
    throw signal.aborted ? new Interrupted() : error;
  } finally {
    if (!json) process.stdout.write('\n');
  }
}
