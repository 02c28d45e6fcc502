import { Command } from 'commander';
import { Interrupted } from './errors.ts';
import { addGenerationFlags, type GenerationFlags, generationOptions, refuseConflicts } from './generationFlags.ts';
import { interruptSignal } from './interrupt.ts';
import { adapterFlag, modelArgument } from './openPretrained.ts';
import { openRunning, requireKind } from './openRunning.ts';
import { Progress } from './progress.ts';
import { batchesOf, refuseBoth, textsOf } from './texts.ts';
import { wholeNumber } from './values.ts';

interface Options extends GenerationFlags {
  file?: string;
  maxLength?: number;
  batchSize: number;
  truncate?: boolean;
  adapter?: string;
  json?: boolean;
}

export function translateCommand(): Command {
  return addGenerationFlags(
    new Command()
      .argument('<MODEL>', modelArgument)
      .argument('[TEXT...]', 'sentences; without any, the lines of --file or of standard input')
      .option('--file <file>', 'translate the lines of a file'),
  )
    .option('--max-length <n>', 'at most n tokens for a translation', wholeNumber('--max-length', { min: 1 }))
    .option('--batch-size <n>', 'sentences that are worked on together', wholeNumber('--batch-size', { min: 1 }), 32)
    .option('--truncate', 'cut sentences that are longer than the model can read')
    .option(...adapterFlag)
    .option('--json', 'print sources, translations and scores as JSON')
    .addHelpText(
      'after',
      [
        '',
        'A line is a sentence; translations come in the same order, a line each. Without an option that chooses tokens,',
        "the model's generation_config.json says how; greedy where it says nothing.",
        '',
        'Examples:',
        '  qkv translate runs/tatoeba-en-zh "Where is the station?" --beam 4',
        '  qkv translate runs/tatoeba-en-zh < english.txt > chinese.txt',
      ].join('\n'),
    )
    .action(translateAll);
}

async function translateAll(path: string, texts: string[], options: Options): Promise<void> {
  const { file, maxLength, batchSize, truncate = false, adapter, json = false, ...flags } = options;
  refuseConflicts(flags);
  refuseBoth({ texts, file });
  const signal = interruptSignal();
  await using running = await openRunning(path, { isMany: texts.length !== 1, adapter });
  requireKind(running, 'encoder-decoder', 'translate');
  const { session, tokenizer, defaults } = running;
  const [{ translate }, { forMode }] = await Promise.all([
    import('../../src/pretrained/translate.ts'),
    import('../../src/pretrained/generationDefaults.ts'),
  ]);
  const given = generationOptions(defaults, flags);
  const generate = forMode({ ...given, ...(maxLength !== undefined && { maxNewTokens: maxLength }), signal });

  // From a keyboard, sentence by sentence; else enough at a time that sentences of one length meet.
  const isTyped = file === undefined && texts.length === 0 && process.stdin.isTTY === true;
  const window = isTyped ? 1 : 8 * batchSize;
  const results: { source: string; translation: string; score: number | null }[] = [];
  using progress = new Progress('translating', texts.length > 0 ? texts.length : undefined, process.stdout.isTTY);
  let before = 0;
  for await (const sentences of batchesOf(textsOf({ texts, file }), window)) {
    const found = await translate(session, tokenizer, sentences, {
      generate,
      batchSize,
      truncate,
      onProgress: (done) => progress.update(before + done),
    }).catch((error: unknown) => {
      throw signal.aborted ? new Interrupted() : error;
    });
    before += sentences.length;
    for (const [i, { text, score }] of found.entries()) {
      if (json) results.push({ source: sentences[i]!, translation: text, score: score ?? null });
      else process.stdout.write(`${text.replaceAll('\n', ' ')}\n`);
    }
  }
  if (json) process.stdout.write(`${JSON.stringify(results)}\n`);
}
