import { availableParallelism } from 'node:os';
import { Command } from 'commander';
import type { HostTensor } from '../../src/base/tensor.ts';
import type { HeadName } from '../../src/models/encoderHead.ts';
import type { EncoderRunOptions, EncoderSession } from '../../src/predict/session.ts';
import type { Tokenizer } from '../../src/tokenizer/tokenizer.ts';
import { Interrupted } from './errors.ts';
import { interruptSignal } from './interrupt.ts';
import { adapterFlag, modelArgument, openPretrained } from './openPretrained.ts';
import { requireTokenizer } from './openRunning.ts';
import { Progress } from './progress.ts';
import { batchesOf, refuseBoth, textsOf } from './texts.ts';
import { wholeNumber } from './values.ts';

/** An encoder, opened and ready to run on ONNX Runtime. */
export interface RunningEncoder extends AsyncDisposable {
  readonly location: string;
  readonly tokenizer: Tokenizer;
  readonly session: EncoderSession;
}

export interface OpenOptions {
  /** In place of the head that the model has. */
  readonly head?: HeadName;
  /** Whether there are many texts, which engine threads side by side are best for; else all threads work on one. */
  readonly isMany: boolean;
  readonly adapter?: string | undefined;
  /** Further parameters, from files beside the model's. */
  readonly parameters?: (location: string) => Promise<Readonly<Record<string, HostTensor>>>;
}

export async function openEncoder(
  path: string,
  { head, isMany, adapter, parameters }: OpenOptions,
): Promise<RunningEncoder> {
  const [pretrained, { EncoderSession }, { createNodeRuntime }] = await Promise.all([
    openPretrained(path, { head, adapter }),
    import('../../src/predict/session.ts'),
    import('../../src/runtime/node/node.ts'),
  ]);
  const { model, arena, location } = pretrained;
  const tokenizer = requireTokenizer(pretrained);
  const more = await parameters?.(location);
  const runtime = await createNodeRuntime(isMany ? { lanes: availableParallelism(), threads: 1 } : {});
  const session = new EncoderSession(runtime, model, { ...arena.tensors, ...more });
  return {
    location,
    tokenizer,
    session,
    async [Symbol.asyncDispose]() {
      session[Symbol.dispose]();
      await runtime[Symbol.asyncDispose]();
    },
  };
}

/** The flags of every command that runs an encoder on texts. */
export interface TextFlags {
  file?: string;
  adapter?: string;
  batchSize: number;
  truncate?: boolean;
  json?: boolean;
}

export type Running = EncoderRunOptions & { readonly truncate: boolean };

/** A command that makes a result of each text. */
export interface TextCommand<Flags extends TextFlags, Item, Result> {
  /** Arguments behind MODEL, and what they are. */
  readonly argument: readonly [name: string, description: string];
  readonly help: readonly string[];
  readonly head?: HeadName;
  readonly addOptions?: (command: Command) => Command;
  readonly check?: (flags: Flags) => void;
  /** What the arguments mean, and a line of a file. */
  readonly ofArguments: (words: readonly string[]) => Item[];
  readonly ofLine: (line: string) => Item;
  readonly parameters?: (location: string, flags: Flags) => Promise<Readonly<Record<string, HostTensor>>>;
  readonly predict: (running: RunningEncoder, items: Item[], flags: Flags, options: Running) => Promise<Result[]>;
  readonly text: (result: Result, item: Item) => string;
  readonly json: (result: Result, item: Item) => object;
}

/** Texts at a time: enough that many of one length meet, few enough that results come soon and memory is bounded. */
const WINDOW = 1024;

/** The same command line for all of them: texts as arguments, from a file or from standard input; lines or one JSON list. */
export function textCommand<Flags extends TextFlags, Item, Result>(wanted: TextCommand<Flags, Item, Result>): Command {
  const command = new Command()
    .argument('<MODEL>', modelArgument)
    .argument(...wanted.argument)
    .option('--file <file>', 'take the lines of a file')
    .option('--batch-size <n>', 'texts that are worked on together', wholeNumber('--batch-size', { min: 1 }), 32)
    .option(...adapterFlag)
    .option('--truncate', 'cut texts that are longer than the model can read')
    .option('--json', 'print the results as JSON');
  return (wanted.addOptions?.(command) ?? command)
    .addHelpText('after', ['', ...wanted.help].join('\n'))
    .action((path: string, words: string[], flags: Flags) => runTexts(wanted, path, words, flags));
}

async function runTexts<Flags extends TextFlags, Item, Result>(
  wanted: TextCommand<Flags, Item, Result>,
  path: string,
  words: string[],
  flags: Flags,
): Promise<void> {
  const { file, batchSize, truncate = false, json: isJson = false } = flags;
  refuseBoth({ texts: words, file });
  wanted.check?.(flags);
  const given = words.length > 0 ? wanted.ofArguments(words) : undefined;
  const { parameters, head } = wanted;
  const signal = interruptSignal();
  await using running = await openEncoder(path, {
    isMany: (given?.length ?? WINDOW) > 4,
    adapter: flags.adapter,
    ...(head && { head }),
    ...(parameters && { parameters: (location) => parameters(location, flags) }),
  });
  // From a keyboard, line by line.
  const isTyped = given === undefined && file === undefined && process.stdin.isTTY === true;
  using progress = new Progress('texts', given?.length, process.stdout.isTTY);
  let before = 0;
  for await (const items of batchesOf(itemsOf(given, file, wanted.ofLine), isTyped ? 1 : WINDOW)) {
    const onProgress = (done: number): void => progress.update(before + done);
    const results = await wanted
      .predict(running, items, flags, { batchSize, truncate, signal, onProgress })
      .catch((error: unknown) => {
        throw signal.aborted ? new Interrupted() : error;
      });
    for (const [i, result] of results.entries()) {
      const item = items[i]!;
      const start = before + i === 0 ? '[' : ',\n';
      process.stdout.write(
        isJson ? start + JSON.stringify(wanted.json(result, item)) : `${wanted.text(result, item)}\n`,
      );
    }
    before += items.length;
  }
  if (isJson) process.stdout.write(before === 0 ? '[]\n' : ']\n');
}

async function* itemsOf<Item>(
  given: readonly Item[] | undefined,
  file: string | undefined,
  ofLine: (line: string) => Item,
): AsyncGenerator<Item> {
  if (given) yield* given;
  else for await (const line of textsOf({ texts: [], file })) yield ofLine(line);
}
